"""Random clips of 16 x 112 x 112 out of the cache of decoded videos, beside reading their bytes alone.

    python benchmarks/data/cache.py OUT

Both read the same random clips of the same memory-mapped files, in turns; medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import footage
import record
from clips import FRAMES, SPEC, Read, rounds

from kinema.data import ClipStore, scan


def of_bytes(store: ClipStore) -> Read:
    """Only reads the bytes that such a clip has in the cache, into memory of its own."""
    stored = store._stored  # the benchmark looks behind the door on purpose
    assert stored is not None
    return lambda video, start: np.array(stored.rgb(stored.entries[video])[start : start + FRAMES])


def of_cache(store: ClipStore) -> Read:
    return lambda video, start: store.read(video, (start,)).frames[0]


def measured(size: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both ways on the files of one size."""
    manifest = scan(footage.folder(arguments.out, size, arguments.files, arguments.seconds))
    store = ClipStore(manifest, SPEC, motion=False, cache=arguments.out / "cache")
    ways = {"the bytes alone": of_bytes(store), "kinema": of_cache(store)}
    seconds = rounds(ways, manifest, arguments.clips, arguments.repeats)
    ratios = [ours / bare for ours, bare in zip(seconds["kinema"], seconds["the bytes alone"], strict=True)]
    return {name: {"clips_per_second": 1 / statistics.median(values)} for name, values in seconds.items()} | {
        "time of the bytes": statistics.median(ratios)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "out", type=Path, nargs="?", default=Path("kinema-bench/data"), help="where the footage and the cache go"
    )
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of every file")
    parser.add_argument("--clips", type=int, default=480, help="a round")
    parser.add_argument("--repeats", type=int, default=31)
    arguments = parser.parse_args()
    sizes = {size: measured(size, arguments) for size in footage.SIZES}
    table = Table("files", "the bytes alone, clips/s", "kinema, clips/s", "time of kinema, of the bytes'")
    for size, found in sizes.items():
        speeds = (f"{found[name]['clips_per_second']:,.0f}" for name in ("the bytes alone", "kinema"))
        table.add_row(size, *speeds, f"{found['time of the bytes']:.3f}")
    Console().print(table)
    command = (
        f"python benchmarks/data/cache.py OUT --files {arguments.files} --seconds {arguments.seconds:g} "
        f"--clips {arguments.clips} --repeats {arguments.repeats}"
    )
    record.write("data-cache", command, sizes=sizes)


if __name__ == "__main__":
    main()
