#!/usr/bin/env bash
# Shows that the kill test sees what it is for: builds a copy of this tree that is deliberately naive
# (naive.patch: attempts are not claimed, places are not locked, predecessors are not looked for, and
# what a killed run left open is made anew under another id, without a look at the process table) and
# demands that the test fails on it, with two agents at work at once.
#
#   bash tests/kill/naive.sh                     some points
#   LAZARUS_KILLS=all bash tests/kill/naive.sh   all of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --exclude=./target --exclude=./.git -cf - . | tar -xf - -C "$copy"
cd "$copy"
patch -p1 -i tests/kill/naive.patch
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$copy/target}
cargo test --locked --test it --no-run

said=$copy/said
if LAZARUS_SHOW=1 cargo test --locked --test it -- --nocapture \
    spawn_crash::killed_at_any_call >"$said" 2>&1; then
    echo 'naive.sh: the kill test passes on the naive build: it sees nothing' >&2
    exit 1
fi
if ! grep -E '^[0-9]+ points: .*"twins"' "$said"; then
    tail -n 50 "$said" >&2
    echo 'naive.sh: the kill test failed, but not by two agents' >&2
    exit 1
fi
echo 'naive.sh: the kill test fails on the naive build, as it should'
