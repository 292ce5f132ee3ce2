"""Is TRL worth more than the mean over the frames, and where? Every part of it, one after the other.

    python benchmarks/claims/reid.py OUT --data DATA

Sets, people held out by chance (the seed is the draw, and the training's):

    market-osnet     198 people of Market-1501 in sparse tracklets, 99 learnt from and 99 tested; OSNet x0.25 frozen
    market           the same, the small network from nothing, end to end
    people-clothes   Mocap-people: everybody has clothes of their own
    people-body      all wear the same, and only proportions and gait tell who it is
    people-gait      all have the same proportions too
    people-shifted   as people-body, every crop displaced and scaled by chance, as a bad detector would
    body-frozen      people-body, by frames' features: of the network that 'mean' trained on the same people, frozen
    gait-frozen      the same of people-gait
    hapt             30 people's walking, accelerometers in place of crops: true sequences, no picture

DATA is the folder that holds ``trl`` and ``tot/hapt``; sets are written to OUT/sets. Rows:

    features         nothing learnt (market-osnet, hapt): the mean of the features as they are
    colours          nothing learnt: colour histograms
    frame            one frame of a tracklet alone, in training and in the test
    mean             the mean over the frames
    lstm             a plain BiLSTM, which is TRL's generic part alone
    trl-no-residual  TRL whose second network reads the frames themselves
    trl              TRL
    mean-st2n        the mean, with ST2N
    trl-st2n         TRL with ST2N

The preset ``small`` with a network half as wide, batches of 16 tracklets and on crops three times the rate, so that a
cell takes a minute or two. Features go through a linear layer in the rows 'frame' and 'mean', which would learn nothing
otherwise; those of hapt in all rows. Each cell has the figures of both rules, and those of the people
that were learnt from ('trained'), by the official one. The table fills itself in cell by cell,
results/claims-reid.json beside this folder. A command that was stopped goes on where it was; --minutes stops it by
itself between two cells.
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

import hapt_people
import record
from table import spread

from kinema import api
from kinema.data.mocap.people import MocapPeopleConfig, write_mocap_people
from kinema.data.tracklets.transforms import normalised
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "claims-reid"
PRESETS = ("official", "torchreid")
DRAWN: Mapping[str, Mapping[str, Any]] = {
    "people-clothes": {"identity": "clothes"},
    "people-shifted": {"identity": "body", "shift": 0.25},
    "people-body": {"identity": "body"},
    "people-gait": {"identity": "body", "proportions": 0.0, "camera_range": 0.0, "view_range": 30.0},
}
SHARED: Mapping[str, Any] = {"people": 80, "frames": 16, "fps": 5}
"""Of all drawn sets: a walk's cycle lasts some six frames."""

FROZEN = {"body-frozen": "people-body", "gait-frozen": "people-gait"}
FEATURES = ("market-osnet", *FROZEN, "hapt")
"""Sets of features: no crops, so no ST2N."""

SEEDS = {"market-osnet": 10, "hapt": 10}
"""Draws of people; three where none are named."""

EPOCHS = {"market-osnet": 10, "market": 20, "hapt": 40, "body-frozen": 40, "gait-frozen": 40}
"""Of a set; 25 where none are named."""

FLOORS = {"features": "mean", "colours": "hsv"}
ROWS: Mapping[str, Mapping[str, Any]] = {
    "frame": {"head": "frame"},
    "mean": {"head": "mean"},
    "lstm": {"head": "lstm"},
    "trl-no-residual": {"residual": "none"},
    "trl": {},
    "mean-st2n": {"head": "mean", "transformer": True},
    "trl-st2n": {"transformer": True},
}
ONLY = {
    "frame": ("market-osnet", "market", "people-clothes", "people-body", "people-gait", "hapt"),
    "lstm": ("market", "people-body", "people-gait", *FEATURES),
    "trl-no-residual": ("market", "people-body", "people-gait", *FEATURES),
    "mean-st2n": ("people-shifted",),
    "trl-st2n": ("market", "people-shifted"),
}
"""Rows that some sets alone have."""

SETS = ("market-osnet", "market", *DRAWN, *FROZEN, "hapt")


def data_of(arguments: argparse.Namespace, where: str, seed: int) -> str:
    """What ``kinema pretrain`` is given, written first where it is not there."""
    if where.startswith("market"):
        return f"market1501:{arguments.data / 'trl' / 'market198' / 'images'}"
    out = arguments.out / "sets" / (where if where == "hapt" else f"{where}-{seed}")
    if where == "hapt":
        if not (out / "tracklets.csv").exists():
            hapt_people.write(arguments.data / "tot" / "hapt", out)
    elif where in FROZEN:
        if not (out / "tracklets.csv").exists():
            write_features(arguments, FROZEN[where], seed, out)
    elif not (out / "dataset.json").exists():
        write_mocap_people(out, MocapPeopleConfig(**SHARED, **DRAWN[where], seed=seed))
    return str(out)


