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

work=''
trap 'if [ -n "$work" ]; then rm -rf "$work"; fi' EXIT
cc -O2 -o "${TMPDIR:-/tmp}/lazarus-pit-measure.$$" "$here/measure.c"
measure=${TMPDIR:-/tmp}/lazarus-pit-measure.$$
trap 'rm -rf "$measure"; if [ -n "$work" ]; then rm -rf "$work"; fi' EXIT

# One run: prints into the program, and says what the program took. It is the writer that is
# measured, from its start to its end; the printer runs on the other processor.
once() {
    local dir=$1 line=$2
    shift 2
    rm -rf "${dir:?}"/log
    mkdir "$dir/log"
    "$logs" print "$bytes" "$line" | "$measure" "$@"
}
