"""A protocol's main figure with its uncertainty, over queries and over seeds, and the difference of two.

The protocol says which figure is the main one. Each has a 95 % bootstrap interval over its queries. Where two encoders
answered the very same queries and every answer was stored, their difference is bootstrapped over the queries too, pair
by pair: what is hard for both then counts for neither. Where answers are missing, the interval of the difference
follows from the two by squaring and adding the distances to their bounds (Zou and Donner, Statistics in Medicine 27,
2008). That takes the two as independent, which makes it, if anything, too wide: the sentence errs towards "did not
help".

Runs that differ in nothing but the seed are averaged. **Two encoders that were trained with the same seeds, at least
two of them, on the same data are compared seed by seed**: the difference is the mean of the differences of each seed.
Its interval must cover two sources of chance that do not replace one another:

- another seed. A bootstrap over three seeds is much too narrow: three values give a spread that is too small by a
  fifth, and its quantiles are those of many values. tests/reporting/test_paired.py counts that it covers the truth in
  some 70 to 75 % of the cases. Student's t over the differences of K seeds, with K - 1 degrees of freedom, is exact for
  normal differences at every K.
- other queries. All seeds were asked the same ones, so a query that happens to favour one encoder moves the differences
  of all seeds alike, and their spread does not show it. This part is the bootstrap over queries of the answers' mean
  over the seeds.

The distances of both to the mean are squared and added, as Zou and Donner do. The result is never narrower than the
interval over queries alone. It is a little too wide, because what a seed changes by chance on single queries counts
in both: with three seeds it covers the truth in 96 to 99 % of the cases.

Seeds that only one of the two has do not enter their difference. Where fewer than two are shared, the spread of each
encoder's seeds is added by itself, as if they were independent. With one seed each there is no such spread, and the
interval says what other queries would change, nothing more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kinema.core.ops import bootstrap_of_mean
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.pooled import Group
from kinema.reporting.report import Figure, Row
from kinema.reporting.wording import join

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
        seeds: by which the two were compared, one by one; empty where they were not.
        each: the difference of each of these seeds.
        some: whether one of the two has further seeds, which do not enter.
    """

    value: float
    low: float
    high: float
    paired: bool = False
    apart: int | None = None
    higher_is_better: bool = True
    seeds: tuple[int, ...] = ()
    each: tuple[float, ...] = ()
    some: bool = False

    @property
    def how(self) -> str:
        """How the two were compared, in words."""
        queries = "by the same queries" if self.paired else "by the two intervals"
        if not self.seeds:
            return queries
        which = f" over the seeds {join(map(str, self.seeds))}" if self.some else ""
        return f"seed by seed{which}" + (f" and {queries}" if self.paired else "")

    @property
    def larger(self) -> bool:
        """Whether it is larger than the uncertainty."""
        return (self.low > 0 or self.high < 0) and (self.apart is None or self.apart >= FEWEST)

    @property
    def lead(self) -> float:
        """How far the one is ahead of the other; below zero it is behind."""
        return self.value if self.higher_is_better else -self.value

    @property
    def lead_bounds(self) -> tuple[float, float]:
        """The 95 % interval of the lead."""
        return (self.low, self.high) if self.higher_is_better else (-self.high, -self.low)

    @property
    def better(self) -> bool:
        """Whether the one is ahead by more than the uncertainty."""
        return self.larger and self.lead > 0

    @property
    def worse(self) -> bool:
        """Whether the one is behind by more than the uncertainty."""
        return self.larger and self.lead < 0


@dataclass(frozen=True)
class OfSeed:
    """The main figure of one seed.

    Args:
        seed: the run's seed.
        value: the figure.
        below: how far the lower bound of its 95 % interval over queries is below it; None where there is none.
        above: how far the upper one is above it.
        asked: a digest of the queries; empty where the answers were not stored.
        right: for every query, whether it was answered rightly, or the share of several draws.
    """

    seed: int
    value: float
    below: float | None = None
    above: float | None = None
    asked: str = ""
    right: tuple[float, ...] = field(default=(), repr=False)


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
        each: the figure of every run.
        learnt_from: a digest of the training data; empty where nothing was learnt, or nothing says.
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
    each: tuple[OfSeed, ...] = field(default=(), repr=False)
    learnt_from: str = ""

    @property
    def score(self) -> float:
        """The figure, turned so that higher is better."""
        return self.value if self.higher_is_better else -self.value

    def shared_seeds(self, other: Estimate) -> tuple[int, ...]:
        """The seeds by which the two can be compared one by one, ascending; none unless at least two."""
        if self.learnt_from and other.learnt_from and self.learnt_from != other.learnt_from:
            return ()
        both = {each.seed for each in self.each} & {each.seed for each in other.each}
        return tuple(sorted(both)) if len(both) > 1 else ()

    def at(self, seeds: Sequence[int]) -> Estimate:
        """The same over some of its seeds. Of several runs of one seed it is the mean."""
        each = [_of_one_seed([run for run in self.each if run.seed == seed]) for seed in seeds]
        return _mean(each, self.encoder, self.epochs, self.higher_is_better, self.learnt_from)

    def lead_over(self, other: Estimate) -> float:
        """How far this one is ahead, by the seeds that both have if they are compared by them; below zero, behind."""
        seeds = self.shared_seeds(other)
        one, two = (self.at(seeds), other.at(seeds)) if seeds else (self, other)
        return one.score - two.score

    def minus(self, other: Estimate) -> Difference | None:
        """The difference and its 95 % interval, seed by seed where that can be; None where one has no interval."""
        seeds = self.shared_seeds(other)
        one, two = (self.at(seeds), other.at(seeds)) if seeds else (self, other)
        each = tuple(a.value - b.value for a, b in zip(one.each, two.each, strict=True)) if seeds else ()
        spreads = (half_interval(each),) if seeds else (one.spread, two.spread)
        value, apart = one.value - two.value, None
        if paired := bool(one.asked) and one.asked == two.asked and len(one.right) == len(two.right):
            d = np.array(one.right) - np.array(two.right)
            low, high = bootstrap_of_mean(d, 0)
            below, above = float(d.mean()) - low, high - float(d.mean())
            apart = int(np.count_nonzero(d))
        else:
            ours, theirs = one._over_queries(), two._over_queries()
            if ours is None or theirs is None:
                return None
            below, above = math.hypot(ours[0], theirs[1]), math.hypot(ours[1], theirs[0])
        below, above = (math.hypot(side, *spreads) for side in (below, above))
        some = bool(seeds) and {*seeds} != {run.seed for run in (*self.each, *other.each)}
        return Difference(value, value - below, value + above, paired, apart, self.higher_is_better, seeds, each, some)

    def _over_queries(self) -> tuple[float, float] | None:
        """How far the bounds are below and above, without what the spread of the seeds has added."""
        if self.low is None or self.high is None:
            return None
        below, above = (
            math.sqrt(max(0.0, side**2 - self.spread**2)) for side in (self.value - self.low, self.high - self.value)
        )
        return below, above


