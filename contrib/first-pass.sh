#!/bin/sh
# Builds lazarus-pit, makes a few cells in a directory of your choice, and runs a pass over them.
#
#   sh contrib/first-pass.sh DIR
#
# Everything it makes lies in DIR; remove that, and nothing is left. Needs cargo and a shell.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: sh contrib/first-pass.sh DIR" >&2
    exit 64
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# $LAZARUS_PIT names a program that is built already.
if [ -z "${LAZARUS_PIT:-}" ]; then
    cargo build --release --locked
    LAZARUS_PIT=${CARGO_TARGET_DIR:-target}/release/lazarus-pit
fi

# Shows a command before it runs; its status is shown, not taken for a failure of this script.
pit() {
    printf '\n$ lazarus-pit %s\n' "$*"
    status=0
    "$LAZARUS_PIT" --root "$dir/missions" --state-dir "$dir/state" "$@" || status=$?
    [ "$status" -eq 0 ] || echo "(exit $status)"
}

mkdir -p "$dir/missions"
chmod go-w "$dir" "$dir/missions"

pit init portal-1
pit init portal-2
pit init archive --layout canonical --agent claude

# portal-1 beats. The agent of portal-2 last did so long ago, and claude never has.
pit beat portal-1 --status thinking
echo '{"timestamp": 1700000000, "status": "thinking"}' > "$dir/missions/portal-2/state/heartbeat.json"

pit check
pit status

# What a script reads.
pit check --json
