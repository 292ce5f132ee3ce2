"""Negatives of one clip alone: the similarity of each query to its own hard negatives.

A clip whose motion was broken, or another window of the same video, is a negative of its clip and of no other. It is
one more logit in that clip's row, besides those that all rows share.

Source: Tao, Wang, Yamasaki 2020, "Self-supervised Video Representation Learning Using Inter-intra Contrastive
Framework" (IIC), arXiv 2008.02531, sect. 3.3; Wang et al. 2021, DSM, arXiv 2009.05757, and BE, arXiv 2009.05769.

Axes: B queries, N negatives of each, d dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinema.core.errors import ShapeError


def own_negatives(q: Tensor, negatives: Sequence[Tensor], valid: Tensor | None = None) -> Tensor:
    """The similarity of every query with its own negatives, row by row.

    Args:
        q: float [B, d], queries, L2-normalised.
        negatives: N times float [B, d], L2-normalised; row i is a negative of query i. N may be 0.
        valid: bool [B, N], which query has which; all by default.

    Returns:
        Float [B, N], -inf where a query has no such negative: what the objectives take as ``own``.

    Raises:
        ShapeError: the shapes do not fit.
    """
    wrong = [tuple(n.shape) for n in negatives if n.shape != q.shape]
    if wrong or (valid is not None and (valid.dtype != torch.bool or valid.shape != (len(q), len(negatives)))):
        valids = "" if valid is None else f", valid {valid.dtype} {tuple(valid.shape)}"
        raise ShapeError(
            f"own_negatives was given q {tuple(q.shape)} and negatives {[tuple(n.shape) for n in negatives]}{valids}; "
            "expected [B, d] for all, and bool [B, N]."
        )
    if not negatives:
        return q.new_zeros(len(q), 0)
    similarity = torch.stack([(q * n).sum(dim=1) for n in negatives], dim=1)
    return similarity if valid is None else similarity.masked_fill(~valid, float("-inf"))
