#!/usr/bin/env bash
# Measures how fast what an agent prints gets into its log, beside svlogd (runit) and s6-log (s6)
# with the same input, each with times of its own before the lines. Prints Markdown.
# shellcheck disable=SC2016 # backquotes in single quotes are Markdown
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: tests/bench/logs.sh [OPTION]...

  --mib N        how much is printed in each run (default: 512)
  --runs N       runs of each, of which the median counts (default: 5)
  --lines "N …"  lengths of lines, in bytes (default: "100 1000")
  --dirs "D …"   where the logs are written (default: "/dev/shm /var/tmp")

svlogd and s6-log are measured where they are found on PATH.
USAGE
}

die() { printf 'logs.sh: %s\n' "$1" >&2; exit 64; }

mib=512 runs=5 lines='100 1000' dirs='/dev/shm /var/tmp'
while [ $# -gt 0 ]; do
    case $1 in
    --mib | --runs | --lines | --dirs)
        [ $# -ge 2 ] || die "$1 needs a value"
        declare "${1#--}=$2"
        shift 2
        ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 64 ;;
    esac
done
for n in $mib $runs $lines; do [[ $n =~ ^[1-9][0-9]*$ ]] || die "$n: not a number from 1"; done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
(cd "$repo" && cargo build --release --locked --quiet --example logs)
logs=${CARGO_TARGET_DIR:-$repo/target}/release/examples/logs
bytes=$((mib * 1024 * 1024))

work=$(mktemp -d "${TMPDIR:-/tmp}/lazarus-pit-bench.XXXXXX")
trap 'rm -rf "$work" ${dir:+"$dir"}' EXIT
cc -O2 -o "$work/measure" "$here/measure.c"

# One run: who it is, length of a line, what the writer is. It is the writer alone that is measured,
# from its start to its end; who prints runs on another processor.
once() {
    local name=$1 line=$2
    shift 2
    rm -rf "$dir/log"
    mkdir "$dir/log"
    # Its own default is to keep ten files of a megabyte.
    printf 's99999999\nn0\n' >"$dir/log/config"
    sync -f "$dir"
    "$logs" print "$bytes" "$line" | "$work/measure" -o "$work/$name-$line" "$@" 2>/dev/null
}

# The median of one column of a file of figures: wall, user + system, or peak memory.
median() {
    awk -v what="$2" '{ print what == "wall" ? $1 : what == "cpu" ? $2 + $3 : $4 }' "$1" |
        sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

row() {
    local name=$1 line=$2 shown=$3 file="$work/$1-$2" ref="$work/svlogd-$2"
    [ -s "$ref" ] || ref=$file
    awk -v shown="$shown" -v bytes="$bytes" -v line="$line" \
        -v wall="$(median "$file" wall)" -v cpu="$(median "$file" cpu)" \
        -v kib="$(median "$file" kib)" -v ref="$(median "$ref" cpu)" 'BEGIN {
            printf "| %d | %s | %.0f | %.0f | %.2f | %.1f |\n", line, shown,
                bytes / wall, bytes / cpu, ref / cpu, kib / 1024 }'
}

# cat stands for the least that anybody must do: read, and write the same. sh opens its file.
measure_all() {
    local line=$1 _
    for _ in $(seq "$runs"); do
        once lazarus "$line" "$logs" keep "$dir/log"
        once cat "$line" sh -c 'exec cat >"$0"' "$dir/log/cat"
        if command -v svlogd >/dev/null; then
            once svlogd "$line" svlogd -tt -b 65536 -l 32768 "$dir/log"
        fi
        if command -v s6-log >/dev/null; then
            once s6 "$line" s6-log -b n20 s99999999 t "$dir/log"
        fi
    done
    row lazarus "$line" '**lazarus-pit**'
    row cat "$line" '`cat`'
    for name in svlogd s6; do
        [ ! -s "$work/$name-$line" ] || row "$name" "$line" "\`${name/s6/s6-log}\`"
    done
}

for place in $dirs; do
    dir=$(mktemp -d "$place/lazarus-pit-bench.XXXXXX")
    printf '\n%s MiB a run, logs on %s (%s), median of %s runs:\n\n' \
        "$mib" "$place" "$(stat -f -c %T "$place")" "$runs"
    printf '| bytes a line | what | MB/s | MB a second of processor time | × svlogd | peak MiB |\n'
    printf '| --: | --- | --: | --: | --: | --: |\n'
    rm -f "$work"/*-[0-9]*
    for line in $lines; do measure_all "$line"; done
    rm -rf "$dir"
done
dir=''
