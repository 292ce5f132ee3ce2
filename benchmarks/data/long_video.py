"""The peak of memory of one long video, by its length: of ``encode()``, and of the features of ``kinema segment``.

    python benchmarks/data/long_video.py OUT [--minutes 1 10 30] [--what encode|features]

Each video is encoded by a process of its own, by an untrained encoder of the preset small's clips (8 frames, every
fourth, 64 pixels, from 72), in batches of 64; features are four a second. Writes results/data-long-video.json, where
the other half stays as it is.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record
from film import film

FRAMES_A_MINUTE = 25 * 60
BATCH = 64
NAME = "data-long-video"


def measured(path: str, what: str) -> dict[str, float]:
    """Megabytes before the video is read and at the peak, and seconds."""
    from kinema.core.clips import ClipSpec
    from kinema.data.clips.reader import Model
    from kinema.networks import EncoderConfig, HeadConfig, Tower

    spec = ClipSpec(frames=8, stride=4, size=64, short_side=72)
    model = Model(Tower("rgb", EncoderConfig("slim"), HeadConfig()), "rgb", spec, name="random")
    from kinema.data import scan
    from kinema.segmenting.features import FeatureSettings, make_features

    manifest = scan([Path(path)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    if what == "encode":
        model.encode(path, batch_size=BATCH, device="cpu")
    else:
        with tempfile.TemporaryDirectory() as folder:
            settings = FeatureSettings.of(model, 4.0)
            make_features(model, manifest, Path(folder), settings, batch_size=BATCH, device="cpu")
    seconds = time.perf_counter() - began
    return {"before": before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the videos, or with --only a video")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--what", choices=("encode", "features"), default="encode")
    parser.add_argument("--only", action="store_true", help="encode one video and print what it took")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measured(str(args.out), args.what)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    table = Table("minutes", "MB before", "MB at the peak", "seconds")
    found = {}
    for minutes in args.minutes:
        path = args.out / f"{minutes}.mp4"
        if not path.exists():
            film(path, minutes * FRAMES_A_MINUTE, seed=minutes)
        command = [sys.executable, __file__, str(path), "--only", "--what", args.what]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found[str(minutes)] = told
        table.add_row(str(minutes), *(f"{told[name]:.0f}" for name in ("before", "peak", "seconds")))
    Console().print(table)
    key = "minutes" if args.what == "encode" else "features"
    kept = {name: value for name, value in record.read(NAME).items() if name in ("minutes", "features")}
    command_line = "python benchmarks/data/long_video.py OUT, and with --what features"
    record.write(NAME, command_line, batch_size=BATCH, **(kept | {key: found}))


if __name__ == "__main__":
    main()
