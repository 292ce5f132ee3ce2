"""Footage that is there twice: which copies are found, what else is called a copy, and what it costs.

    python benchmarks/data/duplicates.py [OUT] [--videos FOLDER] [--copies 40]

The videos are compared as they are: every pair so found is to be looked at, since the set may hold some. Then some of
them are copied in each of several ways, and it is counted how many copies are found and how many other pairs are. Last,
moments drawn at random are compared, as many as ``--moments``, for what the comparison costs in a large set.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record

from kinema.data import scan
from kinema.data.video.fingerprint import RATE, fingerprint
from kinema.evaluation.duplicates import Duplicates, find_duplicates

Frames = NDArray[np.uint8]
Light = NDArray[np.float16]


def bordered(x: Frames) -> Frames:
    edge = x.shape[1] // 10
    return np.pad(x, ((0, 0), (edge, edge), (0, 0), (0, 0)))


def cropped(x: Frames, share: float) -> Frames:
    height, width = int(x.shape[1] * share), int(x.shape[2] * share)
    return x[:, height : x.shape[1] - height, width : x.shape[2] - width]


def change(
    scale: float = 1.0, **encoding: Any
) -> Callable[[Frames, Fraction], tuple[Frames, Fraction, dict[str, Any]]]:
    return lambda x, rate: (x, rate, {"scale": scale, **encoding})


WAYS: dict[str, Callable[[Frames, Fraction], tuple[Frames, Fraction, dict[str, Any]]]] = {
    "encoded again": change(),
    "coarser, crf 38": change(crf=38),
    "half the size, crf 30": change(0.5, crf=30),
    "MPEG-4": change(codec="mpeg4"),
    "7 frames off its beginning, 2 off its end": lambda x, rate: (x[7:-2], rate, {}),
    "the first third off": lambda x, rate: (x[len(x) // 3 :], rate, {}),
    "brighter, 1.2 x + 10": lambda x, rate: (np.clip(x * 1.2 + 10, 0, 255).astype(np.uint8), rate, {}),
    "darker, 0.6 x": lambda x, rate: ((x * 0.6).astype(np.uint8), rate, {}),
    "every other frame": lambda x, rate: (x[::2], rate / 2, {}),
    "mirrored": lambda x, rate: (x[:, :, ::-1], rate, {}),
    "3 % off every side": lambda x, rate: (cropped(x, 0.03), rate, {}),
    "6 % off every side": lambda x, rate: (cropped(x, 0.06), rate, {}),
    "bars of a tenth": lambda x, rate: (bordered(x), rate, {}),
}


def frames_of(path: Path) -> tuple[Frames, Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or Fraction(25)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), rate


def write(
    path: Path, frames: Frames, rate: Fraction, scale: float = 1.0, codec: str = "libx264", crf: int = 23
) -> Path:
    height, width = (int(side * scale) // 2 * 2 for side in frames.shape[1:3])
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options={"crf": str(crf)} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            picture = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def timed(lights: dict[int, Light]) -> tuple[Duplicates, float]:
    began = time.perf_counter()
    return find_duplicates(lights), time.perf_counter() - began


def copied(lights: list[Light], files: list[Path], out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each way of copying: how many copies are found, and how many other pairs."""
    for name, way in WAYS.items():
        pairs: dict[int, Light] = {}
        for number, file in enumerate(files):
            frames, rate, how = way(*frames_of(file))
            pairs |= {
                2 * number: lights[number],
                2 * number + 1: fingerprint(write(out / "copy.mp4", frames, rate, **how)),
            }
        found, _ = timed(pairs)
        right = sum(pair.a // 2 == pair.b // 2 for pair in found.pairs)
        still = sum(number in found.still or number + 1 in found.still for number in range(0, 2 * len(files), 2))
        yield name, {"copies": len(files), "still": still, "found": right, "others": len(found.pairs) - right}


def compared(count: int) -> dict[str, Any]:
    """What comparing costs where nothing is alike: videos of eight seconds that move at random."""
    rng = np.random.default_rng(0)
    lights = {number: rng.uniform(0, 255, (80, 8, 8)).astype(np.float16) for number in range(count // 7)}
    found, seconds = timed(lights)
    return {"videos": len(lights), "moments": found.moments, "pairs": len(found.pairs), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("kinema-bench/data"), help="where copies go")
    parser.add_argument("--videos", type=Path, help="a folder; by default footage that is made for it")
    parser.add_argument("--most", type=int, default=1000, help="videos that are compared")
    parser.add_argument("--copies", type=int, default=40, help="videos that are copied in each way")
    parser.add_argument("--moments", type=int, default=20_000, help="of the comparison at random")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    manifest = scan(asked.videos or footage.folder(asked.out, "320x240", 8, 4.0)).usable()
    rows = np.unique(np.linspace(0, len(manifest) - 1, min(asked.most, len(manifest))).astype(int)).tolist()
    began = time.perf_counter()
    lights = [fingerprint(manifest.file(row)) for row in rows]
    making = time.perf_counter() - began
    found, seconds = timed(dict(enumerate(lights)))
    cost = {"videos": len(rows), "seconds_of_video": sum(map(len, lights)) / RATE, "fingerprints": making}
    cost |= {"comparing": seconds, "moments": found.moments, "still": len(found.still)}
    seen = [(manifest.videos[rows[p.a]].path, manifest.videos[rows[p.b]].path, round(p.score, 3)) for p in found.pairs]
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(asked.copies, len(rows))).astype(int)).tolist()
    ways = dict(copied([lights[i] for i in chosen], [manifest.file(rows[i]) for i in chosen], asked.out))
    large = compared(asked.moments)
    table = Table("copy", "copies", "nothing moves in", "found", "other pairs")
    for name, told in ways.items():
        table.add_row(name, *(str(told[key]) for key in ("copies", "still", "found", "others")))
    console = Console()
    console.print(table, cost, f"{len(seen)} pairs in the set as it is:", seen[:20], large)
    command = "python benchmarks/data/duplicates.py " + " ".join(sys.argv[1:])
    name = "data-duplicates" + ("" if asked.videos is None else f"-{asked.videos.name}")
    record.write(name, command, cost=cost, as_it_is=seen, copies=ways, at_random=large)


if __name__ == "__main__":
    main()
