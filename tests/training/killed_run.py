"""Trains a tiny CPR and is killed, without a warning, while it writes its n-th checkpoint.

Run as ``python killed_run.py VIDEOS OUT CACHE N``; see test_runs.py.
"""

import os
import signal
import sys

from tiny_runs import tiny_plan

from kinema import api


def main(videos, out, cache, saves):
    written, replace = 0, os.replace

    def deadly(source, target, **more):
        nonlocal written
        if str(target).endswith("checkpoint.pt"):
            written += 1
            if written == saves:
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target, **more)

    os.replace = deadly
    plan = tiny_plan("cpr", clips_per_video=4, checkpoint_seconds=0.0)
    api.pretrain(plan, videos, out, cache=cache, device="cpu")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
