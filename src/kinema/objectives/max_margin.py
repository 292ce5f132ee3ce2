"""The max-margin loss between two modalities: nearer to the other modality of the own clip than to that of any other.

Source: the contrastive task of ELo (Piergiovanni, Angelova, Ryoo 2020, arXiv 2002.12177), which the paper calls
max-margin; its exact form is a reconstruction: squared distances, every other clip of the batch a negative, both ways.

Axes: B clips of this rank, N of all ranks, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ShapeError
from kinema.core.ops import all_gather_rows, world_size
from kinema.objectives.triplet import check_margin


def max_margin(a: Tensor, b: Tensor, source: Tensor, margin: float) -> Tensor:
    """max(0, |a_i - b_i|² - |a_i - b_j|² + margin) and the same from b to a, the mean over i, j of two recordings.

    Over several ranks the mean is taken over the pairs of all of them, so that averaged gradients are those of one
    process; all ranks must then call this. Without a single pair the value is 0, and so is its gradient.

    Args:
        a: float [B, d], one modality, of unit length.
        b: float [B, d], the other modality of the same clips, of unit length.
        source: int64 [B], the recordings; clips of one recording are no negatives of each other.
        margin: at least 0; squared distances run to 4.

    Returns:
        A scalar; the margin where all are equally similar.

    Raises:
        ConfigError: the margin is negative.
        ShapeError: the shapes do not fit.
    """
    check_margin(margin)
    if a.dim() != 2 or b.shape != a.shape or source.shape != a.shape[:1]:
        raise ShapeError(
            f"max_margin was given a {tuple(a.shape)}, b {tuple(b.shape)} and source {tuple(source.shape)}; "
            "expected [B, d] twice, and [B]."
        )
    every = all_gather_rows(source)
    counted = source[:, None] != every
    pairs = all_gather_rows(counted.sum().reshape(1)).sum().clamp(min=1)
    own = (a * b).sum(1, keepdim=True)
    total = a.new_zeros(())
    for near, far in ((a, b), (b, a)):
        losses = (margin + 2 * (near @ all_gather_rows(far).T - own)).clamp_min(0)
        total = total + torch.where(counted, losses, 0.0).sum()
    return total * world_size() / (2 * pairs)
