"""What CPR's settings do in a short run: one change a row, all rows of a clip length from one InfoNCE.

    python benchmarks/ablation.py OUT

Mocap-15 of 900 videos, of another seed than the comparisons' sets: this is where settings are chosen. The table fills
itself in row by row; a command that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import record
import sets
from rich.console import Console
from rich.table import Table

from kinema import api
from kinema.data import Manifest
from kinema.recipes.cpr import infonce_of
from kinema.recipes.table import preset
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe

ASKED: dict[str, Any] = {"query": {"part": "unbiased"}}
PLAN = replace(preset("small", "cpr"), epochs=16)
"""What the rows change: half of its epochs InfoNCE, half of them mining."""

console = Console(stderr=True)

ROWS: dict[str, tuple[int, dict[str, Any]]] = {
    "as it is": (4, {}),
    "negatives of the batch": (4, {"negatives_from": "batch"}),
    "negatives of both": (4, {"negatives_from": "both"}),
    "1 stage": (4, {"stages": 1}),
    "clips of half a second": (2, {}),
    "k = 10": (4, {"k": 10}),
    "queue 1024": (4, {"queue": 1024}),
    "momentum .95": (4, {"momentum": 0.95}),
}
"""What each row changes: the clip's stride, and fields of CPR's settings."""


def begun(out: Path, manifest: Manifest, stride: int) -> tuple[Recipe, Path]:
    """The recipe of CPR at this stride, and the run in which InfoNCE learnt both views."""
    recipe = PLAN.with_data(clip=replace(sets.clips_of(PLAN).clip, stride=stride)).recipe()
    run = out / f"infonce-stride{stride}"
    train(replace(recipe, name="moco", phases=recipe.phases[:2]), manifest, run, out)
    return recipe, run


def train(recipe: Recipe, manifest: Manifest, run: Path, out: Path) -> None:
    """Trains, or goes on where it was stopped."""
    resume = (run / "recipe.json").exists()
    api.pretrain(recipe.name if resume else recipe, manifest, run, resume=resume, cache=out / "cache", console=console)


def retrieval(run: Path, manifest: Manifest, out: Path, **which: Any) -> dict[str, Any]:
    """R@k of one encoder."""
    return dict(
        api.evaluate("retrieval", run, manifest, cache=out / "cache", console=console, **ASKED, **which)[0].metrics
    )


def measured(out: Path, manifest: Manifest, name: str) -> dict[str, Any]:
    """The figures of one row."""
    stride, changes = ROWS[name]
    recipe, start = begun(out, manifest, stride)
    mining = recipe.phases[2]
    begins = {"rgb": str(start / "phases" / "01-infonce-rgb"), "motion": str(start / "phases" / "02-infonce-motion")}
    run = out / name.replace(" ", "-").replace("=", "")
    phase = replace(mining, method=replace(cast(Any, mining.method), **changes), start=begins)
    train(replace(recipe, phases=(phase,)), manifest, run, out)
    folder = RunFolder.open(run)
    lines = [line for part in folder.phases() for line in folder.metrics(part) if "mining_precision" in line]
    return retrieval(run, manifest, out) | {
        "first mining_precision": lines[0]["mining_precision"],
        "last mining_precision": lines[-1]["mining_precision"],
        "class_mining_recall_median": lines[-1]["class_mining_recall_median"],
    }


def baselines(out: Path, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """What the rows began from, and InfoNCE that simply went on."""
    recipe, start = begun(out, manifest, 4)
    begins = {"rgb": str(start / "phases" / "01-infonce-rgb")}
    method = infonce_of(PLAN.method, "rgb", PLAN.schedule)
    more = Phase("infonce-more", method, recipe.phases[2].epochs, PLAN.optimiser, begins)
    train(replace(recipe, name="moco", phases=(more,)), manifest, out / "infonce-more", out)
    return {
        "untrained": retrieval(start, manifest, out, untrained=True),
        "InfoNCE, half the epochs": retrieval(start, manifest, out),
        "InfoNCE, all the epochs": retrieval(out / "infonce-more", manifest, out),
        "the guide": retrieval(start, manifest, out, view="motion"),
    }


def table(rows: dict[str, dict[str, Any]]) -> Table:
    """The figures so far."""
    shown = Table("what changes", "R@1", "R@5", "mining precision, first → last epoch", "class mining recall, median")
    for name, row in rows.items():
        mining = [row.get(key) for key in ("first mining_precision", "last mining_precision")]
        recall = row.get("class_mining_recall_median")
        told = "" if mining[0] is None else f"{mining[0]:.3f} → {mining[1]:.3f}"
        shown.add_row(name, f"{row['r@1']:.3f}", f"{row['r@5']:.3f}", told, "" if recall is None else f"{recall:.2f}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("kinema-bench/ablation"))
    parser.add_argument("--data-seed", type=int, default=1)
    arguments = parser.parse_args()
    manifest = sets.mocap(arguments.out / "mocap-15", arguments.data_seed, console)
    rows: dict[str, dict[str, Any]] = record.read("ablation").get("rows", {})
    if "untrained" not in rows:
        rows |= baselines(arguments.out, manifest)
    for name in ROWS:
        if name not in rows:
            rows[name] = measured(arguments.out, manifest, name)
        command = f"python benchmarks/ablation.py OUT --data-seed {arguments.data_seed}"
        record.write("ablation", command, digest=manifest.digest, rows=rows)
    Console().print(table(rows))


if __name__ == "__main__":
    main()
