"""The triplet loss: nearer to the positive than to the negative, by a margin.

Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", arXiv 1503.03832, eq. 3; with distances that are not squared, as
DSM and BE take it (Wang et al. 2021).

Axes: B queries, d dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, world_size


def triplet(q: Tensor, k: Tensor, n: Tensor, margin: float, valid: Tensor | None = None) -> Tensor:
    """max(0, |q - k| - |q - n| + margin), the mean over the queries that have a negative.

    Over several ranks the mean is taken over the queries of all of them, so that averaged gradients are those of one
    process; all ranks must then call this. Without a single negative the value is 0, and so is its gradient.

    Args:
        q: float [B, d], queries.
        k: float [B, d], the positive of each.
        n: float [B, d], the negative of each.
        margin: at least 0; between points of length one distances run to 2.
        valid: bool [B], the queries that have a negative; all by default.

    Returns:
        A scalar.

    Raises:
        ConfigError: the margin is negative.
        ShapeError: the shapes do not fit.
    """
    check_margin(margin)
    counted = torch.ones(len(q), dtype=torch.bool, device=q.device) if valid is None else valid
    if q.dim() != 2 or k.shape != q.shape or n.shape != q.shape or counted.shape != q.shape[:1]:
        raise ShapeError(
            f"triplet was given q {tuple(q.shape)}, k {tuple(k.shape)}, n {tuple(n.shape)} and valid "
            f"{tuple(counted.shape)}; expected [B, d] for the three, and [B]."
        )
    distances = [torch.linalg.vector_norm(q - other, dim=1) for other in (k, n)]
    losses = (distances[0] - distances[1] + margin).clamp_min(0)
    every = all_gather_rows(counted.sum().reshape(1)).sum().clamp(min=1)
    return torch.where(counted, losses, 0.0).sum() * world_size() / every


def own_triplets(q: Tensor, k: Tensor, negatives: Sequence[Tensor], margin: float, valid: Tensor | None) -> Tensor:
    """The mean of :func:`triplet` over the negatives that every query has for itself.

    Args:
        q: float [B, d], queries.
        k: float [B, d], the positive of each.
        negatives: N times float [B, d]; row i is a negative of query i.
        margin: at least 0.
        valid: bool [B, N], which query has which; None for all.

    Raises:
        ShapeError: there is no negative, and so no triplet.
    """
    if not negatives:
        raise ShapeError(
            "The batch has no negatives, and a triplet needs one.",
            "Build the batch with the negatives that the method's disturbances make.",
        )
    columns = [None] * len(negatives) if valid is None else valid.unbind(1)
    return torch.stack([triplet(q, k, n, margin, of) for n, of in zip(negatives, columns, strict=True)]).mean()


def check_margin(margin: float) -> None:
    """Refuses a margin below 0.

    Raises:
        ConfigError: names it.
    """
    if not margin >= 0:
        raise ConfigError(f"method.margin is {margin}; it must not be negative.")