def write_features(arguments: argparse.Namespace, where: str, seed: int, out: Path) -> None:
    """Writes what the network that 'mean' trains makes of every frame of a drawn set, an array a tracklet."""
    run = arguments.out / "runs" / f"{where}-seed{seed}-network"
    shutil.rmtree(run, ignore_errors=True)
    data = data_of(arguments, where, seed)
    api.pretrain(plan(arguments, where, seed, "mean"), data, run, logger="none", cache=arguments.out / "cache")
    model = api.load(run)
    table = model.config.open(data)
    frames = model.config.source(table, cache=arguments.out / "cache")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    lines = ["path,identity,camera,tracklet,split"]
    for row, each in enumerate(table.rows):
        crops = torch.from_numpy(frames.read(row, np.arange(len(each))))
        with torch.no_grad():
            features = model.tower.encoder(normalised(crops))
        np.save(out / f"{row:04}.npy", features.numpy())
        lines.append(f"{row:04}.npy,{each.identity},{each.camera},{each.name.replace('/', '-')},{each.split}")
    (out / "tracklets.csv").write_text("\n".join(lines) + "\n")
    shutil.rmtree(run)


def plan(arguments: argparse.Namespace, where: str, seed: int, row: str) -> Plan:
    """The plan of a row: the preset ``small``, smaller, with that part changed."""
    made = preset("small", "trl")
    linear = {"market-osnet": 512, "body-frozen": 128, "gait-frozen": 128}.get(where, 0)
    dim = 64 if where == "hapt" else linear if row in ("frame", "mean") else 0
    changes = {"transformer": False, "frames": 8, "dim": dim, **ROWS[row]}
    config: Any = replace(made.method, **changes)  # type: ignore[type-var]
    osnet = str(arguments.data / "trl" / "osnet" / "osnet_x0_25_msmt17.onnx") if where == "market-osnet" else ""
    return replace(
        made,
        method=config,
        seed=seed,
        epochs=arguments.epochs or EPOCHS.get(where, 25),
        batch_size=16,
        encoder=replace(made.encoder, width=16),
        optimiser=replace(made.optimiser, lr=1e-3 if where in FEATURES else 3e-3),
    ).with_data(split=seed, features=osnet)


def measured(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell: trained, measured by both rules, and the run taken away again."""
    data = data_of(arguments, where, seed)
    run = arguments.out / "runs" / f"{where}-seed{seed}-{row}"
    shutil.rmtree(run, ignore_errors=True)
    done = api.pretrain(plan(arguments, where, seed, row), data, run, logger="none", cache=arguments.out / "cache")
    found = {name: api.evaluate("reid", run, data, preset=name, cache=arguments.out / "cache")[0] for name in PRESETS}
    trained = {"split": "train"}
    known = api.evaluate("reid", run, data, query=trained, gallery=trained, cache=arguments.out / "cache")[0]
    shutil.rmtree(run)
    return {
        "metrics": {**{name: dict(result.metrics) for name, result in found.items()}, "trained": dict(known.metrics)},
        "queries": {name: result.queries for name, result in found.items()},
        "seconds": done.seconds,
    }


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row of every cell, a seed at a time."""
    for seed in arguments.seeds:
        for where in arguments.sets:
            for row in ROWS:
                there = row in arguments.rows and where in ONLY.get(row, SETS) and seed < SEEDS.get(where, 3)
                if there:
                    yield where, seed, row


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown."""
    yield "| set | | R1, official | mAP | R1, torchreid | mAP | R1, people learnt from | draws |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for where in SETS:
        of_set = {key: cell for key, cell in cells.items() if key.startswith(f"{where} ")}
        for row in (*FLOORS, *ROWS):
            before = f"{FLOORS[row]}_" if row in FLOORS else ""
            key = "mean" if row in FLOORS else row
            found = [cell["metrics"] for name, cell in of_set.items() if name.endswith(f" {key}")]
            found = [each for each in found if f"{before}rank-1" in each["official"]]
            if found:
                shown = [
                    spread([each[rule][before + name] for each in found])
                    for rule in PRESETS
                    for name in ("rank-1", "map")
                ]
                shown.append("" if row in FLOORS else spread([each["trained"]["rank-1"] for each in found]))
                yield f"| {where} | {row} | " + " | ".join(shown) + f" | {len(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--epochs", type=int, default=None)
    arguments = parser.parse_args()
    cells = record.filled(
        NAME,
        "python benchmarks/claims/reid.py OUT --data DATA",
        wanted(arguments),
        lambda where, seed, row: measured(arguments, where, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(f"{key}: R1 {cell['metrics']['official']['rank-1']:.3f}"),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()
