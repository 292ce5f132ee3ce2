"""A figure that judges an encoder without labels: do its clusters have the sizes that things in the world have?

Source: Piergiovanni, Angelova, Ryoo 2020, "Evolving Losses for Unsupervised Video Representation Learning",
arXiv 2002.12177: what people do, like the words they say, follows Zipf's law: the i-th most frequent is 1/i^s as
frequent as the first. Features are clustered by k-means, and

    p(c_i | x) = softmax_i(-|x - c_i|² / τ)      p(c_i) = its mean over x, sorted, the largest first
    q(c_i) = i^(-s) / H_{k,s}                    fitness = KL(p ‖ q), in nats; less is better

The features are standardised first, for otherwise their scale alone decides how sharp the softmax is. How the authors
scale theirs is not known here; τ = 1 is the formula as it stands. One scaling is enough: standardised *and* of unit
length, every p(c | x) is nearly uniform and the fitness sees nothing (``scaling='both'``, how it was measured before).
k-means' seed moves the fitness of one encoder, so it is the mean over several clusterings.

A collapsed encoder has a uniform p, and its fitness is not even bad: .56 nats at k = 50. So the spread and the rank of
the features are reported with the fitness, and :attr:`ZipfFigures.collapsed` says what may never win.

Axes: N videos, d dimensions, k clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, ShapeError
from kinema.core.ops import effective_rank, k_means

LEAST_RANK = 2.0
"""Effective rank of the centred features below which an encoder counts as collapsed."""

LEAST_SPREAD = 1e-4
"""Share of the features' mean square that lies around their mean, below which an encoder counts as collapsed."""

_DEAD = 1e-6

Scaling = Literal["standardised", "unit", "none", "both"]
"""Every dimension with mean 0 and variance 1; every row of unit length; neither; one after the other."""


@dataclass(frozen=True)
class ZipfFigures:
    """How near the clusters of features are to Zipf's law, and whether the features are worth clustering.

    Args:
        fitness: KL(p ‖ q), nats, the mean over clusterings; NaN of collapsed features.
        sizes: p, float64 [k], the largest first; its mean over clusterings.
        hard: the same divergence of the shares of videos that each cluster holds, which does not depend on τ.
        rank: effective rank of the centred features.
        spread: share of the features' mean square that lies around their mean, 0 to 1.
        deviation: standard deviation of the fitness over clusterings; 0 of a single one.
        sharpness: the largest p(c | x), the mean over x: near 1 / k the fitness sees nothing, near 1 it is ``hard``.
    """

    fitness: float
    sizes: NDArray[np.float64]
    hard: float
    rank: float
    spread: float
    deviation: float = 0.0
    sharpness: float = float("nan")

    @property
    def collapsed(self) -> str:
        """Why the features count as collapsed; empty where they do not."""
        if not self.spread >= LEAST_SPREAD:
            return f"collapsed: {self.spread:.1e} of the features' mean square lies around their mean"
        if not self.rank >= LEAST_RANK:
            return f"collapsed: the effective rank of the features is {self.rank:.2f}"
        return ""


