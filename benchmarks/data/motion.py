"""How fast motion vectors come out of files, against decoding alone and against the package motion-vector-extractor.

    python benchmarks/data/motion.py [--repeats 9] [--frames 1200 300]

Two files are made, 320 x 240 and 1280 x 720 (footage.py beside this file says how). Each way reads the whole file, and
all ways take turns, so that whatever else the machine does falls on all alike:

- decode: libavcodec through PyAV, every frame, nothing done with it
- export: the same, with the vectors exported and left alone
- kinema: the vectors as dense fields, without pixels (``decode_chunks(pixels=False)``); reading the packets included
- kinema, RGB: the same with the frames as RGB
- motion-vector-extractor: its VideoCap, where it is installed; it gives vectors, undigested, and frames as BGR

"1 x 1" is one process with one decoding thread; "2 x 1" two such processes at once, each with the whole file, counted
together. "1 x 2" is one process with two decoding threads, for decode and export alone: with frames decoded in parallel
FFmpeg's vectors cannot be trusted (``kinema.data.video.reading``).
Medians over the repeats; ratios are medians of the ratios to decode in the same repeat.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record

from kinema.data.video import decoding, reading

PEER = "motion-vector-extractor"
GOALS = {"of decode": 0.75, "frames a second at 320x240, 2 x 1": 3000, f"of {PEER}": 1.0}


def by_libavcodec(path: str, threads: int, *, export: bool) -> int:
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count, stream.codec_context.thread_type = threads, "AUTO"
        if export:
            stream.codec_context.options = {"flags2": "+export_mvs"}
        return sum(1 for _ in container.decode(stream))


def by_kinema(path: str, threads: int, *, pixels: bool) -> int:
    reading._packet_table.cache_clear()
    parts = decoding.decode_chunks(Path(path), short_side=None, motion=True, pixels=pixels, threads=threads, chunk=64)
    return sum(len(part) for part in parts)


def by_peer(path: str, _: int) -> int:
    cap = importlib.import_module("mvextractor.videocap").VideoCap()
    if not cap.open(path):
        raise RuntimeError(f"{PEER} could not open the file")
    frames = 0
    while cap.read()[0]:
        frames += 1
    cap.release()
    return frames


WAYS: dict[str, Callable[[str, int], int]] = {
    "decode": lambda path, threads: by_libavcodec(path, threads, export=False),
    "export": lambda path, threads: by_libavcodec(path, threads, export=True),
    "kinema": lambda path, threads: by_kinema(path, threads, pixels=False),
    "kinema, RGB": lambda path, threads: by_kinema(path, threads, pixels=True),
    PEER: by_peer,
}


def peer_missing() -> str:
    """Why the peer is left out; empty where it is there."""
    try:
        importlib.import_module("mvextractor.videocap")
    except ImportError as error:
        return f"{PEER} is left out: {error}. pip install {PEER}"
    return ""


def serve(jobs: Any, answers: Any, together: Any) -> None:
    """A process that reads a file when it is told to, at the same time as the other."""
    while (job := jobs.get()) is not None:
        way, path, threads, both = job
        if both:
            together.wait()
        began = time.perf_counter()
        frames = WAYS[way](path, threads)
        answers.put((began, time.perf_counter(), frames))


class Workers:
    """Two processes that stay, so that no start is measured."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, self._together = context.Queue(), context.Barrier(2)
        self._jobs = [context.Queue() for _ in range(2)]
        self._processes = [
            context.Process(target=serve, args=(jobs, self._answers, self._together), daemon=True)
            for jobs in self._jobs
        ]
        for process in self._processes:
            process.start()

    def rate(self, way: str, path: str, processes: int, threads: int) -> float:
        """Frames a second of so many processes together."""
        for jobs in self._jobs[:processes]:
            jobs.put((way, path, threads, processes > 1))
        done = [self._answers.get(timeout=600) for _ in range(processes)]
        seconds = max(end for _, end, _ in done) - min(began for began, *_ in done)
        return float(sum(frames for *_, frames in done) / seconds)

    def stop(self) -> None:
        for jobs in self._jobs:
            jobs.put(None)
        for process in self._processes:
            process.join(timeout=10)


def measure(workers: Workers, path: str, repeats: int, ways: list[str]) -> dict[tuple[str, str], list[float]]:
    """Frames a second of each way and setting, an entry a repeat."""
    settings = [(way, setting) for way in ways for setting in ("1 x 1", "2 x 1")]
    settings += [(way, "1 x 2") for way in ("decode", "export")]
    for way, _ in settings:
        workers.rate(way, path, 2, 1)  # once unmeasured: the file in memory, the modules loaded
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in settings}
    for repeat in range(repeats):
        turn = repeat % len(settings)
        for way, setting in settings[turn:] + settings[:turn]:
            processes, threads = int(setting[0]), int(setting[-1])
            rates[way, setting].append(workers.rate(way, path, processes, threads))
    return rates


def rows_of(size: str, rates: dict[tuple[str, str], list[float]]) -> list[dict[str, Any]]:
    def ratio(ours: list[float], theirs: list[float] | None) -> float | None:
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) if theirs else None

    return [
        {
            "size": size,
            "way": way,
            "processes x threads": setting,
            "frames_per_second": statistics.median(seen),
            "least": min(seen),
            "most": max(seen),
            "of_decode": ratio(seen, rates.get(("decode", setting))),
            "of_peer": ratio(seen, rates.get((PEER, setting))),
        }
        for (way, setting), seen in rates.items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("size", "way", "processes x threads", "frames/s", "of decode", f"of {PEER}")
    for row in rows:
        ratios = ("" if row[name] is None else f"{row[name]:.2f}" for name in ("of_decode", "of_peer"))
        rate = f"{row['frames_per_second']:,.0f} ({row['least']:,.0f} to {row['most']:,.0f})"
        table.add_row(row["size"], row["way"], row["processes x threads"], rate, *ratios)
    Console().print(table)


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--frames", type=int, nargs=2, default=(1200, 300), help="of the small and the large file")
    arguments = parser.parse_args()
    missing = peer_missing()
    if missing:
        print(missing, file=sys.stderr)
    rows: list[dict[str, Any]] = []
    workers = Workers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for size, frames in zip(footage.SIZES, arguments.frames, strict=True):
                path = footage.write(Path(folder) / f"{size}.mp4", 0, *footage.SIZES[size], frames)
                ways = [way for way in WAYS if way != PEER or not missing]
                rows += rows_of(size, measure(workers, str(path), arguments.repeats, ways))
    finally:
        workers.stop()
    show(rows)
    small, large = arguments.frames
    record.write(
        "data-motion",
        f"python benchmarks/data/motion.py --repeats {arguments.repeats} --frames {small} {large}",
        packages=(PEER,),
        frames=list(arguments.frames),
        repeats=arguments.repeats,
        goals=GOALS,
        missing=missing,
        rows=rows,
    )


if __name__ == "__main__":
    main()
