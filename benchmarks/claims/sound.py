"""Do clusters of sound teach a network to see, and the other way round? SDC, MDC, CDC and XDC at one budget.

    python benchmarks/claims/sound.py OUT                      Mocap-15 with sound, three seeds
    python benchmarks/claims/sound.py OUT --grid grid_s1_av    real talking heads; whole sentences are held out

The paper's claim is the order SDC < MDC < CDC < XDC. Every encoder sees the same videos for the same number of epochs
with the same networks, clip, batch and optimiser (the preset small of xdc); "random" is XDC's networks before training,
and "labels" the same networks told the first thing that is asked, end to end, from the same start and for as many
epochs: what there is to be learnt at this size. Figures, of the network that sees and of the one that hears: retrieval
R@1 (preset coclr) and the linear probe's accuracy on stored features, for every thing that there are labels of; and
whether a video in one view finds itself in the other (R@1, 5 and 10, both ways). In GRID a sentence is command, colour,
preposition and letter: clips that share all four are on one side.

The table fills itself in cell by cell, a run folder a cell under OUT, results/claims-sound.json beside this folder. A
command that was stopped goes on where it was; --minutes stops it by itself between two cells.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

import record
from table import spread
from video import trained

from kinema import api
from kinema.api.demonstration import demo_data
from kinema.core.errors import DataError
from kinema.core.progress import Steps
from kinema.data import Manifest
from kinema.data.clips.reader import Features, Model
from kinema.data.mocap import MocapConfig
from kinema.evaluation import fit_linear, hold_out, retrieve, retrieve_across
from kinema.protocols.features import extractor
from kinema.protocols.fit import FitConfig
from kinema.protocols.labels import class_names, label_numbers, source_numbers
from kinema.protocols.parts import SPLIT_SEED, TEST_SHARE
from kinema.recipes.changes import changed
from kinema.recipes.table import preset
from kinema.training.settings import Recipe

console = Console(stderr=True)
NAME = "claims-sound"
FORMS = ("sdc", "mdc", "cdc", "xdc")
LABELS = "labels"
ROWS = ("random", *FORMS, LABELS)
TITLES = {"random": "untrained", **{form: form.upper() for form in FORMS}}
SETS = {"mocap": "Mocap-15", "grid": "GRID"}
VIEWS = ("rgb", "sound")
WAYS = ("rgb to sound", "sound to rgb")
SENTENCE = ("command", "color", "preposition", "letter")
ASKED = {"mocap": ("class",), "grid": ("command", "color", "letter", "digit")}
"""The things that there are labels of."""


def form_of(row: str) -> str:
    """The form whose run a row is measured on; of those that need but its start, xdc."""
    return row if row in FORMS else "xdc"


def recipe(row: str, arguments: argparse.Namespace, seed: int) -> Recipe:
    """XDC's preset in the form of the row."""
    made = replace(preset("small", "xdc"), epochs=arguments.epochs, seed=seed)
    method: dict[str, Any] = {"form": form_of(row), "clusters": arguments.clusters, "every": arguments.every}
    return changed(made, {"method": method}).recipe()


def mocap(arguments: argparse.Namespace) -> Manifest:
    """Mocap-15 with sound, of which a share of the training videos may sound like another class; one test part."""
    most = arguments.limit or 60
    config = MocapConfig(
        clips_per_class=most,
        test_per_class=min(16, most),
        parts=("unbiased",),
        seed=3,
        sound=True,
        sound_mismatch=arguments.mismatch,
    )
    data = demo_data(arguments.out / f"mocap-mismatch{arguments.mismatch:g}", config, console)
    videos = (replace(v, attributes={**v.attributes, "class": v.label or ""}) for v in data.videos)
    return replace(data, videos=tuple(videos))


