"""The triplet loss: nearer to the positive than to the negative, by a margin.

Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", arXiv 1503.03832, eq. 3; with distances that are not squared, as
DSM and BE take it (Wang et al. 2021). The hardest of a batch: Hermans, Beyer, Leibe 2017, "In Defense of the Triplet
Loss for Person Re-Identification", arXiv 1703.07737, eq. 5.

Axes: B queries, or rows of a batch; d dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, rank_slice, world_size


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


def intra_and_inter(
    q: Tensor, k: Tensor, negatives: Sequence[Tensor], source: Tensor, margin: float, valid: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The two triplets of BE and DSM: against a clip's own negatives, and against those of the next clip.

    The next clip of the last one is the first, over all ranks. One of the same recording is left out.

    Args:
        q: float [B, d], queries.
        k: float [B, d], the positive of each.
        negatives: N times float [B, d]; row i is a negative of query i.
        source: int64 [B], the recordings.
        margin: at least 0.
        valid: bool [B, N], which query has which; None for all.

    Returns:
        Two scalars, each a mean over the queries that have a negative.

    Raises:
        ShapeError: there is no negative, and so no triplet.
    """
    here, every = rank_slice(len(q)), all_gather_rows(source)
    apart = (every != every.roll(-1))[here, None]
    theirs = apart.expand(-1, len(negatives))
    if valid is not None:
        theirs = apart & all_gather_rows(valid).roll(-1, 0)[here]
    intra = own_triplets(q, k, negatives, margin, valid)
    inter = own_triplets(q, k, [all_gather_rows(n).roll(-1, 0)[here] for n in negatives], margin, theirs)
    return intra, inter


def batch_hard_triplet(z: Tensor, labels: Tensor, margin: float) -> Tensor:
    """max(0, farthest of the same label - nearest of another + margin), the mean over the rows that have both.

    A row whose label no other row has, or that all rows have, is no anchor, and a row of label -1 is passed over
    altogether. Without an anchor the value is 0, and so is its gradient. Over several ranks the rows are those of all,
    which each rank then gives to this by itself.

    Args:
        z: float [B, d].
        labels: int64 [B], -1 where there is none.
        margin: at least 0.

    Returns:
        A scalar.

    Raises:
        ConfigError: the margin is negative.
        ShapeError: the shapes do not fit.
    """
    check_margin(margin)
    if z.dim() != 2 or labels.shape != z.shape[:1]:
        raise ShapeError(
            f"batch_hard_triplet was given z {tuple(z.shape)} and labels {tuple(labels.shape)}; expected [B, d], [B]."
        )
    z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
    known = labels >= 0
    both = known[:, None] & known[None, :]
    same = (labels[:, None] == labels[None, :]) & both
    others = same & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    different = both & ~same
    with torch.no_grad():
        distances = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
        farthest = distances.masked_fill(~others, -1.0).argmax(dim=1)
        nearest = distances.masked_fill(~different, torch.inf).argmin(dim=1)
    anchors = others.any(dim=1) & different.any(dim=1)
    anchor, positive, negative = z[anchors], z[farthest[anchors]], z[nearest[anchors]]
    losses = (_distance(anchor, positive) - _distance(anchor, negative) + margin).clamp_min(0)
    return losses.sum() / anchors.sum().clamp_min(1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """|a - b| by row; its gradient is 0, and not infinite, where both are one point."""
    distance: Tensor = torch.linalg.vector_norm(a - b, dim=1)
    return distance


def check_margin(margin: float) -> None:
    """Refuses a margin below 0.

    Raises:
        ConfigError: names it.
    """
    if not margin >= 0:
        raise ConfigError(f"method.margin is {margin}; it must not be negative.")
