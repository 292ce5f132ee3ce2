"""Does a change of the code cost speed? Two checkouts train the slim network on the same videos, in turns.

    python benchmarks/revisions.py CHECKOUT VIDEOS [--blocks 60]

CHECKOUT is another revision of this repository (``git worktree add CHECKOUT REVISION``), VIDEOS a folder or a manifest.
Both train MoCo with the preset small, each in a process of its own with one thread, by ``kinema.pretrain``. They take
turns in blocks of five steps, the one that goes first changing from pair to pair: while one trains, the other waits. A
step is everything from the end of the one before it. Medians of blocks, and of the ratio within a pair, after the steps
that fill the queue; writes results/revisions.json.
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
BLOCK, FILLING = 5, 16
PROGRAM = """
import json, sys, time
import kinema
from kinema.methods.moco import MoCo

seconds, last, commit = [], 0.0, MoCo.commit

def clocked(method, losses):
    # once a step: from one commit to the next is all that a step takes
    global last
    commit(method, losses)
    now = time.perf_counter()
    if last:
        seconds.append(now - last)
    if len(seconds) == int(sys.argv[4]):
        print(json.dumps(seconds), flush=True)
        seconds.clear()
        if not sys.stdin.readline():
            raise SystemExit
    last = time.perf_counter()

MoCo.commit = clocked
videos, out, cache = sys.argv[1:4]
kinema.pretrain("moco", videos, out, epochs=10_000, cache=cache, device="cpu", logger="none")
"""


class Worker:
    """A training that goes on by a block of steps whenever it is asked to.

    Args:
        checkout: whose code trains.
        videos: a folder or a manifest.
        folder: for the run and the cache.
    """

    def __init__(self, checkout: Path, videos: Path, folder: Path) -> None:
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(checkout.resolve() / "src")}
        places = [str(videos.resolve()), str(folder / "run"), str(folder / "cache")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *places, str(BLOCK)],
            env=os.environ | quiet,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "errors.txt").open("w"),
            text=True,
        )
        self.errors = folder / "errors.txt"
        self.answer()

    def answer(self) -> float:
        """Seconds of a step, the median of the block that has just ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"The training ended:\n{self.errors.read_text()[-2000:]}")
        return float(statistics.median(json.loads(line)))

    def block(self) -> float:
        """Trains a block and gives the median seconds of a step."""
        assert self.process.stdin is not None
        print(flush=True, file=self.process.stdin)
        return self.answer()

    def end(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait()


def revision(checkout: Path) -> str:
    """The commit that a checkout is at."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def in_turns(checkouts: dict[str, Path], videos: Path, blocks: int) -> dict[str, list[float]]:
    """Seconds of a step by checkout, a figure a block."""
    seconds: dict[str, list[float]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        workers: dict[str, Worker] = {}
        try:
            for name, checkout in checkouts.items():
                (Path(folder) / name).mkdir()
                workers[name] = Worker(checkout, videos, Path(folder) / name)
            for number in track(range(FILLING + blocks), "pairs of blocks", console=Console(stderr=True)):
                for name in sorted(checkouts, reverse=number % 2 == 1):
                    seconds[name].append(workers[name].block())
        finally:
            for worker in workers.values():
                worker.end()
    return {name: each[FILLING:] for name, each in seconds.items()}


def main() -> None:
    """Measures both in turns and writes what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--blocks", type=int, default=60)
    asked = parser.parse_args()
    checkouts = {"before": asked.checkout, "now": HERE}
    seconds = in_turns(checkouts, asked.videos, asked.blocks)
    ratios = sorted(now / before for before, now in zip(seconds["before"], seconds["now"], strict=True))
    quarter = len(ratios) // 4
    figures: dict[str, Any] = {
        "revisions": {name: revision(path) for name, path in checkouts.items()},
        "seconds_of_a_step": {name: statistics.median(each) for name, each in seconds.items()},
        "pairs": len(ratios),
        "ratio": statistics.median(ratios),
        "middle_half": [ratios[quarter], ratios[-1 - quarter]],
    }
    record.write("revisions", f"python benchmarks/revisions.py CHECKOUT VIDEOS --blocks {asked.blocks}", **figures)
    Console().print_json(data=figures)


if __name__ == "__main__":
    main()
