"""Damaged and hostile inputs, made again from a seed: how many are tried, crash, or are silently wrong.

    python benchmarks/reliability.py [--seed 0] [--share 0.1]

The inputs are those of the tests (``tests/hostile_state.py``, ``tests/hostile_world.py``), which try a part. An attempt
is *refused* where an error of kinema's own says what is wrong, *right* where what comes is what should, *allowed* where
a value was replaced by another that could have been meant. It is a *crash* where anything else is raised, and *silent*
where something else comes without a word. Writes benchmarks/results/reliability.json.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import record
from rich.console import Console
from rich.table import Table

from kinema.core.errors import KinemaError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import hostile_state as state
import hostile_world as world
from conftest import write_tiny_video

Attempts = Iterator[tuple[str, Callable[[], Any]]]
COLUMNS = ("tried", "refused", "right", "allowed", "crash", "silent")
SIZES = {**state.SIZES, **world.SIZES}


def of_state(attempts: Attempts) -> tuple[Counter[str], list[str]]:
    """How attempts to read damaged state end, and what went wrong."""
    counts, bad = state.tried(attempts)
    return Counter({{"equal": "right", "changed": "allowed"}.get(name, name): n for name, n in counts.items()}), bad


def of_world(attempts: Attempts) -> tuple[Counter[str], list[str]]:
    """How attempts in odd surroundings end, and what went wrong."""
    counts: Counter[str] = Counter()
    bad = []
    for name, attempt in itertools.islice(attempts, 1, None):
        counts["tried"] += 1
        try:
            found = attempt()
        except KinemaError:
            counts["refused"] += 1
        except Exception as error:  # which is what is counted
            counts["crash"] += 1
            bad.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        else:
            counts["right" if found is True else "silent"] += 1
            bad += [] if found is True else [f"{name}: {found}"]
    return counts, bad


def main() -> None:
    """Tries all, shows the table and writes it down; status 1 where anything crashed or was silent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes")
    parser.add_argument("--kinds", nargs="+", default=list(SIZES), choices=list(SIZES))
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    console, table = Console(), Table("kind", *COLUMNS)
    kept = record.read("reliability").get("kinds", {}) if given.share == 1 else {}
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        whole = state.State(Path(folder), write_tiny_video)
        for kind in given.kinds:
            count = math.ceil(given.share * SIZES[kind])
            if kind in world.KINDS:
                counts, bad = of_world(world.KINDS[kind](whole, given.seed, count))
            else:
                counts, bad = of_state(state.KINDS[kind](whole, given.seed, count))
            table.add_row(kind, *(str(counts[name]) for name in COLUMNS))
            console.print(kind, dict(counts), *bad, sep="\n", markup=False, highlight=False)
            kept[kind] = {name: counts[name] for name in COLUMNS}
            failed |= bool(bad)
            if given.share == 1:
                record.write("reliability", "python benchmarks/reliability.py", seed=given.seed, kinds=kept)
    console.print(table)
    sys.exit(failed)


if __name__ == "__main__":
    main()
