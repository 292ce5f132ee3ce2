"""Does the fitness without labels rank as labels would, and do evolved weights beat equal ones?

    python benchmarks/claims/elo.py OUT                  Mocap-15 at bias 0; two searches, then three seeds
    python benchmarks/claims/elo.py OUT --table          train nothing: print the tables, draw the chart

First, candidates of a random search, trained briefly: the rank correlation of their fitness with retrieval R@1 and with
a linear probe's accuracy on the part 'unbiased' of the test, beside that of what else is known without labels (the
loss, the effective rank, the fitness under other temperatures, and the fitness on draws whose class sizes follow Zipf's
law, beside even draws of as many videos), and what clusters know that are compared with the classes. Beside the fitness
stands how reliable it is: what it says of the same candidates by other clusterings, and by halves of the videos; it
cannot correlate with anything above the root of that. Then weights
trained in full at one budget of epochs: those that CMA-ES found, the best of the random search (as many candidates),
equal ones, and each part alone that teaches the network of rgb, of which the best is chosen by the labels, to its
advantage. Random initialisation stands beside them.

The searches go on generation by generation and the table cell by cell; a command that was stopped goes on where it was,
and --minutes stops it by itself between two of them. Figures go to results/claims-elo.json beside this folder; a search
whose candidates all stand there is not made again, whatever OUT holds.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

import record
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sets import clips_of
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from table import spread
from video import measure, trained

from kinema import api
from kinema.api.demonstration import demo_data
from kinema.api.evolution import Evolved, evolve
from kinema.data import Manifest
from kinema.data.mocap import MocapConfig
from kinema.evaluation import of_halves, reliability, zipf_fitness
from kinema.evaluation.zipf import scaled
from kinema.evolving.history import Candidate
from kinema.evolving.run import EvolveConfig, best_of, kept_weights
from kinema.evolving.search import Search
from kinema.methods.elo import TASKS
from kinema.protocols.labels import class_names, label_numbers
from kinema.recipes.changes import changed
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "claims-elo"
PART = "unbiased"
SEARCHES: tuple[Search, ...] = ("random", "cma")
TEMPERATURES = (1.0, 0.3, 0.1, 0.03)
CLUSTERED_AGAIN = 100
"""The seed of clusterings that no fitness of a candidate was made with."""
HALVED = {"fitness": "fitness, τ = 1", "hard": "fitness, hard clusters"}
"""Figures whose reliability is measured, and their rows."""
DRAWS = 8
SHAPES = {"zipf": "classes after Zipf's law", "even": "as many, even classes"}
"""How many videos a class has in a draw from the training set."""
KEPT = ("number", "weights", "fitness", "hard", "rank", "spread", "loss", "reason", "seconds")
"""What the figures tell of a candidate of a search."""
SINGLE = (
    *(f"rgb.{task}" for task in TASKS),
    *(f"rgb-motion.{task}" for task in ("transfer", "contrast", "alignment")),
    "motion-rgb.distillation",
)
"""The parts that teach the network of rgb by themselves."""
ROWS = ("untrained", "equal", "random", "cma", *SINGLE)


def searched(name: Search, data: Manifest, arguments: argparse.Namespace, candidates: int) -> Evolved:
    """A search with so many candidates, begun or gone on with; every candidate's run is kept."""
    out = arguments.out / f"search-{name}"
    return evolve(
        data,
        out,
        config=EvolveConfig(
            name,
            candidates=candidates,
            population=arguments.population,
            epochs=arguments.candidate_epochs,
            k=arguments.k,
        ),
        workers=arguments.workers,
        resume=out.exists(),
        keep=True,
        cache=arguments.out / "cache",
        device=arguments.device,
        console=console,
        preset=plan(arguments),
    )


def plan(arguments: argparse.Namespace) -> Plan:
    """The preset, with clips of the size that was asked for."""
    made = preset("small", "elo")
    clip = replace(clips_of(made).clip, size=arguments.size, short_side=round(arguments.size * 9 / 8))
    return made.with_data(clip=clip)


