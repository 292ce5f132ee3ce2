"""Does pretraining help where labels are few? Linear probe and fine-tuning at 100, 10 and 1 % of the labels.

    python benchmarks/compare.py mocap OUT; python benchmarks/labels.py mocap OUT
    python benchmarks/compare.py asl OUT --data asl_letters24; python benchmarks/labels.py asl OUT

The encoders are those that benchmarks/compare.py trained under OUT: InfoNCE, CPR guided by motion vectors, and the same
network before training. A share of the labels is at least one video a class; the probe takes the mean of five draws,
fine-tuning takes one (the first of the seed 0). The table fills itself in cell by cell into results/labels-SET.json
beside this file and goes on where it was stopped; --minutes stops it by itself between two cells.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import record
from rich.console import Console
from rich.table import Table

from kinema import api
from kinema.data import Manifest
from kinema.protocols.fit import FitConfig

console = Console(stderr=True)
ENCODERS = {"random": ("cpr-motion", True), "infonce": ("infonce", False), "cpr": ("cpr-motion", False)}
SHARES = ("100%", "10%", "1%")


def cells(arguments: argparse.Namespace) -> Iterator[tuple[int, str, str, str]]:
    """Seed, encoder, protocol and share, in the order in which they are wanted: all probes before any fine-tuning."""
    for protocol in arguments.protocols:
        for seed in arguments.seeds:
            for share in reversed(SHARES):
                for encoder in ENCODERS:
                    yield seed, encoder, protocol, share


def measure(run: Path, untrained: bool, protocol: str, share: str, data: Manifest, options: Any) -> dict[str, Any]:
    """The figures of one cell."""
    asked: dict[str, Any] = {"query": options.query, "gallery": options.gallery, "cache": options.cache}
    if protocol == "finetune":
        asked |= {"preset": share, "fit": FitConfig(epochs=options.epochs)}
    elif share != "100%":
        protocol, asked["preset"] = "few-label", share
    result = api.evaluate(protocol, run, data, untrained=untrained, console=console, **asked)[0]
    kept = ("labelled", "interval", "deviation", "epoch", "held_out", "validation_accuracy")
    told = {name: result.details[name] for name in kept if name in result.details}
    return {**result.metrics, **told, "queries": result.queries, "seconds": result.seconds, "protocol": protocol}


def summary(found: dict[str, dict[str, Any]]) -> Table:
    """Accuracy, mean and standard deviation over seeds: a row a protocol and share, a column an encoder."""
    table = Table("protocol", "labels", "videos", "seeds", *ENCODERS)
    for protocol in ("linear", "finetune"):
        for share in SHARES:
            values = {
                encoder: [f for key, f in found.items() if key.split()[1:] == [encoder, protocol, share]]
                for encoder in ENCODERS
            }
            if any(values.values()):
                first = next(each[0] for each in values.values() if each)
                counts = "/".join(str(len(each)) for each in values.values())
                columns = (spread([f["accuracy"] for f in each]) for each in values.values())
                table.add_row(protocol, share, str(first["labelled"]), counts, *columns)
    return table


def spread(values: list[float]) -> str:
    """Mean ± standard deviation."""
    if not values:
        return ""
    return f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=("mocap", "asl"))
    parser.add_argument("out", type=Path, help="the folder that benchmarks/compare.py filled")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--protocols", nargs="+", choices=("linear", "finetune"), default=["linear", "finetune"])
    parser.add_argument("--epochs", type=int, default=FitConfig().epochs, help="of fine-tuning")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    arguments.cache = arguments.out / "cache"
    real = arguments.set == "asl"
    arguments.query = {"person": "tom"} if real else {"part": "unbiased"}
    arguments.gallery = {"person": "jack"} if real else None
    return arguments


def main() -> None:
    arguments, began = parse(), time.monotonic()
    name = f"labels-{arguments.set}"
    manifest = arguments.out / ("asl.parquet" if arguments.set == "asl" else "mocap-15.parquet")
    if not manifest.exists():
        sys.exit(f"'{manifest}' is not there: run benchmarks/compare.py {arguments.set} {arguments.out} first.")
    data = Manifest.read(manifest)
    found: dict[str, Any] = record.read(name).get("cells", {})
    command = f"python benchmarks/labels.py {arguments.set} OUT --epochs {arguments.epochs}"
    for seed, encoder, protocol, share in cells(arguments):
        folder, untrained = ENCODERS[encoder]
        key, run = f"seed{seed} {encoder} {protocol} {share}", arguments.out / f"seed{seed}" / folder
        if key in found or not any(run.glob("phases/*/phase.json")):
            continue
        if time.monotonic() - began > arguments.minutes * 60:
            break
        found[key] = measure(run, untrained, protocol, share, data, arguments)
        record.write(name, command, digest=data.digest, cells=found)
        console.print(f"{key}: {found[key]['accuracy']:.3f}", highlight=False)
    Console().print(summary(found))


if __name__ == "__main__":
    main()
