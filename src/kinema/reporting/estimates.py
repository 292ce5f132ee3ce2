"""R@1 with its uncertainty, over queries and over seeds, and the difference of two.

Two encoders are compared by the R@1 of the main selection of queries. Each has a 95 % bootstrap interval over its
queries; the interval of the difference follows from the two by squaring and adding the distances to their bounds
(Zou and Donner, Statistics in Medicine 27, 2008). It takes the two as independent. They share their
queries, which makes the interval of the difference, if anything, too wide: the sentence errs towards "did not help".

Runs that differ in nothing but the seed are averaged, and the spread between them (Student's t) is added in the same
way. Of several baselines the strongest counts, so that nothing is won by a weak one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from kinema.reporting.report import Row, RunRecord
from kinema.reporting.wording import REFERENCES

STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""The 97.5 % quantile of Student's t with 1, 2, … 9 degrees of freedom."""


@dataclass(frozen=True)
class Estimate:
    """R@1 of one encoder: the mean over its runs, the bounds of its 95 % interval where it has one, and its epochs."""

    encoder: str
    value: float
    low: float | None
    high: float | None
    runs: int
    epochs: int | None

    def minus(self, other: Estimate) -> tuple[float, float, float] | None:
        """The difference and its 95 % interval; None where one of the two has no interval."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return None
        d = self.value - other.value
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        return d, d - below, d + above


def estimate(rows: Sequence[Row]) -> Estimate | None:
    """The estimate over rows that differ in nothing but the seed; None where R@1 is missing."""
    measured = [(row.main.metrics.get("r@1"), row.main.interval) for row in rows]
    values = [value for value, _ in measured if value is not None]
    if not values or len(values) < len(measured):
        return None
    mean = sum(values) / len(values)
    intervals = [interval for _, interval in measured if interval is not None]
    if len(intervals) < len(values):
        return Estimate(rows[0].encoder, mean, None, None, len(values), rows[0].epochs)
    spread = 0.0
    if len(values) > 1:
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        spread = STUDENT[min(len(values) - 2, len(STUDENT) - 1)] * math.sqrt(variance / len(values))
    below = sum(value - low for value, (low, _) in zip(values, intervals, strict=True)) / len(values)
    above = sum(high - value for value, (_, high) in zip(values, intervals, strict=True)) / len(values)
    low, high = mean - math.hypot(below, spread), mean + math.hypot(above, spread)
    return Estimate(rows[0].encoder, mean, low, high, len(values), rows[0].epochs)


def estimates(runs: Sequence[RunRecord], rows: Sequence[Row]) -> dict[str, Estimate]:
    """One estimate an encoder: of a baseline the strongest, otherwise of the recipe that comes first.

    Args:
        runs: the runs, in the order that the user gave.
        rows: rows of one block, one view and one main selection.
    """
    order = {run.name: number for number, run in enumerate(runs)}
    recipes = {run.name: _settings(run.recipe) for run in runs}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: order[row.runs[0]]):
        groups.setdefault((row.encoder, recipes[row.runs[0]]), []).append(row)
    found: dict[str, Estimate] = {}
    for (encoder, _), group in groups.items():
        mean = estimate(group)
        if mean is not None and (encoder not in found or (encoder in REFERENCES and mean.value > found[encoder].value)):
            found[encoder] = mean
    return found


def _settings(recipe: dict[str, Any]) -> str:
    """The recipe but for the seed and for the place of the runs that its phases start from."""
    phases = [
        {**phase, "start": {view: PurePath(str(source)).name for view, source in (phase.get("start") or {}).items()}}
        for phase in recipe.get("phases") or ()
    ]
    return json.dumps({**recipe, "seed": None, "phases": phases}, sort_keys=True)
