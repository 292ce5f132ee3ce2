"""Searches, and is killed without a warning right after its n-th candidate was kept.

Run as ``python killed_evolve.py VIDEOS OUT CACHE N``; N 0 is never. See test_evolve.py.
"""

import os
import signal
import sys

from tiny_runs import tiny_plan

from kinema.api.evolution import evolve
from kinema.evolving.history import SearchFolder
from kinema.evolving.run import EvolveConfig

CONFIG = EvolveConfig("tournament", candidates=4, population=3, epochs=1, k=3)


def plan():
    return tiny_plan("elo", method={"others": ("motion",)}, epochs=2)


def main(videos, out, cache, last):
    kept, add = 0, SearchFolder.add

    def deadly(self, candidate):
        nonlocal kept
        add(self, candidate)
        kept += 1
        if kept == last:
            os.kill(os.getpid(), signal.SIGKILL)

    SearchFolder.add = deadly
    evolve(videos, out, config=CONFIG, preset=plan(), workers=1, cache=cache, device="cpu")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
