#!/usr/bin/env bash
# Measures what keeping agents costs: from an agent's death to its successor's first words, many
# agents started in one run, what an idle keeper takes, and how fast a keeper takes what an agent
# prints, beside svlogd and s6-log with the same input. Prints Markdown.
# shellcheck disable=SC2016 # backquotes in single quotes are Markdown
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: tests/bench/keeper.sh [OPTION]...

  --kills N      how often an agent is killed (default: 100)
  --agents N     how many agents are started in one run (default: 500)
  --mib N        how much is printed (default: 1024)
  --bin FILE     a program that is built already
  --dir DIR      where everything lies (default: $TMPDIR or /tmp)

svlogd and s6-log are measured where they are found on PATH. As root, agents run as nobody.
USAGE
}

die() { printf 'keeper.sh: %s\n' "$1" >&2; exit 64; }

kills=100 agents=500 mib=1024 bin='' dir=${TMPDIR:-/tmp}
while [ $# -gt 0 ]; do
    case $1 in
    --kills | --agents | --mib | --bin | --dir)
        [ $# -ge 2 ] || die "$1 needs a value"
        declare "${1#--}=$2"
        shift 2
        ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 64 ;;
    esac
done
for n in $kills $agents $mib; do [[ $n =~ ^[1-9][0-9]*$ ]] || die "$n: not a number from 1"; done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
if [ -z "$bin" ]; then
    (cd "$repo" && cargo build --release --locked --quiet)
    bin=${CARGO_TARGET_DIR:-$repo/target}/release/lazarus-pit
fi

work=$(mktemp -d "$dir/lazarus-pit-bench.XXXXXX")
chmod 755 "$work"
export LAZARUS_PIT_STATE_DIR=$work/state
unset LAZARUS_PIT_CONFIG
user='' owner=$(id -un)
if [ "$(id -u)" = 0 ]; then user=', user: nobody' owner=nobody; fi

pit() { "$bin" --config "$work/config.yaml" --root "$work/missions" --plans "$work/plans" "$@"; }

tidy() {
    local entry pid
    for entry in "$work"/state*/procs/*.json; do
        [ -e "$entry" ] || continue
        pid=$(sed -n 's/.*"keeper_pid":\([0-9]*\).*"status":"running".*/\1/p' "$entry")
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$work"
}
trap tidy EXIT

mkdir "$work/missions" "$work/plans"
chmod 755 "$work/plans"
cat >"$work/config.yaml" <<YAML
limits: {restarts_per_run: $agents}
protection: {min_subjects: 1000000}
logs: {max_bytes: 100GiB}
YAML
plan() { # the command, as YAML, and what else
    cat >"$work/plans/plan.yaml" <<YAML
policy: auto
limits: {backoff: {initial: 0s, max: 0s, jitter: 0}, attempts: 1000000}
verify: {within: 1ms}
steps:
  - spawn: {command: $1, grace: 1s$2$user}
YAML
}
cell() {
    pit init "$1" >/dev/null
    printf '{"timestamp": 100}' >"$work/missions/$1/state/heartbeat.json"
    [ "$owner" = "$(id -un)" ] || chown -R "$owner" "$work/missions/$1"
}
again() { rm -rf "$work/missions" "$LAZARUS_PIT_STATE_DIR"; mkdir "$work/missions"; }
quantiles() { sort -n "$1" | awk '{ a[NR] = $1 } END { printf "%.1f | %.1f | %.1f", a[int((NR + 1) / 2)], a[int(NR * 0.95 + 0.5)], a[NR] }'; }
field() { sed -n "s/.*\"$1\":\\([0-9]*\\).*/\\1/p" "$2"; }
newest() { find "$LAZARUS_PIT_STATE_DIR/procs" -name "*.json" | sort | tail -n 1; }

# From the kill of an agent to the first line of its successor, which says when it was printed.
echo '## From death to first words' && echo
mkfifo "$work/words"
chmod 622 "$work/words"
plan "[sh, -c, 'date +%s%N > $work/words; echo up; exec sleep 100000']" ''
cell a
exec 9<>"$work/words"
pit -q >/dev/null 2>&1 || true
read -r _ <&9
for _ in $(seq "$kills"); do
    sleep 0.2
    pid=$(field pid "$(newest)")
    before=$(date +%s%N)
    kill -KILL "$pid"
    read -r after <&9
    awk "BEGIN { print ($after - $before) / 1000000 }" >>"$work/latency"
done
exec 9>&-
echo '| kills | median ms | 95 % ms | most ms |' && echo '| --: | --: | --: | --: |'
echo "| $kills | $(quantiles "$work/latency") |" && echo

# An idle keeper: what it holds, and how often it was woken in a second.
keeper=$(field keeper_pid "$(newest)")
sleep 12
wakes() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$keeper/status"; }
first=$(wakes)
sleep 5
echo '## An idle keeper' && echo
echo "$(awk '/VmRSS/ { print $2 }' "/proc/$keeper/status") KiB resident, $(($(wakes) - first)) wake-ups in 5 s." && echo
pit close a >/dev/null

# Many at once.
echo '## Many in one run' && echo
again
plan '[sleep, "100000"]' ', wake: false'
for n in $(seq "$agents"); do cell "c$n"; done
before=$(date +%s%N)
pit -q >/dev/null 2>&1 || true
after=$(date +%s%N)
started=$(grep -l '"status":"running"' "$LAZARUS_PIT_STATE_DIR"/procs/*.json | wc -l)
awk "BEGIN { s = ($after - $before) / 1000000000; printf \"%d of %d agents were started in %.2f s: %.1f ms each.\n\n\", $started, $agents, s, s * 1000 / $agents }"
keepers=$(sed -n 's/.*"keeper_pid":\([0-9]*\).*/\1/p' "$LAZARUS_PIT_STATE_DIR"/procs/*.json)
for keeper in $keepers; do kill "$keeper" 2>/dev/null || true; done
sleep 3

# A flood. What prints is the same for all: 100-byte lines, as fast as they are taken.
echo '## A flood' && echo
bytes=$((mib * 1024 * 1024))
line=$(printf '%099d' 0)
flood="yes $line | head -c $bytes"
echo "| $mib MiB in lines of 100 bytes | MB/s | MB per second of its processor time |" && echo '| --- | --: | --: |'
ticks=$(getconf CLK_TCK)
again
plan "[sh, -c, 'sleep 1; $flood']" ', wake: false'
cell a
pit -q >/dev/null 2>&1 || true
entry=$(newest)
keeper=$(field keeper_pid "$entry")
spent=0
while read -r stat <"/proc/$keeper/stat"; do
    rest=${stat##*) }
    # shellcheck disable=SC2086 # into words
    set -- $rest
    spent=$((${12} + ${13}))
    sleep 0.01
done 2>/dev/null
ms=$(field duration_ms "$entry")
awk "BEGIN { b = $bytes / 1000000; printf \"| the keeper | %.0f | %.0f |\n\", b / (($ms - 1000) / 1000), b / ($spent / $ticks) }"
peer() { # name, and its command
    local name=$1 before after cpu
    shift
    command -v "$1" >/dev/null || return 0
    rm -rf "$work/peer" && mkdir "$work/peer"
    printf 's999999999\nn0\n' >"$work/peer/config"
    before=$(date +%s%N)
    # The shell's own figure for its children is that of the one child.
    cpu=$(bash -c "$flood" | { TIMEFORMAT='%3U %3S'; { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }'; })
    after=$(date +%s%N)
    awk "BEGIN { b = $bytes / 1000000; printf \"| $name | %.0f | %.0f |\n\", b / (($after - $before) / 1000000000), b / $cpu }"
}
peer '`svlogd -tt`' svlogd -tt "$work/peer"
peer '`s6-log`' s6-log T n0 s268435455 "$work/peer"
