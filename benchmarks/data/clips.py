"""Random clips of 16 x 112 x 112 out of H.264 files: kinema beside decord, OpenCV and torchcodec.

    python benchmarks/data/clips.py OUT

Every way reads the same random clips of the same files, in turns, on one thread of the decoder; medians over the
rounds, and ratios to kinema. All of them give RGB of 112 pixels on the shorter side, from which the middle is cut. A
peer that is not installed, or does not load, is named with the reason.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record

from kinema.core.clips import ClipSpec
from kinema.data import ClipStore, Manifest, scan

FRAMES, SIZE = 16, 112
SPEC = ClipSpec(frames=FRAMES - 1, stride=1, size=SIZE, short_side=SIZE)
"""kinema reads the frame before a clip too; with one frame less the windows are of 16 frames, as for the others."""

Read = Callable[[int, int], NDArray[np.uint8]]


def middle(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of [N, H, W, 3] as [N, 112, 112, 3]."""
    top, left = (frames.shape[1] - SIZE) // 2, (frames.shape[2] - SIZE) // 2
    return np.ascontiguousarray(frames[:, top : top + SIZE, left : left + SIZE])


def scaled(width: int, height: int) -> tuple[int, int]:
    """(width, height) with 112 pixels on the shorter side."""
    return round(width * SIZE / min(width, height)), round(height * SIZE / min(width, height))


def of_kinema(manifest: Manifest) -> Read:
    store = ClipStore(manifest, SPEC, motion=False, cache=None)
    return lambda video, start: middle(store.read(video, (start,)).frames[0])


def of_decord(manifest: Manifest) -> Read:
    import decord

    def read(video: int, start: int) -> NDArray[np.uint8]:
        facts = manifest.videos[video]
        width, height = scaled(facts.width, facts.height)
        reader = decord.VideoReader(str(manifest.file(video)), width=width, height=height, num_threads=1)
        return middle(reader.get_batch(range(start, start + FRAMES)).asnumpy())

    return read


def of_opencv(manifest: Manifest) -> Read:
    import cv2

    cv2.setNumThreads(1)

    def read(video: int, start: int) -> NDArray[np.uint8]:
        facts = manifest.videos[video]
        capture = cv2.VideoCapture(str(manifest.file(video)), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        capture.set(cv2.CAP_PROP_POS_FRAMES, start)
        found = []
        for _ in range(FRAMES):
            there, frame = capture.read()
            assert there
            small = cv2.resize(frame, scaled(facts.width, facts.height), interpolation=cv2.INTER_LINEAR)
            found.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
        capture.release()
        return middle(np.stack(found))

    return read


def of_torchcodec(manifest: Manifest) -> Read:
    from torch.nn.functional import interpolate
    from torchcodec.decoders import VideoDecoder

    def read(video: int, start: int) -> NDArray[np.uint8]:
        facts = manifest.videos[video]
        decoder = VideoDecoder(str(manifest.file(video)), num_ffmpeg_threads=1, seek_mode="approximate")
        frames = decoder.get_frames_in_range(start, start + FRAMES).data
        width, height = scaled(facts.width, facts.height)
        small = interpolate(frames, size=(height, width), mode="bilinear", antialias=True)
        return middle(small.permute(0, 2, 3, 1).numpy())

    return read


def rounds(ways: dict[str, Read], manifest: Manifest, clips: int, repeats: int) -> dict[str, list[float]]:
    """Seconds a clip, a value a round, the ways in turns over the same clips."""
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(repeats + 1):
        videos = rng.integers(0, len(manifest), clips)
        starts = [int(rng.integers(0, manifest.videos[video].frames - FRAMES + 1)) for video in videos]
        for name, read in ways.items():
            began = time.perf_counter()
            for video, start in zip(videos.tolist(), starts, strict=True):
                read(video, start)
            if number:  # the first round warms up
                seconds[name].append((time.perf_counter() - began) / clips)
    return seconds


def agreement(ways: dict[str, Read], manifest: Manifest) -> dict[str, float]:
    """Mean absolute difference to kinema's pixels, of 255, over the clips in the middle of the first videos."""
    told = {}
    for name, read in ways.items():
        gaps = []
        for video in range(min(4, len(manifest))):
            start = manifest.videos[video].frames // 2
            ours, theirs = (way(video, start).astype(np.float32) for way in (ways["kinema"], read))
            gaps.append(float(np.abs(ours - theirs).mean()))
        told[name] = statistics.mean(gaps)
    return told


def measured(size: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All ways on files of one size."""
    files = footage.folder(arguments.out, size, arguments.files, arguments.seconds)
    manifest = scan(files)
    ways: dict[str, Read] = {"kinema": of_kinema(manifest)}
    missing = {}
    for name, make in (("decord", of_decord), ("OpenCV", of_opencv), ("torchcodec", of_torchcodec)):
        try:
            way = make(manifest)
            way(0, 0)
            ways[name] = way
        except Exception as error:  # whatever a peer does wrong belongs into the table
            missing[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    seconds = rounds(ways, manifest, arguments.clips, arguments.repeats)
    gaps = agreement(ways, manifest)
    rows = {}
    for name, values in seconds.items():
        pairs = [theirs / mine for theirs, mine in zip(values, seconds["kinema"], strict=True)]
        rows[name] = {
            "clips_per_second": 1 / statistics.median(values),
            "kinema_is_faster_by": statistics.median(pairs),
            "mean_difference": gaps[name],
        }
    return {"rows": rows, "not measured": missing, "files": len(files), "seconds a file": arguments.seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("kinema-bench/data"), help="where the footage goes")
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0, help="of every file")
    parser.add_argument("--clips", type=int, default=32, help="a round")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    sizes = {size: measured(size, arguments) for size in footage.SIZES}
    table = Table("files", "way", "clips/s", "kinema is faster by", "mean difference of 255")
    for size, found in sizes.items():
        for name, row in found["rows"].items():
            figures = (row["clips_per_second"], row["kinema_is_faster_by"], row["mean_difference"])
            table.add_row(
                size, name, *(f"{figure:.{digits}f}" for figure, digits in zip(figures, (1, 2, 2), strict=True))
            )
        for name, reason in found["not measured"].items():
            table.add_row(size, name, "not measured", reason, "")
    Console().print(table)
    command = (
        f"python benchmarks/data/clips.py OUT --files {arguments.files} --seconds {arguments.seconds:g} "
        f"--clips {arguments.clips} --repeats {arguments.repeats}"
    )
    record.write("data-clips", command, packages=("decord", "opencv-python-headless", "torchcodec"), sizes=sizes)


if __name__ == "__main__":
    main()
