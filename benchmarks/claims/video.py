"""Methods against the scene: who learns the motion when the scene gives the class away?

    python benchmarks/claims/video.py OUT                      Mocap-15 at bias 0 and .95, then .5; three seeds
    python benchmarks/claims/video.py OUT --kind rest          the same with a camera at rest, before which scenes stand
    python benchmarks/claims/video.py OUT --kind room          and with videos twice as long, in which windows have room
    python benchmarks/claims/video.py OUT --kind long          Mocap-15 with three times the epochs
    python benchmarks/claims/video.py OUT --asl asl_letters24  real video: learnt from one person, tested on another

    python benchmarks/claims/video.py OUT --kind more          Mocap-15 with four times the training videos: 3,600
    python benchmarks/claims/video.py OUT --device cuda --jobs 6 --epochs 64     cells side by side on one card

Every encoder sees the same videos for the same number of epochs with the same network, clip, batch and optimiser (the
preset small); CPR and what it is built on share them half and half. Test parts: matched (the scene of the own class),
unbiased (any) and swapped (another class'). Figures, all of one pretraining: retrieval R@1 (preset coclr), the linear
probe's accuracy on stored features, and the accuracy of a network that is fine-tuned with all labels of the training
videos and with a tenth of them (ten epochs, centre crops; without them: --no-finetune). "Scene reliance" is accuracy
matched minus accuracy swapped. The row "BE, without frame" is what BE's and DSM's authors call MoCo: one window of a
video, and another one of it as a negative.

The table fills itself in cell by cell, a run folder a cell under OUT, results/claims-video.json beside this folder
(--name for another). A command that was stopped goes on where it was; --minutes stops it by itself between two cells.
With --jobs N cells are measured side by side, each by a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

import record
from sets import clips_of
from table import KINDS, charts, tables

from kinema import api
from kinema.api.demonstration import demo_data
from kinema.core.progress import Steps
from kinema.data import Manifest
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.reader import Model
from kinema.data.mocap import MocapConfig
from kinema.evaluation import fit_linear, retrieve
from kinema.protocols.features import extractor, whole_store
from kinema.protocols.fit import FitConfig, class_scores, fit_classifier
from kinema.protocols.labels import class_names, label_numbers, source_numbers
from kinema.protocols.parts import SPLIT_SEED
from kinema.recipes.changes import changed
from kinema.recipes.compose import composed
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset
from kinema.training.settings import Recipe

console = Console(stderr=True)
NAME = "claims-video"
PARTS = ("matched", "unbiased", "swapped")
BASES = ("be", "dsm", "cmd")
ROWS = ("random", "moco", "simclr", "be", "dsm", "cmd", "cpr", *(f"cpr+{base}" for base in BASES))
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "cmd-context": {"motion_weight": 0.0},
    "cmd-motion": {"context_weight": 0.0},
    "cmd-low-temperature": {"first_temperature": None},
    "cmd-clip-geometry": {"geometry": "clip"},
    "cmd-context-clip-geometry": {"motion_weight": 0.0, "geometry": "clip"},
    "be-foreign-frame": {"still_from": "batch"},
    "be-unweighed": {"own_among": 0},
    "be-far": {"apart": 0},
    "dsm-unweighed": {"own_among": 0},
    "dsm-elsewhere": {"negative": "elsewhere"},
}
"""Rows in which settings of a method are changed: CMD with one of its tasks alone, with the paper's temperature from
the first step on, or with keyframes in the crop of their clip, as they were here at first; BE with a frame of another
video; BE and DSM with an own negative that weighs as one of the batch's, and BE with one a third of the clip's span
away, as both were here at first; DSM with the negative of the authors' code, another window."""

WINDOWS = {
    **dict.fromkeys(("moco-one-window", "be-without-negative", "be-without-frame"), 0.0),
    **dict.fromkeys(("be-two-windows", "dsm-two-windows"), ClipsConfig.temporal),
}
"""BE and DSM draw query and key from one window of a video, MoCo from two: here each the other's way."""

ADDED = {
    "be-without-negative": ("static-frame",),
    "be-without-frame": ("elsewhere",),
    "moco-with-frame": ("static-frame",),
}
"""MoCo with one of the two things that BE adds to it; the last on two windows, as MoCo is."""

EVERY = tuple(dict.fromkeys((*ROWS, *CHANGES, *WINDOWS, *ADDED)))

