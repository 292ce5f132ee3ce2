"""What checksums and the certainty that files are on the disk cost: of loading, and of a training.

    python benchmarks/data/checks.py OUT

Loading: a cache of decoded videos is made, opened, and read as a training of so many epochs reads it, a clip of every
video in every epoch; opening checks every byte of it. With and without the checks in turns; medians over the rounds.
Training: MoCo with its small preset on the same videos; the seconds in checks and in fsync are counted while it runs,
for they are less than two runs differ by. Writes benchmarks/results/data-checks.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record

import kinema
from kinema.core import files, weights
from kinema.core.clips import ClipSpec
from kinema.data import ClipStore, Manifest, scan
from kinema.data.clips import store_files
from kinema.training import checkpoints

SPEC = ClipSpec(frames=16, stride=2, size=112, short_side=128)


class Counted:
    """A function that counts the seconds in it, those in a counted function that it calls once."""

    seconds = 0.0
    _inside = False

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *given: Any, **named: Any) -> Any:
        if Counted._inside:
            return self.function(*given, **named)
        began, Counted._inside = time.perf_counter(), True
        try:
            return self.function(*given, **named)
        finally:
            Counted._inside = False
            Counted.seconds += time.perf_counter() - began


def opened(manifest: Manifest, cache: Path) -> tuple[ClipStore, float]:
    """The store, and the seconds until it can be read."""
    began = time.perf_counter()
    store = ClipStore(manifest, SPEC, motion=False, cache=cache)
    return store, time.perf_counter() - began


def read(store: ClipStore, manifest: Manifest, epochs: int, seed: int) -> float:
    """Seconds for two clips of every video in every epoch."""
    rng, began = np.random.default_rng(seed), time.perf_counter()
    for _ in range(epochs):
        for row, video in enumerate(manifest.videos):
            starts = rng.integers(0, video.frames - SPEC.span + 1, 2)
            store.read(row, tuple(starts.tolist()))
    return time.perf_counter() - began


def loading(manifest: Manifest, cache: Path, epochs: int, repeats: int) -> dict[str, float]:
    """Opening with and without checks, decoding, and reading; seconds, medians."""
    shutil.rmtree(cache, ignore_errors=True)
    _, decoding = opened(manifest, cache)
    seconds: dict[str, list[float]] = {"with": [], "without": [], "reading": []}
    for number in range(repeats):
        store, value = opened(manifest, cache)
        seconds["with"].append(value)
        with mock.patch.object(store_files.StoredVideos, "intact", return_value=True):
            seconds["without"].append(opened(manifest, cache)[1])
        seconds["reading"].append(read(store, manifest, epochs, number))
    found = {name: statistics.median(values) for name, values in seconds.items()}
    check = found["with"] - found["without"]
    whole = found["without"] + found["reading"]
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    return {
        "cache_gib": size / 2**30,
        "decoding": decoding,
        "opening": found["without"],
        "check": check,
        "reading": found["reading"],
        "check_of_loading": check / whole,
        "check_of_loading_and_decoding": check / (whole + decoding),
    }


def training(folder: Path, out: Path, epochs: int) -> dict[str, float]:
    """A training with its cache made before, and the seconds of it in checks and fsync."""
    shutil.rmtree(out / "run", ignore_errors=True)
    counted = [
        (store_files, "sync_file"),
        (store_files, "sync_folder"),
        (files, "sync_file"),
        (files, "sync_folder"),
        (os, "fsync"),
        (weights, "checksum"),
        (checkpoints, "_require_intact"),
    ]
    Counted.seconds = 0.0
    patches = [mock.patch.object(owner, name, Counted(getattr(owner, name))) for owner, name in counted]
    intact = Counted(store_files.StoredVideos.intact)

    def counted_intact(stored: store_files.StoredVideos, entry: store_files.Entry) -> bool:
        return bool(intact(stored, entry))

    patches.append(mock.patch.multiple(store_files.StoredVideos, intact=counted_intact))
    began = time.perf_counter()
    for patch in patches:
        patch.start()
    try:
        kinema.pretrain("moco", folder, out / "run", epochs=epochs, cache=out / "cache", logger="none", device="cpu")
    finally:
        for patch in patches:
            patch.stop()
    whole = time.perf_counter() - began
    return {
        "epochs": epochs,
        "seconds": whole,
        "checks": Counted.seconds,
        "checks_of_training": Counted.seconds / whole,
    }


def main() -> None:
    """Measures both, shows them and writes them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("kinema-bench/data"), help="for the footage")
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each video")
    parser.add_argument("--epochs", type=int, default=100, help="that loading is measured over")
    parser.add_argument("--training", type=int, default=2, help="epochs of the training")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    paths = footage.folder(arguments.out, "320x240", arguments.files, arguments.seconds)
    manifest = scan(paths[0].parent)
    found = loading(manifest, arguments.out / "cache", arguments.epochs, arguments.repeats)
    trained = training(paths[0].parent, arguments.out, arguments.training)
    table = Table("", "seconds")
    for name, value in {**found, **trained}.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
    settings = {name: getattr(arguments, name) for name in ("files", "seconds", "epochs", "repeats")}
    record.write(
        "data-checks", "python benchmarks/data/checks.py OUT", settings=settings, loading=found, training=trained
    )


if __name__ == "__main__":
    main()