def candidate_cell(run: Path, data: Manifest, arguments: argparse.Namespace) -> dict[str, Any]:
    """What labels say of a candidate, and its fitness under other temperatures and on drawn sets."""
    cache = arguments.out / "cache"
    model, train = api.load(run), data.select({"split": "train"})
    told = measure(model, data, cache, arguments.device)
    store = api.model_store(train, model, cache=cache, console=console)
    features = model.features(store, device=None if arguments.device == "auto" else arguments.device).encoded
    found = [zipf_fitness(features, arguments.k, temperature=t) for t in TEMPERATURES]
    told["zipf"] = {str(t): each.fitness for t, each in zip(TEMPERATURES, found, strict=True)}
    told["sharpness"] = found[0].sharpness
    told["again"] = zipf_fitness(features, arguments.k, seed=CLUSTERED_AGAIN).fitness
    told["halves"] = {
        name: of_halves(functools.partial(half, name=name, k=arguments.k), np.asarray(features)) for name in HALVED
    }
    labels = label_numbers(train, class_names(train))
    told["drawn"] = {shape: drawn_fitness(np.asarray(features), labels, shape) for shape in SHAPES}
    return told | {"nmi": cluster_nmi(np.asarray(features), labels)}


def half(x: NDArray[np.floating], seed: int, name: str, k: int) -> float:
    """A figure of the fitness from half of the videos, with as many clusters."""
    return float(getattr(zipf_fitness(x, k, seed=seed), name))