def grid(arguments: argparse.Namespace) -> Manifest:
    """GRID with what is said as attributes, and a quarter of its sentences held out."""
    with (arguments.grid / "labels.csv").open(newline="") as file:
        said = {row["clip"]: row for row in csv.DictReader(file)}
    found = api.scan(arguments.grid / "clips_small", out=arguments.out / "grid.parquet").usable()
    videos = []
    for video in found.videos[:: max(1, len(found) // arguments.limit) if arguments.limit else 1]:
        row = said[Path(video.path).stem]
        told = {name: row[name] for name in (*SENTENCE, "digit")}
        source = " ".join(row[name] for name in SENTENCE)
        videos.append(replace(video, attributes=told, source=source, label=row["command"]))
    data = replace(found, videos=tuple(videos))
    held = hold_out(torch.tensor(data.label_ids()), torch.tensor(data.source_ids()), TEST_SHARE, SPLIT_SEED).tolist()
    split = ("test" if out else "train" for out in held)
    return replace(data, videos=tuple(replace(v, split=s) for v, s in zip(data.videos, split, strict=True)))


def judged(seen: Mapping[str, Features], sides: Mapping[str, Manifest], asked: tuple[str, ...]) -> dict[str, Any]:
    """R@1 and linear accuracy of one encoder for every thing asked of it."""
    found: dict[str, Any] = {"r@1": {}, "linear": {}}
    train, test = (seen[side].encoded for side in ("train", "test"))
    for thing in asked:
        known = {
            side: replace(each, videos=tuple(replace(v, label=v.attributes[thing]) for v in each.videos))
            for side, each in sides.items()
        }
        names = class_names(*known.values())
        labels = {side: label_numbers(each, names) for side, each in known.items()}
        sources = source_numbers(known["test"], known["train"])
        how: dict[str, Any] = {"query_sources": sources[0], "gallery_sources": sources[1]}
        figures = retrieve(test, train, labels["test"], labels["train"], preset="coclr", **how)
        own = source_numbers(known["train"])[0]
        found["r@1"][thing] = figures.metrics["r@1"]
        try:
            probe = fit_linear(train, labels["train"], own, seed=SPLIT_SEED, names=names)
            found["linear"][thing] = probe.judge(test, labels["test"]).metrics["accuracy"]
        except DataError as error:
            console.print(f"no linear probe for {thing}: {error.message}", highlight=False)
    return found


def cell(name: str, seed: int, row: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One cell: trained, then measured in both views and across them."""
    data = mocap(arguments) if name == "mocap" else grid(arguments)
    sides = {side: data.select({"split": side}) for side in ("train", "test")}
    run, cache = arguments.out / name / f"seed{seed}" / form_of(row), arguments.out / "cache"
    took = trained(run, recipe(row, arguments, seed), sides["train"], arguments, cache)
    if row == LABELS:
        return with_labels(run, data, ASKED[name][0], seed, arguments)
    extract = extractor(
        windows="coclr",
        open_store=lambda part, which: api.model_store(part, which, cache=cache, console=console),
        progress=lambda title: Steps(title, console),
        device=None if arguments.device == "auto" else arguments.device,
    )
    models: dict[str, Model] = {view: api.load(run, view=view, untrained=row == "random") for view in VIEWS}
    seen = {view: {side: extract(models[view], each) for side, each in sides.items()} for view in VIEWS}
    found: dict[str, Any] = {view: judged(seen[view], sides, ASKED[name]) for view in VIEWS}
    test = source_numbers(sides["test"])[0]
    across = retrieve_across(*(seen[view]["test"].projected for view in VIEWS), sources=test, seed=seed)
    found["across"] = {way: dict(figures.metrics) for way, figures in zip(WAYS, across, strict=True)}
    found["across_chance"] = across[0].chance
    return {**found, **took}


def with_labels(run: Path, data: Manifest, thing: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The accuracy of either network, trained with labels from the start that the run's had."""
    known = replace(data, videos=tuple(replace(video, label=video.attributes[thing]) for video in data.videos))
    accuracy = {}
    for view in VIEWS:
        [result] = api.evaluate(
            "finetune",
            run,
            known,
            preset="100%",
            view=view,
            untrained=True,
            query={"split": "test"},
            gallery={"split": "train"},
            fit=FitConfig(epochs=arguments.epochs, crops="centre", seed=seed),
            cache=arguments.out / "cache",
            device=None if arguments.device == "auto" else arguments.device,
            console=console,
        )
        accuracy[view] = result.metrics["accuracy"]
    return {"thing": thing, "accuracy": accuracy}


def cells(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row in the order in which they are wanted."""
    name = "mocap" if arguments.grid is None else "grid"
    yield from ((name, seed, row) for seed in arguments.seeds for row in arguments.rows)


def tables(found: Mapping[str, Any]) -> str:
    """Tables a set: what the network that sees is worth, the one that hears, looking across, and with labels."""
    made = []
    for name in sorted({key.split()[0] for key in found}, reverse=True):
        things = [(figure, thing) for figure in ("r@1", "linear") for thing in ASKED[name]]
        for view, does in zip(VIEWS, ("sees", "hears"), strict=True):
            heads = [
                {"r@1": "R@1", "linear": "linear"}[figure] + (f" {thing}" if len(things) > 2 else "")
                for figure, thing in things
            ]
            paths = [(view, *each) for each in things]
            made.append(table(found, name, f"{SETS[name]}, the network that {does}", heads, paths))
        ranks = [(way, f"r@{k}") for way in WAYS for k in (1, 5, 10)]
        heads = [f"{way}, {k.upper()}" if k == "r@1" else k.upper() for way, k in ranks]
        made.append(table(found, name, f"{SETS[name]}, across", heads, [("across", *each) for each in ranks]))
        made += labels_table(found, name)
    return "\n\n".join(made)


def labels_table(found: Mapping[str, Any], name: str) -> list[str]:
    """The table of the networks that were told the labels, where there are such cells."""
    those = [value for key, value in sorted(found.items()) if key.split()[::2] == [name, LABELS]]
    if not those:
        return []
    told = [spread([each["accuracy"][view] for each in those]) for view in VIEWS]
    head = f"| {SETS[name]}, end to end with labels | seeds | sees, {those[0]['thing']} | hears, {those[0]['thing']} |"
    return ["\n".join([head, "|---|---|---|---|", "| " + " | ".join(["with labels", str(len(those)), *told]) + " |"])]


def table(
    found: Mapping[str, Any], name: str, title: str, heads: Sequence[str], paths: Sequence[tuple[str, str, str]]
) -> str:
    """One table: a row of it a row of the set, a column a figure, which is found in a cell under its path."""
    lines = ["| " + " | ".join([title, "seeds", *heads]) + " |", "|" + "---|" * (len(heads) + 2)]
    for row in TITLES:
        those = [value for key, value in sorted(found.items()) if key.split()[::2] == [name, row]]
        if those:
            columns = [[each[where][figure].get(which) for each in those] for where, figure, which in paths]
            told = [spread([value for value in column if value is not None]) for column in columns]
            lines.append("| " + " | ".join([TITLES[row], str(len(those)), *told]) + " |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--grid", type=Path, help="the folder of grid_s1_av, in place of Mocap-15")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=[*ROWS])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--clusters", type=int, default=32)
    parser.add_argument("--every", type=int, default=4, help="epochs from clustering to clustering")
    parser.add_argument("--mismatch", type=float, default=0.0, help="Mocap-15: share of sounds of another class")
    parser.add_argument("--limit", type=int, default=0, help="fewer videos: of a class (Mocap-15) or in all (GRID)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--name", default=NAME, help="of the file in results, for trials")
    parser.add_argument("--table", action="store_true", help="train nothing: print the table")
    return parser.parse_args()


def told(key: str, figures: Mapping[str, Any]) -> None:
    """A new cell, in a line."""
    if key.endswith(f" {LABELS}"):
        console.print(f"{key}: accuracy {figures['accuracy']}", highlight=False)
        return
    views = "  ".join(f"{v} {figures[v]['r@1'][ASKED[key.split()[0]][0]]:.3f}" for v in VIEWS)
    console.print(f"{key}: R@1 {views}", highlight=False)


def main() -> None:
    arguments = parse()
    found = record.filled(
        arguments.name,
        f"python benchmarks/claims/sound.py OUT --epochs {arguments.epochs} --clusters {arguments.clusters} "
        f"--every {arguments.every}",
        () if arguments.table else cells(arguments),
        lambda name, seed, row: cell(name, seed, row, arguments),
        minutes=arguments.minutes,
        tell=told,
    )
    print(tables(found))


if __name__ == "__main__":
    main()
