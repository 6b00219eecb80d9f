#!/usr/bin/env python3
"""What a scanner written the usual way in Python does: the figure to be held beside ours.

    reference.py DIR

Walks the cells of DIR with pathlib, parses each heartbeat with the json module, and prints a report
of the same first block as `lazarus-pit --json`. No trust rules, no state, no decisions: it reads
and reports, as the scripts do that lazarus-pit takes the place of.
"""

import json
import sys
import time
from pathlib import Path

REQUIRED = ["meta", "config", "state", "logs", "artifacts", "worktree"]
STALE_AFTER = 180


def inspect(cell: Path, now: float) -> dict:
    missing = [name for name in REQUIRED if not (cell / name).is_dir()]
    timestamp = None
    try:
        timestamp = float(json.loads((cell / "state/heartbeat.json").read_text())["timestamp"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    age = None if timestamp is None else max(0, int(now - timestamp))
    if missing:
        status = "incomplete"
    elif age is None:
        status = "uninitialized"
    elif age > STALE_AFTER:
        status = "stale"
    else:
        status = "healthy"
    return {
        "mission_id": cell.name,
        "root": str(cell),
        "status": status,
        "age_seconds": age,
        "last_timestamp": timestamp,
        "missing_paths": missing,
    }


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: reference.py DIR", file=sys.stderr)
        return 64
    root = Path(sys.argv[1])
    now = time.time()
    cells = [inspect(c, now) for c in sorted(root.iterdir()) if c.is_dir() and c.name[0] != "."]
    summary = {"total_cells": len(cells), "healthy": 0, "stale": 0, "incomplete": 0, "uninitialized": 0}
    for cell in cells:
        summary[cell["status"]] += 1
    # One call without indentation is the fastest that the module can do.
    print(json.dumps({"missions_root": str(root), "summary": summary, "cells": cells}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
