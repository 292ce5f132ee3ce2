"""A protocol's main figure with its uncertainty, over queries and over seeds, and the difference of two.

The protocol says which figure is the main one. Each has a 95 % bootstrap interval over its queries. Where two encoders
answered the very same queries and every answer was stored, their difference is bootstrapped over the queries too, pair
by pair: what is hard for both then counts for neither. Where answers are missing, the interval of the difference
follows from the two by squaring and adding the distances to their bounds (Zou and Donner, Statistics in Medicine 27,
2008). That takes the two as independent, which makes it, if anything, too wide: the sentence errs towards "did not
help".

Runs that differ in nothing but the seed are averaged, and the spread between them (Student's t) is added in the same
way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinema.core.ops import bootstrap_of_mean
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.pooled import Group
from kinema.reporting.report import Figure, Row

FEWEST = 6
"""Queries that two must answer differently before a difference counts: of fewer, all in favour of one is a matter of
luck more than one time in twenty (two-sided sign test)."""


@dataclass(frozen=True)
class Difference:
    """How far one encoder is ahead of another.

    Args:
        value: the one figure minus the other.
        low: the lower bound of its 95 % interval.
        high: the upper one.
        paired: whether the two were compared query by query.
        apart: how many queries they answer differently; None where that is not known.
        higher_is_better: whether a difference above zero means ahead.
    """

    value: float
    low: float
    high: float
    paired: bool = False
    apart: int | None = None
    higher_is_better: bool = True

    @property
    def larger(self) -> bool:
        """Whether it is larger than the uncertainty."""
        return (self.low > 0 or self.high < 0) and (self.apart is None or self.apart >= FEWEST)

    @property
    def lead(self) -> float:
        """How far the one is ahead of the other; below zero it is behind."""
        return self.value if self.higher_is_better else -self.value

    @property
    def better(self) -> bool:
        """Whether the one is ahead by more than the uncertainty."""
        return self.larger and self.lead > 0


@dataclass(frozen=True)
class Estimate:
    """The main figure of one encoder.

    Args:
        encoder: its name.
        value: the mean over its runs.
        low: the lower bound of the 95 % interval over queries and seeds; None where there is none.
        high: the upper one.
        runs: how many.
        epochs: for how many it was trained; None where nothing says.
        spread: half the 95 % interval over seeds alone; 0 of a single run.
        asked: a digest of the queries; empty where the answers were not stored.
        right: for every query, the share of the runs that answered it rightly.
        higher_is_better: whether a higher figure is the better one.
    """

    encoder: str
    value: float
    low: float | None
    high: float | None
    runs: int
    epochs: int | None
    spread: float = 0.0
    asked: str = ""
    right: tuple[float, ...] = field(default=(), repr=False)
    higher_is_better: bool = True

    @property
    def score(self) -> float:
        """The figure, turned so that higher is better."""
        return self.value if self.higher_is_better else -self.value

    def minus(self, other: Estimate) -> Difference | None:
        """The difference and its 95 % interval; None where one of the two has no interval."""
        if self.asked and self.asked == other.asked and len(self.right) == len(other.right):
            d = np.array(self.right) - np.array(other.right)
            low, high = bootstrap_of_mean(d, 0)
            below, above = float(d.mean()) - low, high - float(d.mean())
            below, above = (math.hypot(side, self.spread, other.spread) for side in (below, above))
            value = self.value - other.value
            apart = int(np.count_nonzero(d))
            return Difference(value, value - below, value + above, True, apart, self.higher_is_better)
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return None
        value = self.value - other.value
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        return Difference(value, value - below, value + above, higher_is_better=self.higher_is_better)


def estimate(
    row: Row | Group, figures: Sequence[Figure], vocabulary: Vocabulary, epochs: int | None = None
) -> Estimate | None:
    """The estimate over figures that differ in nothing but the seed; None where the main one is missing.

    Args:
        row: says which encoder and which protocol.
        figures: one a seed.
        vocabulary: says which figure is the protocol's main one.
        epochs: for how many the encoder was trained; None where nothing says.
    """
    metric = vocabulary.main(row.protocol, figures[0].metrics) if figures else None
    values = [figure.metrics.get(metric) for figure in figures] if metric else []
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    mean = sum(known) / len(known)
    spread = 0.0
    if len(known) > 1:
        from scipy.special import stdtrit

        variance = sum((value - mean) ** 2 for value in known) / (len(known) - 1)
        spread = float(stdtrit(len(known) - 1, 0.975)) * math.sqrt(variance / len(known))
    low, high = _bounds(known, mean, [figure.interval for figure in figures], spread)
    asked, right = _answers(figures)
    higher = vocabulary.protocol(row.protocol).higher_is_better
    return Estimate(row.encoder, mean, low, high, len(known), epochs, spread, asked, right, higher)


def _bounds(
    values: Sequence[float], mean: float, intervals: Sequence[tuple[float, float] | None], spread: float
) -> tuple[float, float] | tuple[None, None]:
    """The bounds over queries, the mean of the seeds', and over seeds together."""
    known = [interval for interval in intervals if interval is not None]
    if len(known) < len(values):
        return None, None
    below = sum(value - low for value, (low, _) in zip(values, known, strict=True)) / len(values)
    above = sum(high - value for value, (_, high) in zip(values, known, strict=True)) / len(values)
    return mean - math.hypot(below, spread), mean + math.hypot(above, spread)


def _answers(figures: Sequence[Figure]) -> tuple[str, tuple[float, ...]]:
    """The digest of the queries and the share of right answers to each; nothing where a figure lacks them."""
    asked = {figure.asked for figure in figures}
    if len(asked) != 1 or not all(figure.asked and figure.right for figure in figures):
        return "", ()
    each = [np.mean([np.frombuffer(text.encode(), np.uint8) - 48 for text in f.right], axis=0) for f in figures]
    return asked.pop(), tuple(np.mean(each, axis=0).tolist())
