"""Is every method what it was before the code was laid out anew? Hashes of before and of now, side by side.

    python benchmarks/golden.py

What was recorded before (tests/golden/golden.json) is compared with what ``tests/golden/recording.py`` records now, in
arithmetic that is equal on every x86-64 machine. A row is a method's last phase: its steps, the hash of its state, and
what else is equal: towers, a training that was stopped and resumed, the export. Writes results/golden.json.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import record
from rich.console import Console

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def recorded_now() -> dict[str, Any]:
    """What the code of today comes to."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "now.json"
        sys.path.insert(0, str(GOLDEN))
        portable = importlib.import_module("recording").PORTABLE
        command = [sys.executable, str(GOLDEN / "recording.py"), str(out)]
        subprocess.run(command, env=os.environ | portable, check=True)
        found: dict[str, Any] = json.loads(out.read_text())
        return found


def row(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """One method's row: its last phase, and whether the rest is equal."""
    last = sorted(was["phases"])[-1]
    return {
        "phases": len(was["phases"]),
        "steps": was["phases"][last]["steps"],
        "before": was["phases"][last]["state"][:16],
        "now": now["phases"][last]["state"][:16],
        "all phases": was["phases"] == now["phases"],
        "towers": was["towers"] == now["towers"],
        "resumed": bool(now["resumed"]),
        "export": was["export"] == now["export"],
    }


def main() -> None:
    """Compares, prints the table and writes it."""
    was, now = json.loads((GOLDEN / "golden.json").read_text()), recorded_now()
    if was["torch"] != now["torch"]:
        raise SystemExit(f"The hashes were recorded with torch {was['torch']}; this is {now['torch']}.")
    rows = {label: row(was["methods"][label], now["methods"][label]) for label in was["methods"]}
    record.write("golden", "python benchmarks/golden.py", rows=rows)
    table = Console(width=200, highlight=False)
    for label, cells in rows.items():
        equal = "yes" if all(cells[name] for name in ("all phases", "towers", "resumed", "export")) else "NO"
        table.print(
            f"| {label} | {cells['phases']} | {cells['steps']} | {cells['before']} | {cells['now']} | {equal} |"
        )


if __name__ == "__main__":
    main()
