"""Does TOT find the steps that come in one order, and ASOT those that do not? And what is each part of TOT worth?

    python benchmarks/claims/segmentation.py OUT --data DATA

Real features with labels of frames, three seeds: HAPT in its fixed order of 12 steps ('hapt-ordered') and as 9
activities that return ('hapt-repeats'), the class scores of 50 Salads ('50salads-mid', '50salads-eval': 50 videos, 50
orders; the scores are of a network that learnt from labels), five videos of Breakfast ('coffee5') and six of motion
capture ('mocap6'). DATA is the folder that holds ``tot`` and ``mocap6``; sets are written to OUT/sets
(benchmarks/data/segmentation_sets.py). K is the number of classes.

Rows: 'tot' and 'asot' by the preset small; of TOT on hapt-ordered also 'tot-no-prior', 'tot-no-coherence' (the parts
left out) and 'tot-offline' (the features are learnt by coherence alone and clustered afterwards by k-means: what the
paper's abstract compares with), and 'tot-untrained'. Beside each figure stand K equal parts ('uniform') and k-means on
the features, without and with the time (of the variance of all features together).

The table fills itself in cell by cell, results/claims-segmentation.json beside this folder. A command that was stopped
goes on where it was; --minutes stops it by itself between two cells.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "data"))

import record
import segmentation_sets
from table import spread

from kinema import api
from kinema.core.ops import k_means
from kinema.core.ops.viterbi import ordered_path
from kinema.data.sequences.reading import read_sequences
from kinema.data.sequences.truth import read_truth
from kinema.evaluation.segmentation import segmentation_figures
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "claims-segmentation"
SETS = ("hapt-ordered", "hapt-repeats", "50salads-mid", "50salads-eval", "coffee5", "mocap6")
PARTS = ("tot-no-prior", "tot-no-coherence", "tot-offline", "tot-untrained")
ROWS = ("tot", "asot", *PARTS)
FIGURES = ("mof", "f1", "edit", "f1@50", "miou")
FLOORS = ("uniform", "kmeans", "kmeans_time")


def plan(row: str, clusters: int, seed: int, epochs: int | None) -> Plan:
    """The plan of a row."""
    made = preset("small", "tot")
    config: Any = replace(made.method, clusters=clusters, form="asot" if row == "asot" else "tot")  # type: ignore[type-var]
    changes: dict[str, dict[str, Any]] = {
        "tot-no-prior": {"sigma": 0.0},
        "tot-no-coherence": {"coherence": 0.0},
        "tot-offline": {"clusters_weight": 0.0},
    }
    config = replace(config, tot=replace(config.tot, **changes.get(row, {})))
    return replace(made, method=config, seed=seed, epochs=epochs or (30 if row == "asot" else made.epochs))


def measured(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell: trained, measured, and the run taken away again."""
    data = arguments.out / "sets" / where
    if not (data / "mapping.txt").exists():
        shutil.rmtree(data, ignore_errors=True)
        segmentation_sets.write(segmentation_sets._readers()[where](arguments.data), data)
    clusters = len(read_truth(read_sequences(data)).names)
    run = arguments.out / "runs" / f"{where}-seed{seed}-{row}"
    shutil.rmtree(run, ignore_errors=True)
    made = plan(
        "tot" if row == "tot-untrained" else row, clusters, seed, 1 if row == "tot-untrained" else arguments.epochs
    )
    done = api.pretrain(made, data, run, logger="none")
    result = api.evaluate("segmentation", run, data, untrained=row == "tot-untrained")[0]
    figures = dict(result.metrics)
    if row == "tot-offline":
        figures |= offline(run, data, clusters, seed)
    shutil.rmtree(run)
    return {
        "metrics": figures,
        "largest_share": result.details["largest_share"],
        "seconds": done.seconds,
        "K": clusters,
    }


def offline(run: Path, data: Path, clusters: int, seed: int) -> dict[str, float]:
    """The figures where frames are clustered once the features have been learnt: k-means, and Viterbi in its order."""
    table = read_sequences(data)
    z = api.load(run).encode([np.asarray(table.features(row)) for row in range(len(table))])
    labels, means = k_means(np.concatenate(z).astype(np.float64), clusters, seed=seed, starts=10)
    places = np.concatenate([(np.arange(len(each)) + 0.5) / len(each) for each in z])
    order = np.argsort([places[labels == cluster].mean() for cluster in range(clusters)])
    predictions = []
    for each in z:
        distances = ((each[:, None, :] - means[None, order]) ** 2).sum(axis=2)
        likely = torch.log_softmax(torch.from_numpy(-distances / max(float(distances.std()), 1e-12)), dim=1).numpy()
        predictions.append(order[ordered_path(likely)])
    figures = segmentation_figures(predictions, read_truth(table).labels, clusters=clusters, seed=seed)
    return dict(figures.metrics)


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row of every cell, a seed at a time."""
    for seed in arguments.seeds:
        for where in arguments.sets:
            for row in ROWS:
                if row in arguments.rows and (row not in PARTS or where == "hapt-ordered"):
                    yield where, seed, row


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown."""
    yield "| set | | " + " | ".join(FIGURES) + " | seeds |"
    yield "|---|---|" + "---:|" * (len(FIGURES) + 1)
    for where in SETS:
        of_set = {key: cell for key, cell in cells.items() if key.startswith(f"{where} ")}
        if not of_set:
            continue
        first = next(iter(of_set.values()))["metrics"]
        for floor in FLOORS:
            some = [f"{100 * first[f'{floor}_{name}']:.1f}" if name in ("mof", "f1") else "" for name in FIGURES]
            yield f"| {where} | {floor} | " + " | ".join(some) + " | |"
        for row in ROWS:
            found = [cell["metrics"] for key, cell in of_set.items() if key.endswith(f" {row}")]
            if found:
                shown = [spread([each[name] for each in found]) for name in FIGURES]
                yield f"| {where} | {row} | " + " | ".join(shown) + f" | {len(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--epochs", type=int, default=None)
    arguments = parser.parse_args()
    command = "python benchmarks/claims/segmentation.py OUT --data DATA"
    cells = record.filled(
        NAME,
        command,
        wanted(arguments),
        lambda where, seed, row: measured(arguments, where, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(f"{key}: MOF {cell['metrics']['mof']:.3f}"),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()
