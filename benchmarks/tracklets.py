"""How fast tracklets are described, many in a batch against one by one; and what one of 10,000 frames takes.

    OMP_NUM_THREADS=1 python benchmarks/tracklets.py

Made-up crops of 64 x 32 pixels in memory, the untrained network of the preset ``small`` of TRL. 'batched' takes 64
stretches of 6 frames at a time, 'one by one' a tracklet at a time, as code does that tests with a batch of one; in
turns, and the median of the ratios is what counts. Memory is that of a process of its own, above what it had after its
imports, for one tracklet of so many frames, a picture file a frame. --quick is for a test.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.append(str(Path(__file__).parent))

import record
from memory import Peak

from kinema.core.method import TrainingContext
from kinema.data.tracklets.reading import read_tracklets
from kinema.recipes.table import preset

NAME = "tracklets"
FRAMES = (100, 1_000, 10_000)
SIZE = (32, 64)
"""Width and height of a crop."""


def reader() -> Any:
    """The untrained network of the preset ``small``, as a run would give it."""
    plan = preset("small", "trl")
    recipe = plan.recipe()
    torch.manual_seed(0)
    method = plan.method.build(recipe.encoder, TrainingContext(rows=2, classes=2))
    return recipe.data.reader(method.towers()["tracklet"], "tracklet", name="random")


def speed(tracklets: int, frames: int, rounds: int) -> dict[str, Any]:
    """Tracklets a second, batched and one by one, and the median of the ratios."""
    draw = np.random.default_rng(0)
    crops = [draw.integers(0, 256, (frames, SIZE[1], SIZE[0], 3), dtype=np.uint8) for _ in range(tracklets)]
    model = reader()
    batched, single = [], []
    model.encode(crops[:2])
    for _ in range(rounds):
        began = time.perf_counter()
        model.encode(crops)
        middle = time.perf_counter()
        for each in crops:
            model.encode(each)
        batched.append(middle - began)
        single.append(time.perf_counter() - middle)
    return {
        "tracklets": tracklets,
        "frames": frames,
        "batched": tracklets / statistics.median(batched),
        "one_by_one": tracklets / statistics.median(single),
        "ratio": statistics.median(b / a for a, b in zip(batched, single, strict=True)),
    }


def write_tracklets(folder: Path, frames: int) -> None:
    """Two people in two cameras; the first tracklet has so many frames."""
    draw = np.random.default_rng(0)
    some = [draw.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8) for _ in range(16)]
    for person in ("a", "b"):
        for camera in ("1", "2"):
            place = folder / person / camera
            place.mkdir(parents=True)
            for number in range(frames if (person, camera) == ("a", "1") else 2):
                Image.fromarray(some[number % 16]).save(place / f"{number:05}.jpg")


def memory(frames: int) -> dict[str, float]:
    """MiB and seconds of one tracklet, in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        write_tracklets(Path(place), frames)
        command = [sys.executable, __file__, "--child", place]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"frames": frames, **found}


def child(folder: str) -> None:
    torch.set_num_threads(1)
    model, table = reader(), read_tracklets(folder)
    model.encode([np.zeros((6, SIZE[1], SIZE[0], 3), np.uint8)])
    peak, began = Peak(), time.perf_counter()
    longest = max(table.rows, key=len)
    model.features(table.select({"name": longest.name}))
    print(json.dumps({"seconds": time.perf_counter() - began, "mib": peak.mib()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", default=None)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    found = speed(8 if arguments.quick else 256, 6, 1 if arguments.quick else 9)
    print(
        f"{found['batched']:.0f} tracklets of {found['frames']} frames a second in batches, {found['one_by_one']:.0f} "
        f"one by one: {found['ratio']:.2f} times",
        flush=True,
    )
    rows = []
    for frames in FRAMES[:1] if arguments.quick else FRAMES:
        rows.append(memory(frames))
        print(f"{frames} frames: {rows[-1]['mib']:.0f} MiB, {rows[-1]['seconds']:.1f} s", flush=True)
    if not arguments.quick:
        record.write(NAME, "OMP_NUM_THREADS=1 python benchmarks/tracklets.py", speed=found, memory=rows)


if __name__ == "__main__":
    main()