def estimate(
    row: Row | Group,
    figures: Sequence[Figure],
    vocabulary: Vocabulary,
    epochs: int | None = None,
    seeds: Sequence[int] = (),
    learnt_from: str = "",
) -> Estimate | None:
    """The estimate over figures that differ in nothing but the seed; None where the main one is missing.

    Args:
        row: says which encoder and which protocol.
        figures: one a seed.
        vocabulary: says which figure is the protocol's main one.
        epochs: for how many the encoder was trained; None where nothing says.
        seeds: of the figures; where they are not given, nothing is compared seed by seed.
        learnt_from: a digest of the training data.
    """
    metric = vocabulary.main(row.protocol, figures[0].metrics) if figures else None
    values = [figure.metrics.get(metric) for figure in figures] if metric else []
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    each = [
        _of_figure(figure, value, seed)
        for figure, value, seed in zip(figures, known, seeds or range(len(known)), strict=True)
    ]
    higher = vocabulary.protocol(row.protocol).higher_is_better
    found = _mean(each, row.encoder, epochs, higher, learnt_from)
    return found if seeds else replace(found, each=())


def half_interval(values: Sequence[float]) -> float:
    """Half the 95 % interval of a mean by Student's t; 0 of a single value."""
    if len(values) < 2:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))


def _mean(
    each: Sequence[OfSeed], encoder: str, epochs: int | None, higher_is_better: bool, learnt_from: str
) -> Estimate:
    """The mean of several runs: its bounds are over queries, the mean of the runs', and over seeds together."""
    value = sum(run.value for run in each) / len(each)
    spread = half_interval([run.value for run in each])
    around = _distances(each)
    low, high = (
        (None, None)
        if around is None
        else (value - math.hypot(around[0], spread), value + math.hypot(around[1], spread))
    )
    asked, right = _answers(each)
    return Estimate(
        encoder, value, low, high, len(each), epochs, spread, asked, right, higher_is_better, tuple(each), learnt_from
    )


def _of_figure(figure: Figure, value: float, seed: int) -> OfSeed:
    below, above = (value - figure.interval[0], figure.interval[1] - value) if figure.interval else (None, None)
    asked, right = "", ()
    if figure.asked and figure.right:
        draws = [np.frombuffer(text.encode(), np.uint8) - 48 for text in figure.right]
        asked, right = figure.asked, tuple(np.mean(draws, axis=0).tolist())
    return OfSeed(seed, value, below, above, asked, right)


def _of_one_seed(runs: Sequence[OfSeed]) -> OfSeed:
    """Several runs of one seed as one."""
    if len(runs) == 1:
        return runs[0]
    below, above = _distances(runs) or (None, None)
    return OfSeed(runs[0].seed, sum(run.value for run in runs) / len(runs), below, above, *_answers(runs))


def _distances(each: Sequence[OfSeed]) -> tuple[float, float] | None:
    """How far the bounds over queries are below and above, on average; None where a run has no interval."""
    below = [run.below for run in each if run.below is not None]
    above = [run.above for run in each if run.above is not None]
    if len(below) < len(each) or len(above) < len(each):
        return None
    return sum(below) / len(each), sum(above) / len(each)


def _answers(each: Sequence[OfSeed]) -> tuple[str, tuple[float, ...]]:
    """The digest of the queries and the share of right answers to each; nothing where a run lacks them."""
    asked = {run.asked for run in each}
    if len(asked) != 1 or "" in asked or len({len(run.right) for run in each}) != 1:
        return "", ()
    return asked.pop(), tuple(np.mean([run.right for run in each], axis=0).tolist())