def zipf_fitness(
    features: Tensor | NDArray[np.floating],
    k: int = 50,
    s: float = 1.0,
    seed: int = 0,
    temperature: float = 1.0,
    scaling: Scaling = "standardised",
    clusterings: int = 10,
) -> ZipfFigures:
    """The divergence of an encoder's clusters from Zipf's law.

    Args:
        features: float [N, d], one row a video.
        k: clusters, from 2.
        s: Zipf's exponent.
        seed: of k-means; the clusterings after the first have the next ones.
        temperature: τ; smaller is sharper.
        scaling: of the features; see :data:`Scaling`.
        clusterings: over which the figures are averaged.

    Raises:
        ShapeError: the features are no finite [N, d], or a setting is out of range.
        DataError: there are not more videos than clusters.
    """
    x = torch.as_tensor(features).double()
    if x.dim() != 2 or not torch.isfinite(x).all():
        raise ShapeError(f"zipf_fitness was given features {tuple(x.shape)}; expected finite [N, d].")
    if k < 2 or not s > 0 or not temperature > 0:
        raise ShapeError(f"k is {k}, s {s} and the temperature {temperature}; k is at least 2, the others above 0.")
    if clusterings < 1 or scaling not in get_args(Scaling):
        raise ShapeError(
            f"clusterings is {clusterings} and scaling '{scaling}'; expected at least 1, and one of "
            f"{', '.join(get_args(Scaling))}."
        )
    if len(x) <= k:
        raise DataError(f"{len(x)} videos cannot be sorted into {k} clusters.", "Take fewer clusters, or more videos.")
    centred = x - x.mean(0)
    rank = float(effective_rank(centred.float()))
    spread = float(centred.square().mean() / x.square().mean().clamp_min(torch.finfo(x.dtype).tiny))
    figures = ZipfFigures(float("nan"), np.zeros(k), float("nan"), rank, spread)
    if figures.collapsed:
        return figures
    points = scaled(x, scaling).numpy()
    found = [_clustered(points, k, s, seed + number, temperature) for number in range(clusterings)]
    fitness, hard, sharpness = (float(np.mean([each[i] for each in found])) for i in (0, 2, 3))
    deviation = float(np.std([each[0] for each in found]))
    return ZipfFigures(fitness, np.mean([each[1] for each in found], axis=0), hard, rank, spread, deviation, sharpness)


def _clustered(
    points: NDArray[np.float64], k: int, s: float, seed: int, temperature: float
) -> tuple[float, NDArray[np.float64], float, float]:
    """Of one clustering: the fitness, p with the largest first, the divergence of hard clusters, the sharpness."""
    labels, centres = k_means(points, k, seed=seed, starts=4)
    squares = (points**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * points @ centres.T
    shares = torch.softmax(torch.from_numpy(-squares / temperature), dim=1)
    p, sizes = shares.mean(0).numpy(), np.bincount(labels, minlength=k) / len(points)
    return divergence(p, s), np.sort(p)[::-1], divergence(sizes, s), float(shares.amax(1).mean())


def scaled(x: Tensor, scaling: Scaling) -> Tensor:
    """Features as :data:`Scaling` says, float [N, d]; a dimension that is dead is 0 once standardised."""
    if scaling in ("standardised", "both"):
        deviation = x.std(0, correction=0)
        alive = deviation > _DEAD * deviation.max()
        x = torch.where(alive, (x - x.mean(0)) / torch.where(alive, deviation, 1.0), 0.0)
    return torch.nn.functional.normalize(x, dim=1) if scaling in ("unit", "both") else x


def divergence(p: NDArray[np.float64], s: float = 1.0) -> float:
    """KL(p ‖ q) from Zipf's law with the exponent ``s``, p sorted first; nats, 0 only where p is Zipf's law.

    Args:
        p: float [k], shares that add up to 1.
        s: the exponent.
    """
    ordered, q = np.sort(np.asarray(p, dtype=np.float64))[::-1], zipf(len(p), s)
    there = ordered > 0
    return max(0.0, float((ordered[there] * np.log(ordered[there] / q[there])).sum()))


def worst_divergence(k: int, s: float = 1.0) -> float:
    """The largest value that :func:`divergence` can take for k shares.

    It is convex in p, so the worst of the sorted p is one that spreads evenly over the first few.
    """
    return max(divergence(np.repeat([1 / n, 0.0], [n, k - n]), s) for n in range(1, k + 1))


def zipf(k: int, s: float = 1.0) -> NDArray[np.float64]:
    """Zipf's law over k things, the most frequent first: i^(-s) / H_{k,s}."""
    weights = np.arange(1, k + 1, dtype=np.float64) ** -s
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
