"""Random tables of runs, and what may truly be said of them: the figures recomputed from the rows of the report."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from scipy.special import stdtrit

from kinema import reporting
from kinema.core.errors import RunError
from kinema.core.ops import bootstrap_of_mean
from kinema.core.protocol import Metric
from kinema.core.results import Result
from kinema.core.vocabulary import Vocabulary
from kinema.protocols.table import PROTOCOLS
from kinema.recipes.table import ENCODERS

QUERIES = 40
SURPRISE = dataclasses.replace(
    PROTOCOLS["retrieval"], name="surprise", title="Surprise", main="surprise", higher_is_better=False,
    presets={"all": ""}, finding="has a surprise of {}", floors={"surprise_blind": "answering blindly"},
    metrics={"surprise": Metric("Surprise", share=False), "surprise_blind": Metric("Blind", share=False)},
)  # fmt: skip
"""Lower is better, no share, and something that needs no learning stands beside it."""
KNOWN = Vocabulary(ENCODERS, {**PROTOCOLS, "surprise": SURPRISE})
LABELLED = {"supervised"}
RECIPES = (
    ("cpr", {"name": "cpr", "stages": 3}),
    ("cpr", {"name": "cpr", "stages": 5}),
    ("coclr", {"name": "cpr", "stages": 1}),
    ("infonce", {"name": "moco"}),
    ("infonce", {"name": "moco", "queue": 9}),
    ("be", {"name": "be"}),
    ("supervised", {"name": "supervised"}),
)
TABLES = (
    ("retrieval", "coclr", "r@1"),
    ("retrieval", "vcop", "r@1"),
    ("linear", "features", "accuracy"),
    ("finetune", "10%", "accuracy"),
    ("surprise", "all", "surprise"),
)


@dataclass
class MadeRun:
    """A run's folder that is not on a disk."""

    path: Path
    recipe: dict
    environment: dict
    measured: list = field(default_factory=list)

    def read(self, name):
        return {"recipe.json": self.recipe, "environment.json": self.environment}.get(name, {})

    def status(self):
        return {"state": "done"}

    def phases(self):
        return []

    def metrics(self, phase):
        return []

    def results(self):
        return self.measured


class Runs(list):
    """Runs that are written as their figures, a line each."""

    def report(self):
        return reporting.collect(self, KNOWN, opened)

    def __repr__(self):
        return "\n".join(f"{run.path.name}: {_told(result)}" for run in self for result in run.measured)


def _told(result):
    main = KNOWN.protocol(result.protocol).main
    kept = "answers" if "right" in result.details else "", "interval" if result.details["interval"] else ""
    where = f"{result.protocol} {result.preset} {result.view} {result.details['selection']}"
    return f"{where}: {result.encoder} {result.metrics[main]} {' '.join(kept)}"


def opened(path):
    raise RunError(f"'{path}' is not there.")


@st.composite
def made_runs(draw):
    """Runs of up to four recipes, of one seed or several, in one view or two, by up to three protocols."""
    tables = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=3, unique=True))
    recipes = draw(st.lists(st.sampled_from(RECIPES), min_size=1, max_size=4, unique_by=str))
    views = draw(st.sampled_from((("rgb",), ("rgb", "motion"))))
    whole, untrained = draw(st.booleans()), draw(st.booleans())
    values = st.integers(4, 36) if draw(st.booleans()) else st.sampled_from((12, 12, 13, 20, 32))
    runs, once = [], {}
    for number, (encoder, method) in enumerate(recipes):
        epochs = draw(st.sampled_from((4, 8)))
        for seed in sorted(draw(st.sets(st.sampled_from((0, 1, 2)), min_size=1))):
            phase = {"name": "a", "method": {**method, "view": "rgb"}, "epochs": epochs}
            run = MadeRun(
                Path(f"/home/somebody/runs/{method['name']}{number}-{seed}"),
                {"name": method["name"], "view": "rgb", "seed": seed, "phases": [phase]},
                {"data": "videos", "videos": 10, "classes": 4, "manifest_digest": "d", "seed": seed},
            )
            runs.append(run)
            for table in tables:
                measured = [encoder] + (["random"] if untrained else [])
                for view in views:
                    for name, part in ((n, p) for n in measured for p in ("split=test", "part=swapped")):
                        key = (table, view, part, seed) if name == "random" else (run.path, table, view, part)
                        if key not in once:
                            there = whole or draw(st.integers(0, 3))
                            once[key] = [draw(_result(table, name, view, part, seed, values, whole))] if there else []
                        run.measured += once[key]
    return Runs(runs)


