"""Does mining help? Random initialisation, InfoNCE, CoCLR (CPR with one stage) and CPR at one budget, over seeds.

    python benchmarks/compare.py mocap OUT                      Mocap-15, guided by motion vectors and by the residual
    python benchmarks/compare.py asl OUT --data asl_letters24   real video: learnt from one person, tested on another

The table fills itself in cell by cell: a run folder a cell under OUT, results/compare-SET-EPOCHS.json beside this file.
A command that was stopped goes on where it was; --minutes stops it by itself between two cells. Half of the epochs are
InfoNCE, half of them mining. Clips are those of the preset small, larger than the demonstration's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import record
import sets
from rich.console import Console
from rich.table import Table

from kinema import api
from kinema.data import Manifest
from kinema.recipes.comparison import side_by_side
from kinema.recipes.table import preset
from kinema.training.run_folder import RunFolder

console = Console(stderr=True)
CLAIMS = (
    ("cpr-motion", "infonce"),
    ("cpr-motion", "coclr-motion"),
    ("cpr-residual", "infonce"),
    ("cpr-residual", "coclr-residual"),
    ("cpr-motion", "cpr-residual"),
    ("infonce", "random"),
)


def cells(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str, Any]]:
    """Every cell in the order in which it is wanted: (run, seed, row, recipe); all seeds of one guide first."""
    for guide in arguments.guides:
        for seed in arguments.seeds:
            plan = replace(preset("small", "cpr"), epochs=arguments.epochs, seed=seed)
            clip = replace(sets.clips_of(plan).clip, stride=arguments.stride)
            plan = plan.with_data(clip=clip, clips_per_video=arguments.clips_per_video)
            guides = [arguments.guides[0]] if guide == arguments.guides[0] else [arguments.guides[0], guide]
            for row, recipe in side_by_side(plan, guides).items():
                if arguments.rows and row not in arguments.rows:
                    continue
                if row.endswith(guide) or (row == "infonce" and guide == arguments.guides[0]):
                    yield f"seed{seed}", seed, row, recipe


def measure(run: Path, manifest: Manifest, row: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of one finished run, by encoder."""
    asked: dict[str, Any] = {"query": arguments.query, "gallery": arguments.gallery, "cache": arguments.cache}
    found: dict[str, Any] = {}
    encoders: list[tuple[str, dict[str, Any]]] = [(row, {})]
    for name, which in encoders + ([("random", {"untrained": True})] if row.startswith("cpr-motion") else []):
        result = api.evaluate("retrieval", run, manifest, console=console, **asked, **which)[0]
        found[name] = {**result.metrics, "interval": result.details["interval"], "seconds": result.seconds}
    if row != "infonce":
        guide = row.split("-")[1]
        if row.startswith("cpr"):
            result = api.evaluate("retrieval", run, manifest, view=guide, console=console, **asked)[0]
            found[f"guide {guide}"] = {**result.metrics, "interval": result.details["interval"]}
        folder = RunFolder.open(run)
        lines = [line for phase in folder.phases() for line in folder.metrics(phase) if "mining_precision" in line]
        keys = ("mining_precision", "mining_r@1", "class_mining_recall_median", "class_mining_recall_mean")
        found[row] |= {f"first {key}": lines[0][key] for key in keys} | {key: lines[-1][key] for key in keys}
    seconds = [json.loads(file.read_text())["seconds"] for file in sorted(run.glob("phases/*/phase.json"))]
    found[row]["train_seconds"] = sum(seconds)
    return found


def summary(found_cells: dict[str, dict[str, Any]]) -> Table:
    """Mean and standard deviation over seeds, a row an encoder."""
    table = Table("encoder", "seeds", "R@1", "R@5", "R@10", "mining precision", "class mining recall (median)")
    by_row: dict[str, list[dict[str, Any]]] = {}
    for cell in found_cells.values():
        for row, figures in cell.items():
            by_row.setdefault(row, []).append(figures)
    for row in sorted(by_row, key=lambda name: statistics.mean(f["r@1"] for f in by_row[name])):
        found = by_row[row]
        keys = ("r@1", "r@5", "r@10", "mining_precision", "class_mining_recall_median")
        table.add_row(row, str(len(found)), *(spread([f[key] for f in found if key in f]) for key in keys))
    return table


