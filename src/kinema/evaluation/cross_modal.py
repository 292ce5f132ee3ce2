"""Cross-modal retrieval: does a video in one view find itself in the other?

Both views are in one space and compared by cosine. Every item is a query in one view, and all items are ranked in the
other; the only right one is the item itself, and items of its own recording are no candidates. Ties count against the
query.

Axes: N items, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation.features import Array, checked, directions, siblings
from kinema.evaluation.interval import bootstrap_interval
from kinema.evaluation.labels import Vector
from kinema.evaluation.ranking import rank

CROSS_MODAL_KS = (1, 5, 10)
"""The ranks of the protocol."""


@dataclass(frozen=True)
class CrossModalFigures:
    """What one direction came to.

    Args:
        metrics: 'r@1', 'r@5', 'r@10', fractions of the items that find themselves among the first k; and
            'median_rank', the median of the ranks, 1 at best.
        omitted: those k for which some item has fewer candidates; they are not in ``metrics``.
        interval: 95 % bootstrap interval of r@1 over the items, (low, high).
        chance: r@1 expected of a random order.
        first: int64 [N], the rank of each item itself.
    """

    metrics: Mapping[str, float]
    omitted: tuple[int, ...]
    interval: tuple[float, float]
    chance: float
    first: NDArray[np.int64]


def retrieve_across(
    a: Array, b: Array, *, sources: Vector | None = None, seed: int = 0
) -> tuple[CrossModalFigures, CrossModalFigures]:
    """Ranks the items in one view for each item in the other, both ways.

    Args:
        a: float [N, d], or [N, V, d] for windows, whose mean is taken: the items in one view.
        b: the same items in the same order, in the other view.
        sources: whole numbers [N], the recordings; an item's siblings are no candidates for it.
        seed: of the bootstrap.

    Returns:
        a → b, with the queries from a; and b → a.

    Raises:
        DataError: there are fewer than two items, or one has no candidate but itself.
        ShapeError: the two are not of the same items, or not in one space; or a feature is not finite.
    """
    one, other = checked(a, "first view's"), checked(b, "second view's")
    if len(one) != len(other):
        raise ShapeError(f"There are {len(one)} items in one view and {len(other)} in the other; give the same items.")
    if one.shape[1] != other.shape[1]:
        raise ShapeError(
            f"One view has {one.shape[1]} dimensions and the other {other.shape[1]}: they do not lie in one space, so "
            "their items cannot be compared.",
            "Compare views whose heads give the same number of dimensions and were trained towards each other.",
        )
    own = siblings(sources, sources, len(one), len(one))
    itself = torch.eye(len(one), dtype=torch.bool)
    ignored = itself & False if own is None else own & ~itself
    if len(one) < 2 or bool((ignored | itself).all(1).any()):
        raise DataError(
            f"Of {len(one)} items one has nothing to be confused with: every other is of its own recording.",
            "Give items of two recordings or more.",
        )
    scores = directions(one, centred=False) @ directions(other, centred=False).T
    return _figures(scores, itself, ignored, seed), _figures(scores.T, itself, ignored, seed)


def _figures(scores: Tensor, itself: Tensor, ignored: Tensor, seed: int) -> CrossModalFigures:
    ranking = rank(scores, itself, ignored, CROSS_MODAL_KS)
    return CrossModalFigures(
        metrics={f"r@{k}": value for k, value in ranking.recall.items()}
        | {"median_rank": float(np.median(ranking.first.numpy()))},
        omitted=ranking.omitted,
        interval=bootstrap_interval(ranking.first == 1, seed),
        chance=ranking.chance,
        first=ranking.first.numpy(),
    )