AFTER = {"random": "moco", **{f"cpr+{base}": "cpr" for base in BASES}}
"""Rows that take something from the run of another row of the same set and seed."""

SHARES = {"finetune": 1.0, "finetune10": 0.1}
"""Figures after fine-tuning, and the share of the training videos' labels that each is given."""
FIT = FitConfig(epochs=10, min_steps=200, validation=0.0, crops="centre")
"""How a network is fine-tuned: the last epoch is taken, and a test video is seen in its windows' centres."""


def plan(row: str, epochs: int, seed: int) -> Plan:
    """The settings of a row: the preset, and what the row changes in it."""
    name, _, base = row.partition("+")
    method = "moco" if name in ADDED else name.partition("-")[0]
    made = replace(preset("small", method), epochs=epochs, seed=seed)
    if base or name in ADDED:
        made = composed(made, "small", base=base or None, transforms=ADDED.get(name, ()))
    if name in CHANGES:
        made = changed(made, {"method": dict(CHANGES[name])})
    if name in WINDOWS:
        made = made.with_data(temporal=WINDOWS[name])
    return made


def recipe(row: str, epochs: int, seed: int, home: Path) -> Recipe:
    """The recipe of a row; CPR on another base takes the guide that CPR trained beside it, or trains it again."""
    made = plan(row, epochs, seed).recipe()
    if "+" not in row:
        return made
    own, guide, mining = made.phases
    shared = f"cpr/phases/02-{guide.name}"
    if not (home / shared / "phase.json").exists():
        return made
    return replace(made, phases=(own, replace(mining, start={**mining.start, "motion": f"../{shared}"})))


def parts_of(data: Manifest) -> dict[str, Manifest]:
    """The training videos, and the parts of the test that there are."""
    split = {"train": data.select({"split": "train"})}
    split |= {part: data.select({"split": "test"}).select({"part": part}) for part in PARTS}
    return {name: part for name, part in split.items() if len(part)}


def measure(model: Model, data: Manifest, cache: Path, device: str) -> dict[str, Any]:
    """Retrieval and linear accuracy on each part of the test."""
    return judged(model, parts_of(data), cache, device)