def cluster_nmi(features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """How far clusters, as the fitness makes them and as many as classes, are the classes: 0 to 1."""
    points = scaled(torch.from_numpy(features).double(), "standardised").numpy()
    clusters = KMeans(len(np.unique(labels)), n_init=4, random_state=0).fit_predict(points)
    return float(normalized_mutual_info_score(labels, clusters))


def drawn_fitness(features: NDArray[np.float32], labels: NDArray[np.int64], shape: str) -> dict[str, float]:
    """The mean fitness over draws of a shape, with as many clusters as classes, a temperature each; and 'hard'."""
    classes, most = np.unique(labels, return_counts=True)
    sizes = most.min() / (1.0 + np.arange(len(classes)))
    if shape == "even":
        sizes = np.full(len(classes), sizes.mean())
    told: dict[str, list[float]] = {}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        some = [
            rng.choice(np.flatnonzero(labels == label), max(1, round(size)), replace=False)
            for label, size in zip(rng.permutation(classes), sizes, strict=True)
        ]
        for temperature in TEMPERATURES:
            found = zipf_fitness(
                features[np.concatenate(some)], len(classes), seed=draw, temperature=temperature, clusterings=1
            )
            told.setdefault(str(temperature), []).append(found.fitness)
        told.setdefault("hard", []).append(found.hard)
    return {name: statistics.mean(values) for name, values in told.items()}


def weights_of(row: str, searches: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path) -> dict[str, float]:
    """The weights of a row of the second table; 'untrained' has those of 'equal'."""
    names = list(searches["random"][0]["weights"])
    if row in searches:
        history = [Candidate(generation=0, **each) for each in searches[row]]  # the generation decides nothing here
        return kept_weights(best_of(history, folder / f"search-{row}").weights)
    if row in SINGLE:
        return {name: float(name == row) for name in names}
    return dict.fromkeys(names, 1.0)


def full_cell(
    row: str, seed: int, data: Manifest, searches: Mapping[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Weights trained in full with one seed, and measured."""
    made = changed(plan(args), {"method": {"weights": weights_of(row, searches, args.out), "rest": 0.0}})
    made = replace(made, epochs=args.epochs, seed=seed)
    run, cache = args.out / f"seed{seed}" / ("equal" if row == "untrained" else row), args.out / "cache"
    took = trained(run, made.recipe(), data, args, cache)
    return measure(api.load(run, untrained=row == "untrained"), data, cache, args.device) | took


def work(data: Manifest, found: dict[str, Any], arguments: argparse.Namespace) -> Iterator[None]:
    """One piece of work at a time: generations of the searches, then cells."""
    for name in SEARCHES:
        done = len(found["searches"].get(name, ()))
        while done < arguments.candidates:
            done = min(done + arguments.population, arguments.candidates)
            history = searched(name, data, arguments, done).history
            if done == arguments.candidates:
                found["searches"][name] = [{key: getattr(each, key) for key in KEPT} for each in history]
            yield
    for each in found["searches"]["random"]:
        key = f"candidate {each['number']}"
        if each["fitness"] is not None and "halves" not in found["candidates"].get(key, {}):
            run = arguments.out / "search-random" / "runs" / f"{each['number']:04d}"
            found["candidates"][key] = candidate_cell(run, data, arguments)
            yield
    for seed in arguments.seeds:
        for row in arguments.rows:
            if (key := f"{row} seed{seed}") not in found["cells"]:
                found["cells"][key] = full_cell(row, seed, data, found["searches"], arguments)
                yield


def measured(found: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The candidates of the random search that labels have judged, and what labels say of each."""
    pairs = [(each, f"candidate {each['number']}") for each in found["searches"].get("random", ())]
    pairs = [(each, key) for each, key in pairs if "nmi" in found["candidates"].get(key, {})]
    return [each for each, _ in pairs], [found["candidates"][key] for _, key in pairs]


def correlations(found: Mapping[str, Any]) -> str:
    """Spearman's ρ of what is known without labels with what labels say; the sign is turned so that 1 is right."""
    tried, cells = measured(found)
    if len(tried) < 3:
        return ""
    known = {f"fitness, τ = {t:g}": [-cell["zipf"][str(t)] for cell in cells] for t in TEMPERATURES}
    known |= {
        f"fitness, {told}, {f'τ = {t}' if t != 'hard' else 'hard clusters'}": [-c["drawn"][shape][t] for c in cells]
        for shape, told in SHAPES.items()
        for t in ("1.0", "0.1", "hard")
    }
    known |= {"fitness, hard clusters": [-each["hard"] for each in tried], "loss": [-each["loss"] for each in tried]}
    known |= {"effective rank": [each["rank"] for each in tried]}
    known |= {"labels known: NMI of clusters and classes": [cell["nmi"] for cell in cells]}
    known |= {"labels known: R@1": [cell["r@1"][PART] for cell in cells]}
    known |= {"the fitness again, with other clusterings": [-cell["again"] for cell in cells if "again" in cell]}
    known = {name: values for name, values in known.items() if len(values) == len(cells)}
    told = reliabilities(cells)
    lines = [f"| {len(tried)} candidates | ρ with R@1 | p | ρ with linear | p |", "|---|---|---|---|---|"]
    lines += [correlated(name, values, cells) for name, values in known.items()]
    if told:  # not of figures of the first edition
        more = ["reliability | so ρ at most |", "---|---|", *(f" {told.get(name, '– | –')} |" for name in known)]
        lines = [f"{line}{end if end[0] in ' -' else ' ' + end}" for line, end in zip(lines, more, strict=True)]
        again = spearmanr([cell["zipf"]["1.0"] for cell in cells], [cell["again"] for cell in cells]).statistic
        lines.append(f"\nThe fitness with itself, by other clusterings of the same features: ρ = {again:.2f}.")
    return "\n".join(lines)


def reliabilities(cells: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each row whose halves were measured: its reliability, and the rank correlation that it allows at most."""
    if not all("halves" in cell for cell in cells):
        return {}
    told = {row: reliability([cell["halves"][name] for cell in cells]) for name, row in HALVED.items()}
    return {row: f"{each.whole:.2f} | {each.ceiling:.2f}" for row, each in told.items()}


def correlated(name: str, values: Sequence[float], cells: Sequence[Mapping[str, Any]]) -> str:
    """A line of a table: Spearman's ρ of a value of each candidate with what labels say of it."""
    told = [spearmanr(values, [cell[figure][PART] for cell in cells]) for figure in ("r@1", "linear")]
    return f"| {name} | " + " | ".join(f"{x.statistic:.2f} | {x.pvalue:.3f}" for x in told) + " |"


def weights_told(found: Mapping[str, Any]) -> str:
    """Spearman's ρ of each part's weight with what labels say of the candidate."""
    tried, cells = measured(found)
    if len(tried) < 3:
        return ""
    lines = ["| weight of | ρ with R@1 | p | ρ with linear | p |", "|---|---|---|---|---|"]
    told = (correlated(name, [each["weights"][name] for each in tried], cells) for name in tried[0]["weights"])
    return "\n".join([*lines, *told])


def rows_table(found: Mapping[str, Any]) -> str:
    """R@1 and linear accuracy of each row over its seeds."""
    lines = ["| weights | seeds | R@1 | linear |", "|---|---|---|---|"]
    for row in ROWS:
        cells = [cell for key, cell in sorted(found["cells"].items()) if key.rsplit(" seed", 1)[0] == row]
        if cells:
            told = [spread([cell[figure][PART] for cell in cells]) for figure in ("r@1", "linear")]
            lines.append(f"| {row} | {len(cells)} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def scatter(found: Mapping[str, Any], file: Path) -> None:
    """Fitness against R@1, a dot a candidate."""
    pairs = [(cell["zipf"]["1.0"], cell["r@1"][PART]) for cell in found["candidates"].values()]
    if len(pairs) < 3:
        return
    low, high = min(x for x, _ in pairs), max(x for x, _ in pairs)
    wide, tall, left, top = 420, 260, 50, 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + left + 30} {tall + top + 45}" '
        'font-family="sans-serif" font-size="11" role="img"><title>Fitness and retrieval</title>',
        f'<rect width="{wide + left + 30}" height="{tall + top + 45}" fill="#fff"/>',
    ]
    for tick in range(0, 101, 20):
        y = top + tall * (1 - tick / 100)
        out += [f'<path d="M{left} {y:.1f}H{left + wide}" stroke="#ddd"/>']
        out += [f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>']
    for x, y in pairs:
        place = left + 10 + (wide - 20) * (x - low) / ((high - low) or 1.0)
        out.append(f'<circle cx="{place:.1f}" cy="{top + tall * (1 - y):.1f}" r="4" fill="#00796b"/>')
    middle = statistics.mean((left, left + wide))
    told = f"fitness from {low:.3f} to {high:.3f} nats (less is better); upwards R@1, per cent"
    out.append(f'<text x="{middle:.0f}" y="{top + tall + 25}" text-anchor="middle">{told}</text>')
    file.write_text("\n".join([*out, "</svg>"]) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--population", type=int, default=8)
    parser.add_argument("--candidate-epochs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=48, help="pixels a side: a step with all parts has eight passes")
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--clips-per-class", type=int, default=60)
    parser.add_argument("--test-per-class", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--table", action="store_true", help="train nothing: print the tables, draw the chart")
    return parser.parse_args()


def main() -> None:
    arguments, began = parse(), time.monotonic()
    before = record.read(NAME)
    found: dict[str, Any] = {"searches": {}, "candidates": {}, "cells": {}}
    found |= {key: value for key, value in before.items() if key in found}
    command = (
        f"python benchmarks/claims/elo.py OUT --candidates {arguments.candidates} "
        f"--candidate-epochs {arguments.candidate_epochs} --epochs {arguments.epochs} --k {arguments.k} "
        f"--size {arguments.size}"
    )
    if not arguments.table:
        if before and before["command"] != command:
            sys.exit(f"results/{NAME}.json holds figures of '{before['command']}': ask for the same, or move it away.")
        drawn = MocapConfig(
            clips_per_class=arguments.clips_per_class, test_per_class=arguments.test_per_class, bias=0.0, seed=2
        )
        data = demo_data(arguments.out / "mocap", drawn, console)
        for _ in work(data, found, arguments):
            record.write(NAME, command, ("cma", "scikit-learn"), **found)
            if time.monotonic() - began > arguments.minutes * 60:
                break
    scatter(found, record.RESULTS / "claims-elo.svg")
    print(correlations(found), weights_told(found), rows_table(found), sep="\n\n")


if __name__ == "__main__":
    main()
