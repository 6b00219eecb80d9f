#!/usr/bin/env bash
# Measures a pass of lazarus-pit over fleets of several sizes, beside three references in the same
# session, and prints Markdown tables. README.md beside this file says how to read them.
# shellcheck disable=SC2016 # backquotes in single quotes are Markdown
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: tests/bench/run.sh [OPTION]...

  --bin PATH       measure this program instead of building target/release/lazarus-pit
  --dir DIR        make the fleets under DIR (default: a temporary directory, removed afterwards)
  --sizes "N ..."  cells in each fleet (default: "10 10000 100000")
  --runs N         measured runs of each (default: 9)
  --cold           drop the kernel's caches before each run (needs root)
  --keep           leave fleets, states and raw figures where they are
USAGE
}

die() { printf 'run.sh: %s\n' "$1" >&2; exit "${2:-64}"; }
say() { printf '%s\n' "$*" >&2; }

bin='' dir='' sizes='10 10000 100000' runs=9 cold=no keep=no
while [ $# -gt 0 ]; do
    case $1 in
    --bin | --dir | --sizes | --runs)
        [ $# -ge 2 ] || die "$1 needs a value"
        declare "${1#--}=$2"
        shift 2
        ;;
    --cold) cold=yes && shift ;;
    --keep) keep=yes && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 64 ;;
    esac
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs $runs: not a number from 1"
for n in $sizes; do [[ $n =~ ^[1-9][0-9]*$ ]] || die "--sizes: $n is not a number from 1"; done
[ "$cold" = no ] || [ "$(id -u)" = 0 ] || die '--cold needs root: only root may drop caches'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)

# The build comes first: nothing else must run beside a measurement.
if [ -z "$bin" ]; then
    say 'building the release binary'
    (cd "$repo" && cargo build --release --locked --quiet)
    target=${CARGO_TARGET_DIR:-$repo/target}
    bin=$target/release/lazarus-pit
fi
[ -x "$bin" ] || die "$bin: not an executable file" 66
bin=$(realpath "$bin")

umask 022
work=$(mktemp -d "${dir:-${TMPDIR:-/tmp}}/lazarus-pit-bench.XXXXXX")
fast=''
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    fast=$(mktemp -d /dev/shm/lazarus-pit-bench.XXXXXX)
fi
# A directory that was named by the caller is not ours to remove, only what was made in it.
# shellcheck disable=SC2317,SC2329 # called by the trap
clean() {
    [ -z "$fast" ] || rm -rf -- "$fast"
    if [ "$keep" = yes ]; then say "kept: $work"; else rm -rf -- "$work"; fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say 'building the references'
for program in walker fleet measure; do
    "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -o "$work/$program" "$here/$program.c"
done
# The interpreter itself: a version manager's wrapper script would be measured with it.
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null || true)
have_strace=no
# Being installed is not enough: a container may forbid ptrace.
if strace -o /dev/null true 2>/dev/null; then have_strace=yes; fi

