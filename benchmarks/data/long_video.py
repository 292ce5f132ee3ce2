"""The peak of memory of ``encode()`` of one long video, by its length.

    python benchmarks/data/long_video.py OUT [--minutes 1 10 30]

Each video is encoded by a process of its own, by an untrained encoder of the preset small's clips (8 frames, every
fourth, 64 pixels, from 72), in batches of 64. Writes results/data-long-video.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record
from film import film

FRAMES_A_MINUTE = 25 * 60
BATCH = 64


def measured(path: str) -> dict[str, float]:
    """Megabytes before the video is read and at the peak, and seconds."""
    from kinema.core.clips import ClipSpec
    from kinema.data.clips.reader import Model
    from kinema.networks import EncoderConfig, HeadConfig, Tower

    spec = ClipSpec(frames=8, stride=4, size=64, short_side=72)
    model = Model(Tower("rgb", EncoderConfig("slim"), HeadConfig()), "rgb", spec, name="random")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    model.encode(path, batch_size=BATCH, device="cpu")
    seconds = time.perf_counter() - began
    return {"before": before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the videos, or with --only a video")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--only", action="store_true", help="encode one video and print what it took")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measured(str(args.out))))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    table = Table("minutes", "MB before", "MB at the peak", "seconds")
    found = {}
    for minutes in args.minutes:
        path = args.out / f"{minutes}.mp4"
        if not path.exists():
            film(path, minutes * FRAMES_A_MINUTE, seed=minutes)
        command = [sys.executable, __file__, str(path), "--only"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found[str(minutes)] = told
        table.add_row(str(minutes), *(f"{told[name]:.0f}" for name in ("before", "peak", "seconds")))
    Console().print(table)
    record.write("data-long-video", "python benchmarks/data/long_video.py OUT", batch_size=BATCH, minutes=found)


if __name__ == "__main__":
    main()
