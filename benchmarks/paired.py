"""How far apart two methods are where both were run with the same seeds: the mean difference with its interval.

Both figures of a seed share its data, its start and its order, so their difference is compared and not the figures.
The interval is Student's t for the mean of these differences, 95 %: it says what other seeds of the training would
change, and nothing of other queries, data or budgets. With three seeds it is 2.5 standard deviations to either side.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The first minus the second.

    Args:
        mean: of the differences of each seed, in the unit of the figures.
        low: end of the interval; nan with one seed.
        high: end of the interval; nan with one seed.
        seeds: how many.
    """

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def reading(self) -> str:
        """What may be said: 'ahead' or 'behind' only where the interval lies on one side of zero."""
        if self.seeds == 1:
            return "one seed: not decided"
        if self.low > 0:
            return "ahead"
        if self.high < 0:
            return "behind"
        return f"not decided by {self.seeds} seeds"


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The difference of two methods over the seeds that both were run with.

    Args:
        first: a figure a seed.
        second: the other method's, of the same seeds in the same order.

    Raises:
        ValueError: no seed, or not as many of one as of the other.
    """
    if not first or len(first) != len(second):
        raise ValueError(
            f"{len(first)} and {len(second)} figures; give both methods' figures of the same seeds, one each."
        )
    each = [a - b for a, b in zip(first, second, strict=True)]
    mean = statistics.mean(each)
    if len(each) == 1:
        return Difference(mean, math.nan, math.nan, 1)
    half = float(t.ppf((1 + LEVEL) / 2, len(each) - 1)) * statistics.stdev(each) / math.sqrt(len(each))
    return Difference(mean, mean - half, mean + half, len(each))


def signed(value: float) -> str:
    """'+14.0', '−.2'; two places where one would be nothing but zeros, and '0' where two are."""
    if abs(value) < 0.005:
        return "0"
    text = f"{abs(value):.1f}" if abs(value) >= 0.05 else f"{abs(value):.2f}"
    return ("−" if value < 0 else "+") + text.removeprefix("0")


def written(difference: Difference, scale: float = 100) -> str:
    """'+14.0 [−.2, +28.2], 3 seeds'; with one seed '+14.0, one seed'.

    Args:
        difference: of two methods.
        scale: what a figure is multiplied by: 100 makes points of fractions.
    """
    mean = signed(scale * difference.mean)
    if difference.seeds == 1:
        return f"{mean}, one seed"
    return f"{mean} [{signed(scale * difference.low)}, {signed(scale * difference.high)}], {difference.seeds} seeds"


@dataclass(frozen=True)
class Comparison:
    """Two methods to compare, and their figures by seed; seeds that only one has are left out.

    Args:
        title: 'CPR − InfoNCE'.
        first: figure of each seed.
        second: the other's.
    """

    title: str
    first: Mapping[int, float]
    second: Mapping[int, float]

    @property
    def each(self) -> list[float]:
        """The difference of each seed, in order."""
        return [self.first[seed] - self.second[seed] for seed in sorted(self.first.keys() & self.second.keys())]

    @property
    def difference(self) -> Difference:
        """Over the seeds that both have."""
        seeds = sorted(self.first.keys() & self.second.keys())
        return paired([self.first[seed] for seed in seeds], [self.second[seed] for seed in seeds])


def table(comparisons: Iterable[Comparison], of: str) -> str:
    """The comparisons as Markdown.

    Args:
        comparisons: the rows.
        of: the figure, 'R@1': the unit is its points.
    """
    lines = [f"| difference in {of}, points | mean [95 %] | seed by seed | so the first is |", "|---|---|---|---|"]
    for one in comparisons:
        each = ", ".join(signed(100 * value) for value in one.each) if len(one.each) > 1 else ""
        lines.append(f"| {one.title} | {written(one.difference)} | {each} | {one.difference.reading} |")
    return "\n".join(lines)