# The operator's own configuration must not be part of the measurement.
mkdir -m 700 "$work/home" "$work/etc"
printf 'stale_after_seconds: 180\n' >"$work/etc/config.yaml"
# The plans that are shipped; and a thousand small ones, of which the last is for everyone, so that
# none is spared.
mkdir -m 755 "$work/shipped"
cp "$repo"/plans/*.yaml "$work/shipped/"
for n in $(seq 999); do
    printf 'name: plan-%d\nmatch: {cells: ["team-%d-*"]}\npolicy: never\n---\n' "$n" "$n"
done >"$work/thousand.yaml"
printf 'name: everyone\npolicy: never\n' >>"$work/thousand.yaml"
export HOME=$work/home
unset LAZARUS_PIT_CONFIG LAZARUS_PIT_STATE_DIR XDG_CONFIG_HOME XDG_STATE_HOME RUST_LOG

need=0
for n in $sizes; do need=$((need + n * 11)); done
free=$(df --output=iavail "$work" | tail -n 1 | tr -d ' ')
if [[ $free =~ ^[0-9]+$ ]] && [ "$free" -gt 0 ] && [ "$free" -lt "$need" ]; then
    die "$work: the fleets need about $need inodes and $free are free (--sizes, --dir)" 74
fi

# A heartbeat is fresh for 180 s only. What this dirties is written before anything is measured.
refresh() {
    [ $((SECONDS - beaten)) -gt 60 ] || return 0
    "$work/fleet" refresh "$fleet" "$cells" >/dev/null
    sync
    beaten=$SECONDS
}

# One run of a named thing over the present fleet. Its figures go to $raw/NAME.
# Warm means that the same thing ran just before: those who take turns touch different files, and
# with a large fleet each would find the cache as the one before it has left it.
one() {
    refresh
    if [ "$cold" = yes ]; then
        sync
        echo 3 >/proc/sys/vm/drop_caches
    elif [ "$1" != pass-first ]; then
        run_once "untimed/$1" "${@:2}"
    fi
    run_once "$@"
}

# Results go to a file, as a pipe's reader would take processor time from what is measured.
run_once() {
    local name=$1 code=0
    shift
    "$work/measure" -o "$raw/$name" "$@" >"$raw/$name.out" 2>"$raw/$name.err" </dev/null || code=$?
    case ${name#untimed/}:$code in
    *:0 | pass*:1 | pass*:2) ;; # down cells are what the fleet is made to have
    *) die "$name exited $code: $(head -c 500 "$raw/$name.err")" 70 ;;
    esac
}

pass() { # NAME STATE-DIR [OPTION]...
    local name=$1 state=$2
    shift 2
    one "$name" "$bin" --config "$work/etc/config.yaml" --root "$fleet" --state-dir "$state" "$@" --json
}

# Everything, once.
round() {
    one walker "$work/walker" "$fleet"
    one find find "$fleet" -name heartbeat.json
    [ -z "$python" ] || one python "$python" "$here/reference.py" "$fleet"
    pass pass "$work/state.$cells"
    [ -z "$fast" ] || pass pass-tmpfs "$fast/state.$cells"
    pass pass-plans "$work/state-plans.$cells" --plans "$work/shipped" --no-act
    pass pass-thousand "$work/state-thousand.$cells" --plans "$work/thousand.yaml" --no-act
    pass pass-dry "$work/state.$cells" --dry-run
}

# Lowest, middle and highest wall time, then the middle of user and system time, and the peak memory.
figures() {
    sort -n "$1" | awk '
        { wall[NR] = $1; user += $2; sys += $3; if ($4 > rss) rss = $4 }
        END {
            middle = NR % 2 ? wall[(NR + 1) / 2] : (wall[NR / 2] + wall[NR / 2 + 1]) / 2
            printf "%d %.1f %d %.1f %.1f %d\n", wall[1], middle, wall[NR], user / NR, sys / NR, rss
        }'
}

row() { # NAME LABEL
    [ -s "$raw/$1" ] || return 0
    local least median most user sys rss reference
    read -r _ reference _ < <(figures "$raw/walker")
    read -r least median most user sys rss < <(figures "$raw/$1")
    awk -v l="$2" -v a="$least" -v m="$median" -v z="$most" -v u="$user" -v s="$sys" -v r="$rss" \
        -v n="$cells" -v w="$reference" 'BEGIN {
            printf "| %s | %.1f | %.1f | %.1f | %.2f | %.2f | %.1f | %.1f | %.1f |\n",
                l, m / 1000, a / 1000, z / 1000, m / n, m / w, u / 1000, s / 1000, r / 1024 }'
}

# How the classes came out, as walker prints them.
classes() {
    tr -d ' \n' <"$1" | sed -n 's/.*"summary":{\([^}]*\)}.*/\1/p' | awk -F, '{
        for (i = 1; i <= NF; i++) { split($i, kv, ":"); gsub("\"", "", kv[1]); c[kv[1]] = kv[2] }
        printf "cells=%d healthy=%d stale=%d incomplete=%d uninitialized=%d\n",
            c["total_cells"], c["healthy"], c["stale"], c["incomplete"], c["uninitialized"] }'
}

# "CALLS MILLISECONDS" spent in system calls by one run, all its processes and threads together.
# The rows are added up, as versions of strace differ in what the line `total` holds.
traced() { # OPTIONS... COMMAND...
    rm -f "$raw/strace"
    strace -f -c -o "$raw/strace" "$@" >/dev/null 2>&1 </dev/null || true
    [ -e "$raw/strace" ] || return 1
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { s += $2; n += $4 }
        END { printf "%d %.2f\n", n, s * 1000 }' "$raw/strace"
}

