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

case $LAZARUS_PIT in /*) ;; *) LAZARUS_PIT=$PWD/$LAZARUS_PIT ;; esac

mkdir -p "$dir/missions" "$dir/plans"
chmod go-w "$dir" "$dir/missions" "$dir/plans"
cat > "$dir/config.yaml" <<CONFIG
missions_root: $dir/missions
state_dir: $dir/state
plans: $dir/plans
CONFIG

# An agent for the sake of this example: it beats a few times, and is done.
cat > "$dir/agent.sh" <<AGENT
for beat in 1 2 3; do
    sleep 1
    '$LAZARUS_PIT' --config '$dir/config.yaml' beat "\$1" --status working
done
AGENT

# Whom to bring back, and how. Yours would say: run: [systemctl, restart, my-agent.service]
cat > "$dir/plans/portals.yaml" <<PLAN
match: {cells: ["portal-*"]}
policy: auto
steps:
  - run: [sh, -c, "sh $dir/agent.sh {{ cell.id }} > /dev/null 2>&1 &"]
PLAN
chmod go-w "$dir/config.yaml" "$dir/plans/portals.yaml"

# Shows a command before it runs; its status is shown, not taken for a failure of this script.
pit() {
    printf '\n$ lazarus-pit %s\n' "$*"
    status=0
    "$LAZARUS_PIT" --config "$dir/config.yaml" "$@" || status=$?
    [ "$status" -eq 0 ] || echo "(exit $status)"
}

pit init portal-1
pit init portal-2
pit init archive --layout canonical --agent claude

# portal-1 beats. The agent of portal-2 last did so long ago, and claude never has.
pit beat portal-1 --status thinking
echo '{"timestamp": 1700000000, "status": "thinking"}' > "$dir/missions/portal-2/state/heartbeat.json"

# What would be done, without a byte written; then for real.
pit check --dry-run
pit check
sleep 2
pit check

# Why, or why not?
pit explain archive/claude
pit history

# What a script reads.
pit check --json

printf '\nTry more of it: export LAZARUS_PIT_CONFIG=%s/config.yaml\n' "$dir"
