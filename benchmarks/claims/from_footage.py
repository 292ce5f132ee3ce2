"""From files to steps by ``kinema segment``: does an encoder that was pretrained on the footage itself help?

    python benchmarks/claims/from_footage.py OUT --data DATA

Two sets, three seeds: 'mocap-steps', which ships (its default: 24 videos of 7 steps in one order), and 'thermal', 21
real videos of a room from above (``fir_rgb_thermal_activity`` in DATA): 9 activities that return in any order, and
stretches without one, which are left out. Rows: an encoder of motion vectors pretrained without labels on the same
videos ('motion', SimCLR by the preset small), the same network before training ('motion-untrained'), and both of RGB
('rgb', 'rgb-untrained'). Steps are found by TOT where the order is fixed and by ASOT where it is not. Beside them stand
K equal parts of each video, and k-means on the encoder's features.

The table fills itself in cell by cell, results/claims-footage.json beside this folder. A command that was stopped goes
on where it was; --minutes stops it by itself between two cells. --probe asks, of the first seed's runs that are there,
what a linear classifier reads off the same features where it is told the labels of other videos
(results/claims-footage-probe.json).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "data"))

import record
import thermal
from table import spread

from kinema import api
from kinema.api import segmenting as api_segmenting
from kinema.api.segmenting import segment
from kinema.data.mocap.steps import MocapStepsConfig, write_mocap_steps
from kinema.data.sequences.config import SequencesConfig
from kinema.data.sequences.truth import read_truth
from kinema.segmenting.features import FeatureSettings, make_features

console = Console(stderr=True)
NAME = "claims-footage"
COMMAND = "python benchmarks/claims/from_footage.py OUT --data DATA"
ROWS = ("motion", "motion-untrained", "rgb", "rgb-untrained")
FIGURES = ("mof", "f1", "edit", "f1@50", "miou")
FLOORS = ("uniform", "kmeans", "kmeans_time")


@dataclass(frozen=True)
class Footage:
    """One set of videos.

    Args:
        videos: the folder.
        labels: of their frames.
        clusters: K.
        order: of the steps.
        stride: of the encoder's clips, so that a clip lasts about a second.
        rate: features a second.
        left_out: labels that are no step.
    """

    videos: Path
    labels: Path
    clusters: int
    order: Any
    stride: int
    rate: float
    left_out: tuple[str, ...] = ()


def footage(arguments: argparse.Namespace, where: str) -> Footage:
    """A set, written on its first use."""
    folder = arguments.out / "sets" / where
    if where == "mocap-steps":
        write_mocap_steps(folder, MocapStepsConfig())
        return Footage(folder / "videos", folder / "groundTruth", 7, "fixed", 4, 4.0)
    if not (folder / "mapping.txt").exists():
        thermal.write(arguments.data, folder)
    videos = arguments.data / thermal.FOLDER / thermal.VIDEOS
    return Footage(videos, folder / "groundTruth", 9, "varied", 1, 2.0, (thermal.NONE,))


def measured(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell; the encoder of a set and a seed is trained once."""
    made = footage(arguments, where)
    view = row.partition("-")[0]
    run = arguments.out / "runs" / f"{where}-seed{seed}-{view}"
    settings: Any = {"epochs": arguments.epochs, "clips_per_video": arguments.clips, "seed": seed}
    settings |= {"clip": {"stride": made.stride}, "method_settings": {"view": view}}
    done = (run / "recipe.json").exists()
    trained = api.pretrain("simclr", made.videos, run, resume=done, logger="none", **({} if done else settings))
    found = segment(
        run,
        made.videos,
        steps=made.clusters,
        order=made.order,
        rate=made.rate,
        labels=made.labels,
        leave_out=made.left_out,
        untrained=row.endswith("untrained"),
        work=arguments.out / "work" / f"{where}-seed{seed}-{row}",
        seed=seed,
    )
    shutil.rmtree(found.path.parent)
    result = found.results[0]
    figures = {"metrics": dict(result.metrics), "largest_share": result.details["largest_share"]}
    return {**figures, "pretraining_seconds": trained.seconds, "seconds": found.seconds, "K": made.clusters}


def probe(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """What a linear classifier that is told the labels reads off the same features, on videos it has not seen."""
    made, view = footage(arguments, where), row.partition("-")[0]
    model = api.load(arguments.out / "runs" / f"{where}-seed{seed}-{view}", untrained=row.endswith("untrained"))
    manifest, place = api.open_named(made.videos), arguments.out / "probe" / f"{where}-seed{seed}-{row}"
    moments, _ = make_features(model, manifest, place, FeatureSettings.of(model, made.rate))
    truths = api_segmenting.label_files(made.labels, manifest)
    table = api_segmenting.feature_table(place, moments, truths, made.labels)
    truth = read_truth(table)
    kept = [~np.isin(labels, truth.numbers(made.left_out)) for labels in truth.labels]
    loaded = SequencesConfig().load(table, []).frames
    frames = [each.at(slice(None))[keep] for each, keep in zip(loaded, kept, strict=True)]
    labels = np.concatenate([each[keep] for each, keep in zip(truth.labels, kept, strict=True)])
    videos = np.repeat(np.arange(len(frames)), [len(each) for each in frames])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    found = cross_val_score(classifier, np.concatenate(frames), labels, groups=videos, cv=GroupKFold(5))
    majority = float(np.bincount(labels).max() / len(labels))
    return {"accuracy": float(found.mean()), "majority": majority, "videos": len(frames), "moments": len(labels)}


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown."""
    yield "| set | encoder | | " + " | ".join(FIGURES) + " | seeds |"
    yield "|---|---|---|" + "---:|" * (len(FIGURES) + 1)
    for where in ("mocap-steps", "thermal"):
        for row in ROWS:
            found = [cell["metrics"] for key, cell in cells.items() if key.split()[::2] == [where, row]]
            if not found:
                continue
            shown = [spread([each[name] for each in found]) for name in FIGURES]
            yield f"| {where} | {row} | steps | " + " | ".join(shown) + f" | {len(found)} |"
            for floor in FLOORS if row == ROWS[0] else FLOORS[1:]:
                some = {name: spread([each[f"{floor}_{name}"] for each in found]) for name in ("mof", "f1")}
                of = "" if floor == "uniform" else row
                yield f"| {where} | {of} | {floor} | " + " | ".join(some.get(name, "") for name in FIGURES) + " | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=("mocap-steps", "thermal"))
    parser.add_argument("--rows", nargs="+", default=ROWS[:2], choices=ROWS)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--clips", type=int, default=16, help="clips a video and epoch of the pretraining")
    parser.add_argument("--probe", action="store_true", help="what a classifier told the labels reads off the features")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    if arguments.probe:
        for where in arguments.sets:
            for row in arguments.rows:
                told = probe(arguments, where, arguments.seeds[0], row)
                print(where, row, json.dumps(told), flush=True)
                probes = {
                    **record.read(f"{NAME}-probe").get("probes", {}),
                    f"{where} seed{arguments.seeds[0]} {row}": told,
                }
                record.write(f"{NAME}-probe", f"{COMMAND} --probe", ("scikit-learn",), probes=probes)
        return
    wanted = [(where, seed, row) for seed in arguments.seeds for where in arguments.sets for row in arguments.rows]
    cells = record.filled(
        NAME,
        COMMAND,
        wanted,
        lambda where, seed, row: measured(arguments, where, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(f"{key}: MOF {cell['metrics']['mof']:.3f}"),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()