def finetuned(
    model: Model, split: Mapping[str, Manifest], below: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The accuracy on every part but 'train' of a network that learnt on from the model with a share of the labels."""
    device = None if arguments.device == "auto" else arguments.device

    def open_store(part: Manifest, which: Model) -> Any:
        return api.model_store(part, which, cache=arguments.out / "cache", console=console)

    found: dict[str, Any] = {}
    for figure, share in SHARES.items():
        fitted = fit_classifier(
            model,
            split["train"],
            replace(FIT, seed=model.seed),
            below / figure,
            share=share,
            frozen=False,
            open_store=open_store,
            data="train",
            device=device,
            console=console,
        )
        found[figure] = {}
        for name, part in split.items():
            if name == "train":
                continue
            scores = class_scores(
                fitted.method, whole_store(part, model, open_store), model, crops="centre", device=device
            )
            true = label_numbers(part, fitted.classes)
            found[figure][name] = float((scores.argmax(dim=1).cpu().numpy() == true).mean())
    return found


def judged(model: Model, split: dict[str, Manifest], cache: Path, device: str) -> dict[str, Any]:
    """R@1 and linear accuracy of every part but 'train', which is ranked and learnt from."""
    extract = extractor(
        windows="coclr",
        open_store=lambda part, which: api.model_store(part, which, cache=cache, console=console),
        progress=lambda title: Steps(title, console),
        device=None if device == "auto" else device,
    )
    names = class_names(*split.values())
    features = {name: extract(model, part).encoded for name, part in split.items()}
    labels = {name: label_numbers(part, names) for name, part in split.items()}
    train = split["train"]
    probe = fit_linear(features["train"], labels["train"], source_numbers(train)[0], seed=SPLIT_SEED, names=names)
    found: dict[str, Any] = {"r@1": {}, "linear": {}, "interval": {}}
    for part in split.keys() - {"train"}:
        sources = source_numbers(split[part], train)
        figures = retrieve(
            features[part],
            features["train"],
            labels[part],
            labels["train"],
            preset="coclr",
            query_sources=sources[0],
            gallery_sources=sources[1],
            seed=model.seed,
        )
        found["r@1"][part] = figures.metrics["r@1"]
        found["interval"][part] = list(figures.interval)
        found["linear"][part] = probe.judge(features[part], labels[part], seed=model.seed).metrics["accuracy"]
    return found


def trained(run: Path, made: Recipe, data: Manifest, arguments: argparse.Namespace, cache: Path) -> dict[str, Any]:
    """Trains a cell's run, or goes on with it; says what that took."""
    resume = (run / "recipe.json").exists()
    api.pretrain(
        made.name if resume else made, data, run, resume=resume, cache=cache, device=arguments.device, console=console
    )
    told = [json.loads(file.read_text()) for file in sorted(run.glob("phases/*/phase.json"))]
    return {"train_seconds": sum(p["seconds"] for p in told), "clips": sum(p["clips"] for p in told)}


def cells(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row in the order in which they are wanted: both ends of the bias before its middle."""
    if arguments.asl is not None:
        yield from (("asl", seed, row) for seed in arguments.seeds for row in arguments.rows)
        return
    ends = [bias for bias in arguments.biases if bias in (0.0, 0.95)]
    for biases in (ends, [bias for bias in arguments.biases if bias not in ends]):
        for seed in arguments.seeds:
            for bias in biases:
                yield from ((f"{arguments.kind}{bias:g}", seed, row) for row in arguments.rows)


def data_of(name: str, arguments: argparse.Namespace) -> Manifest:
    """The videos of a set, drawn or scanned once."""
    if name == "asl":
        return api.scan(arguments.asl, out=arguments.out / "asl.parquet")
    per_class = 240 if name.startswith("more") else 60
    drawn = MocapConfig(clips_per_class=per_class, test_per_class=16, bias=float(name[4:]), seed=2)
    if name[:4] in ("rest", "room"):
        drawn = replace(drawn, camera_follows=False, camera_motion=0.0)
    if name.startswith("room"):
        drawn = replace(drawn, frames=2 * drawn.frames)
    return demo_data(arguments.out / f"mocap-{name.replace('long', 'bias')}", drawn, console)


def cell(name: str, seed: int, row: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One cell: trained, then measured."""
    data, cache, home = data_of(name, arguments), arguments.out / "cache", arguments.out / name / f"seed{seed}"
    run, took = home / ("moco" if row == "random" else row), {}
    epochs = arguments.epochs * (3 if name.startswith("long") else 1)
    made = recipe("moco" if row == "random" else row, epochs, seed, home)
    learnt = data
    if name == "asl":
        clips = clips_of(made)
        made = replace(made, data=replace(clips, clips_per_video=2, clip=replace(clips.clip, stride=2)))
        learnt = data.select({"person": "jack"})
    took = trained(run, made, learnt, arguments, cache)
    model = api.load(run, untrained=row == "random")
    split = parts_of(data)
    if name == "asl":
        split = {"train": learnt, "tom": data.select({"person": "tom"})}
    found = {**judged(model, split, cache, arguments.device), **took}
    if arguments.finetune:
        found |= finetuned(model, split, home / "finetuned" / row, arguments)
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--asl", type=Path, help="the folder of asl_letters24, in place of Mocap-15")
    which.add_argument("--kind", choices=[*KINDS], default="bias", help="what is other than usual, see above")
    parser.add_argument("--biases", type=float, nargs="+", default=[0.0, 0.95, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=EVERY, default=[*EVERY])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--jobs", type=int, default=1, help="cells side by side, each by a process of its own")
    parser.add_argument("--no-finetune", dest="finetune", action="store_false", help="R@1 and the probe alone")
    parser.add_argument("--name", default=NAME, help="of the file of results")
    parser.add_argument("--table", action="store_true", help="train nothing: print the table, draw the charts")
    return parser.parse_args()


def told(key: str, figures: Mapping[str, Any]) -> None:
    """A new cell, in a line."""
    parts = "  ".join(f"{part} {value:.3f}" for part, value in figures["r@1"].items())
    console.print(f"{key}: R@1 {parts}", highlight=False)


def main() -> None:
    arguments = parse()
    wanted = [] if arguments.table else [*cells(arguments)]
    if arguments.jobs > 1:
        for name in dict.fromkeys(name for name, _, _ in wanted):
            data_of(name, arguments)  # drawn before several processes want it
    found = record.filled(
        arguments.name,
        f"python benchmarks/claims/video.py OUT --epochs {arguments.epochs}",
        wanted,
        functools.partial(cell, arguments=arguments),
        minutes=arguments.minutes,
        tell=told,
        jobs=arguments.jobs,
        after=AFTER,
    )
    charts(found, arguments.out)
    print(tables(found))


if __name__ == "__main__":
    main()
