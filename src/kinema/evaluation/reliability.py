"""How reliable a figure of encoders is: what it says of the same encoders from other data, and the most it can tell.

Source: Spearman 1910, "Correlation calculated from faulty data", and Brown 1910, "Some experimental results in the
correlation of mental abilities", both British Journal of Psychology 3: halves that correlate by r make a whole whose
reliability is 2 r / (1 + r), and what is measured with reliability ρ correlates with nothing above √ρ.

Axes: C encoders, S splits into halves, N videos, d dimensions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, ShapeError
from kinema.core.seeds import seed_at

Halves = Sequence[tuple[float, float]]
"""A figure of one encoder from two halves of the data, for each of S splits."""


@dataclass(frozen=True)
class Reliability:
    """How far a figure ranks encoders as it would with other data.

    Args:
        half: rank correlation over the encoders of one half's figure with the other's, the mean over splits.
        whole: the reliability of the figure from all data, from 0 to 1.
        ceiling: √whole, above which no rank correlation with this figure can be expected.
    """

    half: float
    whole: float
    ceiling: float


def of_halves(
    figure: Callable[[NDArray[np.floating], int], float],
    features: NDArray[np.floating],
    *,
    splits: int = 3,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """A figure of one encoder from halves of the data: equal halves for every encoder of as many videos.

    Args:
        figure: from features, float [N / 2, d], and a seed, which is another one for each half.
        features: float [N, d], one row a video.
        splits: S.
        seed: of the splits.
    """
    x, found = np.asarray(features), []
    for split in range(splits):
        order = np.random.default_rng(seed_at(seed, "halves", split)).permutation(len(x))
        first, second = (np.sort(part) for part in np.array_split(order, 2))
        found.append((figure(x[first], 2000 * split), figure(x[second], 2000 * split + 1000)))
    return found


def reliability(halves: Sequence[Halves]) -> Reliability:
    """The reliability of a figure of C encoders, from its halves.

    Args:
        halves: of each encoder, as many splits of each.

    Raises:
        DataError: fewer than three encoders, which have no rank correlation to speak of.
        ShapeError: the encoders have other numbers of splits, or a figure is not finite.
    """
    from scipy.stats import spearmanr

    if len(halves) < 3:
        raise DataError(f"A reliability needs at least 3 encoders; there are {len(halves)}.")
    if len({len(each) for each in halves}) != 1 or not np.isfinite(np.array(halves, dtype=float)).all():
        raise ShapeError("reliability was given encoders of unlike numbers of splits, or figures that are not finite.")
    table = np.array(halves, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a half that says the same of all encoders correlates with nothing
        correlations = [spearmanr(table[:, split, 0], table[:, split, 1]).statistic for split in range(table.shape[1])]
    half = float(np.mean(np.nan_to_num(correlations)))
    whole = max(0.0, 2 * half / (1 + half)) if half > -1 else 0.0
    return Reliability(half, whole, math.sqrt(whole))
