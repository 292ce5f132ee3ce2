"""How far a fraction of hits would move with other videos."""

from __future__ import annotations

import numpy as np
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