size() { [ -e "$1" ] && stat -c %s "$1" || echo 0; }

[ "$cold" = yes ] && cache=cold || cache=warm
printf '%s, %s, %s processors, fleets on %s, kernel %s, %s runs each, caches %s\n' \
    "$(date -u +%Y-%m-%d)" \
    "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sed -n 1p)" \
    "$(nproc)" "$(df --output=fstype "$work" | tail -n 1)" "$(uname -r)" "$runs" "$cache"

for cells in $sizes; do
    fleet=$work/fleet.$cells
    raw=$work/raw.$cells
    mkdir -p "$raw/untimed"
    say "$cells cells: making the fleet"
    made=$("$work/fleet" make "$fleet" "$cells")
    sync
    beaten=$SECONDS
    mkdir -m 700 "$work/state.$cells" "$work/state-plans.$cells" "$work/state-thousand.$cells"
    [ -z "$fast" ] || mkdir -m 700 "$fast/state.$cells"

    # The first pass of all opens an incident for every cell that is down; those after it find them open.
    say "$cells cells: the first pass"
    pass pass-first "$work/state.$cells"
    found=$(classes "$raw/pass-first.out")
    [ "$found" = "$made" ] || die "the fleet was made with $made, and the first pass reports $found" 70

    for ((run = 1; run <= runs; run++)); do
        say "$cells cells: round $run of $runs"
        round
        # Fast and wrong is no result.
        seen=$(cat "$raw/walker.out")
        [ "$seen" = "$made" ] || die "the fleet was made with $made, and walker sees $seen" 70
        for name in pass pass-tmpfs pass-plans pass-thousand pass-dry; do
            [ -e "$raw/$name.out" ] || continue
            found=$(classes "$raw/$name.out")
            [ "$found" = "$made" ] || die "the fleet was made with $made, and $name reports $found" 70
        done
    done

    printf '\n### %s cells\n\n' "$cells"
    printf '%s\n\n' "$made"
    printf '| what | median ms | min ms | max ms | µs a cell | × walker | user ms | system ms | peak MiB |\n'
    printf '| --- | --: | --: | --: | --: | --: | --: | --: | --: |\n'
    row walker '`walker.c`'
    row find '`find -name heartbeat.json`'
    row python '`reference.py`'
    row pass '**`lazarus-pit`**'
    row pass-tmpfs '`lazarus-pit`, state on tmpfs'
    row pass-plans '`lazarus-pit`, the plans that are shipped'
    row pass-thousand '`lazarus-pit`, 1,000 plans'
    row pass-dry '`lazarus-pit --dry-run`'
    row pass-first '`lazarus-pit`, first pass (one run)'
    printf '\n`state.json`: %s bytes; `journal.jsonl`: %s bytes; report: %s bytes.\n' \
        "$(size "$work/state.$cells/state.json")" "$(size "$work/state.$cells/journal.jsonl")" \
        "$(size "$raw/pass.out")"

    # Under strace each call costs many times as much: the counts are exact, the times are not run times.
    if [ "$have_strace" = yes ] && [ "$cells" -le 10000 ]; then
        refresh
        args=("$bin" --config "$work/etc/config.yaml" --root "$fleet" --state-dir "$work/state.$cells" --json)
        read -r w _ < <(traced "$work/walker" "$fleet") || die "strace left no figures" 70
        read -r p _ < <(traced "${args[@]}") || die "strace left no figures" 70
        # -w: time as the clock on the wall sees it, and not the processor's.
        read -r sync_calls sync_ms < <(traced -w -e trace=fsync,fdatasync,syncfs,sync_file_range,msync "${args[@]}") ||
            die "strace left no figures" 70
        awk -v w="$w" -v p="$p" -v n="$cells" 'BEGIN {
            printf "System calls a cell: walker.c %.2f, lazarus-pit %.2f (%d in all).\n", w / n, p / n, p }'
        printf 'Waiting for the disk: %s calls of the fsync family, %s ms of wall time (under strace).\n' \
            "$sync_calls" "$sync_ms"
    fi
    [ "$keep" = yes ] || rm -rf -- "$fleet"
done
