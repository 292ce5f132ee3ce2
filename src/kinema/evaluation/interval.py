"""How far a fraction of hits would move with other videos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def bootstrap_interval(hit: Tensor, seed: int, resamples: int = 10_000) -> tuple[float, float]:
    """95 % percentile interval of the mean of hits and misses, over resamples of the queries.

    To draw Q queries with replacement and count the hits is to draw from a binomial distribution, so that is drawn.
    Queries are taken as independent; where many come from one recording, the true spread is larger.

    Args:
        hit: bool [Q].
        seed: of the draws.
        resamples: how many.
    """
    q = len(hit)
    means = np.random.default_rng(seed).binomial(q, float(hit.double().mean()), resamples) / q
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(values: NDArray[np.floating], seed: int, resamples: int = 10_000) -> tuple[float, float]:
    """95 % percentile interval of the mean of a figure that each query has, over resamples of the queries.

    Args:
        values: float [Q], for instance each query's average precision.
        seed: of the draws.
        resamples: how many.
    """
    rng, q = np.random.default_rng(seed), len(values)
    step = max(1, (1 << 22) // q)
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    means = np.concatenate([values[rng.integers(0, q, (size, q))].mean(axis=1) for size in sizes])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