@st.composite
def _result(draw, table, encoder, view, part, seed, values, whole):
    protocol, preset, main = table
    count = draw(values)
    details = {"selection": part, "chance": 0.05, "interval": [count / QUERIES - 0.1, count / QUERIES + 0.08]}
    details |= {"labelled": 10, "epochs": 5, "crops": "ten"} if protocol == "finetune" else {}
    if draw(st.booleans()):
        right = np.roll(np.arange(QUERIES) < count, draw(st.integers(0, QUERIES)))
        details |= {"asked": "q", "right": ["".join("01"[int(x)] for x in right)]}
    if not whole and not draw(st.integers(0, 4)):
        details["interval"] = None
    value = math.nan if not whole and not draw(st.integers(0, 9)) else count / QUERIES
    metrics = {main: value}
    if protocol == "surprise":
        metrics["surprise_blind"] = 0.5
    told = (encoder, view, "videos", "e" * 64, QUERIES, 100, seed, "abc123", 1.0, details)
    return Result(protocol, preset, metrics, *told)


@dataclass(frozen=True)
class Lead:
    """How far one group is ahead of another, recomputed: the lead and its interval, and whether they decide."""

    value: float
    low: float | None
    high: float | None
    larger: bool
    seeds: tuple[int, ...]


@dataclass
class Truth:
    """The figures of a report's rows, as the tables of its page show them."""

    report: reporting.Report

    def tables(self):
        """The groups of each table that compares encoders."""
        found = {}
        for group in self.report.groups:
            if KNOWN.protocol(group.protocol).judged:
                found.setdefault(group.settings, []).append(group)
        return list(found.values())

    def main(self, block):
        selections = [group.figures[0].selection for group in block]
        return max(selections, key=selections.count)

    def sign(self, group):
        return 1 if KNOWN.protocol(group.protocol).higher_is_better else -1

    def figures(self, group, selection):
        """The group's figures by seed; None where one of them is no number."""
        rows = [self.report.rows[number] for number in group.rows]
        held = {row.seed: figure for row in rows for figure in row.figures if figure.selection == selection}
        main = KNOWN.protocol(group.protocol).main
        if not held or any(figure.metrics.get(main) is None for figure in held.values()):
            return None
        return held

    def value(self, group, selection):
        held, main = self.figures(group, selection), KNOWN.protocol(group.protocol).main
        return None if held is None else float(np.mean([figure.metrics[main] for figure in held.values()]))

    def known(self, block, selection):
        """The groups of a table that have a mean, and it."""
        return [(g, v) for g in block if (v := self.value(g, selection)) is not None]

    def candidates(self, block):
        """Those that could be kept, the best first."""
        found = [(g, v) for g, v in self.known(block, self.main(block)) if g.encoder not in {"random", *LABELLED}]
        return [group for group, _ in sorted(found, key=lambda each: -self.sign(each[0]) * each[1])]

    def lead(self, one, other, selection):
        """By the seeds that both have, if there are two; and by the same queries, if all answers were kept."""
        ours, theirs = self.figures(one, selection), self.figures(other, selection)
        seeds = tuple(sorted(ours.keys() & theirs.keys()))
        paired = len(seeds) > 1
        if paired:
            ours, theirs = {s: ours[s] for s in seeds}, {s: theirs[s] for s in seeds}
        main = KNOWN.protocol(one.protocol).main
        a, b = ([figure.metrics[main] for figure in held.values()] for held in (ours, theirs))
        spread = math.hypot(*([_half(np.subtract(a, b))] if paired else [_half(a), _half(b)]))
        value, apart = float(np.mean(a) - np.mean(b)), None
        both = [*ours.values(), *theirs.values()]
        if all(figure.right for figure in both):
            means = [np.mean([[int(x) for x in f.right[0]] for f in held.values()], axis=0) for held in (ours, theirs)]
            d = means[0] - means[1]
            low, high = bootstrap_of_mean(d, 0)
            below, above, apart = d.mean() - low, high - d.mean(), int((d != 0).sum())
        elif all(figure.interval for figure in both):
            (la, ha), (lb, hb) = (
                np.mean([np.subtract(f.interval, f.metrics[main]) for f in held.values()], axis=0)
                for held in (ours, theirs)
            )
            below, above = math.hypot(la, hb), math.hypot(ha, lb)
        else:
            return Lead(self.sign(one) * value, None, None, False, seeds if paired else ())
        low, high = value - math.hypot(below, spread), value + math.hypot(above, spread)
        larger = (low > 0 or high < 0) and (apart is None or apart >= 6)
        low, high = (low, high) if self.sign(one) > 0 else (-high, -low)
        return Lead(self.sign(one) * value, float(low), float(high), larger, seeds if paired else ())


def _half(values):
    n = len(values)
    return stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(n) if n > 1 else 0.0
