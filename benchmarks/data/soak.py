"""Many random clips out of good and damaged files: does memory stay flat, are handles closed, is every sample there?

    python benchmarks/data/soak.py OUT --damaged decoder_clips

Half of the files are footage of 320 x 240, some of them cut short or with bytes overwritten after they were scanned;
the others are the folder of odd and damaged files. Clips are read from the files, not from a cache, in this process.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record

from kinema.core.clips import ClipSpec
from kinema.data import ClipDataset, ClipRequest, ClipStore, Manifest, scan

SPEC = ClipSpec(frames=8, stride=2, size=64, short_side=72)


def prepared(out: Path, damaged: Path) -> Manifest:
    """The folder of all files, scanned; a few of them go bad afterwards."""
    place = out / "soak"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(damaged, place / "odd")
    for path in footage.folder(out, "320x240", 24, 4.0):
        (place / "footage").mkdir(exist_ok=True)
        shutil.copy(path, place / "footage")
    manifest = scan(place)
    rng = np.random.default_rng(0)
    for number, path in enumerate(sorted((place / "footage").iterdir())[:6]):
        data = bytearray(path.read_bytes())
        if number % 3 == 0:
            data = data[: len(data) // 2]
        elif number % 3 == 1:
            at = rng.integers(len(data) // 10, len(data) * 9 // 10, 200)
            for place_of_byte in at.tolist():
                data[place_of_byte] ^= 0xFF
        else:
            data = bytearray(b"gone")
        path.write_bytes(bytes(data))
    return manifest


def memory() -> float:
    """Resident memory now, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--damaged", type=Path, required=True)
    parser.add_argument("--reads", type=int, default=20_000)
    arguments = parser.parse_args()
    manifest = prepared(arguments.out, arguments.damaged)
    store = ClipStore(manifest, SPEC, motion=False, cache=None, short_videos="repeat")
    data = ClipDataset(store, failures_allowed=1.0, ledger=arguments.out / "soak-failures.jsonl")
    rows, rng, began = sorted(store.frames), np.random.default_rng(1), time.monotonic()
    asked, replaced, odd = 0, 0, 0
    trail: list[dict[str, Any]] = []
    with Progress(console=Console(stderr=True)) as progress:
        for number in progress.track(range(arguments.reads)):
            row = rows[int(rng.integers(len(rows)))]
            start = int(rng.integers(max(0, store.frames[row] - SPEC.span) + 1))
            clip = data[ClipRequest(row, (start,))]
            asked += 1
            replaced += clip.index != row
            odd += clip.windows.frames.shape[:2] != (1, SPEC.frames + 1)
            if number % max(1, arguments.reads // 20) == 0:
                gc.collect()
                trail.append({"reads": asked, "memory_mb": memory(), "handles": len(os.listdir("/proc/self/fd"))})
    half = trail[len(trail) // 2 :]
    figures = {
        "files": len(rows),
        "reads": arguments.reads,
        "answered": asked,
        "of wrong shape": odd,
        "replaced by the next video": replaced,
        "broken": {
            manifest.videos[row].path: reason.replace(f"{manifest.root}/", "")
            for row, reason in sorted(data.failures.items())
        },
        "seconds": time.monotonic() - began,
        "memory of the second half, MB, first to last": [half[0]["memory_mb"], half[-1]["memory_mb"]],
    }
    command = f"python benchmarks/data/soak.py OUT --damaged {arguments.damaged.name} --reads {arguments.reads}"
    record.write("data-soak", command, **figures, trail=trail)
    table = Table("reads", "memory, MB", "open handles")
    for point in trail:
        table.add_row(f"{point['reads']:,}", f"{point['memory_mb']:.0f}", str(point["handles"]))
    Console().print(table, figures)


if __name__ == "__main__":
    main()
