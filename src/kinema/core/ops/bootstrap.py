"""How far a mean would move with other items."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def bootstrap_of_mean(values: ArrayLike, seed: int, resamples: int = 10_000) -> tuple[float, float]:
    """95 % percentile interval of the mean, over resamples of the items.

    To draw N items with replacement is to draw how often each value occurs from a multinomial distribution, so that is
    drawn: the cost depends on how many values differ and not on N. Items are taken as independent.

    Args:
        values: float [N], at least one.
        seed: of the draws.
        resamples: how many.
    """
    different, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    n = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, resamples)
    low, high = np.quantile(drawn @ different / n, [0.025, 0.975])
    return float(low), float(high)