def differences(found_cells: dict[str, dict[str, Any]]) -> Table:
    """R@1 of each pair of encoders that a claim compares, seed by seed: both began from the same InfoNCE."""
    table = Table("difference in R@1", "each seed", "mean ± standard deviation")
    by_seed: dict[str, dict[str, float]] = {}
    for key, cell in found_cells.items():
        by_seed.setdefault(key.split()[0], {}).update({row: figures["r@1"] for row, figures in cell.items()})
    for one, other in CLAIMS:
        found = [rows[one] - rows[other] for rows in by_seed.values() if one in rows and other in rows]
        if found:
            table.add_row(f"{one} − {other}", "  ".join(f"{d:+.3f}" for d in found), spread(found))
    return table


def spread(values: list[float]) -> str:
    """Mean ± standard deviation."""
    if not values:
        return ""
    return f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=("mocap", "asl"), nargs="?", default="mocap")
    parser.add_argument("out", type=Path, nargs="?", default=Path("kinema-bench/compare"))
    parser.add_argument("--data", type=Path, help="the folder of asl_letters24; for mocap, a set that was drawn before")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--guides", nargs="+", default=["motion", "residual"])
    parser.add_argument("--rows", nargs="+", help="only these (cpr-residual); what they start from must be there")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--clips-per-video", type=int, default=None, help="2 on real video, which has fewer")
    parser.add_argument("--stride", type=int, default=None, help="of a clip; 2 on real video, whose files are short")
    parser.add_argument("--data-seed", type=int, default=2, help="of Mocap-15; settings were chosen on others")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    arguments.cache = arguments.out / "cache"
    real = arguments.set == "asl"
    arguments.query = {"person": "tom"} if real else {"part": "unbiased"}
    arguments.gallery = {"person": "jack"} if real else None
    arguments.clips_per_video = arguments.clips_per_video or (2 if real else 1)
    arguments.stride = arguments.stride or (2 if real else sets.clips_of(preset("small", "cpr")).clip.stride)
    return arguments


def main() -> None:
    arguments, began = parse(), time.monotonic()
    if arguments.set == "asl":
        if arguments.data is None:
            sys.exit("--data names the folder of asl_letters24")
        manifest = api.scan(arguments.data, out=arguments.out / "asl.parquet")
    else:
        manifest = sets.mocap(arguments.data or arguments.out / "mocap-15", arguments.data_seed, console)
    name = f"compare-{arguments.set}-{arguments.epochs}"
    found_cells: dict[str, Any] = record.read(name).get("cells", {})
    command = (
        f"python benchmarks/compare.py {arguments.set} OUT --seeds {' '.join(map(str, arguments.seeds))} "
        f"--guides {' '.join(arguments.guides)} --epochs {arguments.epochs} "
        f"--clips-per-video {arguments.clips_per_video} --stride {arguments.stride}"
        + ("" if arguments.set == "asl" else f" --data-seed {arguments.data_seed}")
    )
    for group, _, row, recipe in cells(arguments):
        key, run = f"{group} {row}", arguments.out / group / row
        if key in found_cells:
            continue
        if time.monotonic() - began > arguments.minutes * 60:
            break
        resume = (run / "recipe.json").exists()
        where = {"person": "jack"} if arguments.set == "asl" else None
        api.pretrain(
            recipe.name if resume else recipe,
            manifest,
            run,
            where=where,
            resume=resume,
            cache=arguments.cache,
            console=console,
        )
        found_cells[key] = measure(run, manifest, row, arguments)
        record.write(name, command, digest=manifest.digest, cells=found_cells)
        console.print(f"{key}: {found_cells[key]}", highlight=False)
    Console().print(summary(found_cells), differences(found_cells))


if __name__ == "__main__":
    main()
