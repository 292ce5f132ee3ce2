"""Does a change of the code cost speed? Two checkouts train the slim network on the same videos, in turns.

    python benchmarks/revisions.py CHECKOUT VIDEOS [--rounds 8]

CHECKOUT is another revision of this repository (``git worktree add CHECKOUT REVISION``), VIDEOS a folder or a manifest.
Each round trains MoCo with the preset small once by each checkout, in a process of its own with one thread, the one
that goes first changing from round to round. The first epoch decodes and is left out. Medians over the rounds, of the
ratio within a round; writes results/revisions.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import record
from rich.console import Console
from rich.progress import track

HERE = Path(__file__).parents[1]
EPOCHS = 4
PROGRAM = """
import json, sys, time
import kinema
videos, out, cache = sys.argv[1:4]
kinema.pretrain("moco", videos, out, epochs=int(sys.argv[4]), cache=cache, device="cpu", logger="none")
"""


def clips_per_second(checkout: Path, videos: Path, folder: Path) -> float:
    """Trains once and gives the median of its epochs after the first.

    Args:
        checkout: whose code trains.
        videos: a folder or a manifest.
        folder: for the run, deleted by the caller; the cache beside it is the checkout's own.
    """
    run, cache = folder / "run", folder.parent / f"cache-{checkout.resolve().name}"
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(checkout.resolve() / "src")}
    command = [sys.executable, "-c", PROGRAM, str(videos.resolve()), str(run), str(cache), str(EPOCHS)]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout} failed:\n{done.stderr[-2000:]}")
    (file,) = run.glob("phases/*/metrics.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return float(statistics.median(row["clips_per_second"] for row in rows[1:]))


def revision(checkout: Path) -> str:
    """The commit that a checkout is at."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Measures both in turns and writes what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--rounds", type=int, default=8)
    asked = parser.parse_args()
    checkouts = {"before": asked.checkout, "now": HERE}
    speeds: dict[str, list[float]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        for number in track(range(asked.rounds), "rounds", console=Console(stderr=True)):
            for name in sorted(checkouts, reverse=number % 2 == 1):
                with tempfile.TemporaryDirectory(dir=folder) as once:
                    speeds[name].append(clips_per_second(checkouts[name], asked.videos, Path(once)))
    ratios = [now / before for before, now in zip(speeds["before"], speeds["now"], strict=True)]
    figures: dict[str, Any] = {
        "revisions": {name: revision(path) for name, path in checkouts.items()},
        "clips_per_second": speeds,
        "median": {name: statistics.median(values) for name, values in speeds.items()},
        "ratios": ratios,
        "ratio": statistics.median(ratios),
    }
    record.write("revisions", f"python benchmarks/revisions.py CHECKOUT VIDEOS --rounds {asked.rounds}", **figures)
    Console().print_json(data=figures)


if __name__ == "__main__":
    main()
