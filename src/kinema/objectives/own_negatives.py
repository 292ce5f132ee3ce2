"""Negatives of one clip alone: the similarity of each query to its own hard negatives.

A clip whose motion was broken, or another window of the same video, is a negative of its clip and of no other. It is
one more logit in that clip's row, besides those that all rows share.

Source: Tao, Wang, Yamasaki 2020, "Self-supervised Video Representation Learning Using Inter-intra Contrastive
Framework" (IIC), arXiv 2008.02531, sect. 3.3; Wang et al. 2021, DSM, arXiv 2009.05757, and BE, arXiv 2009.05769.

In a small batch such a negative weighs too much: among 15 others it carries a third of the gradient of all negatives,
among the 3,569 of BE's queue less than a hundredth. :func:`weighed_among` gives it the weight that it has there.

Axes: B queries, N negatives of each, d dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError


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


def weighed_among(own: Tensor, others: Tensor, among: int, temperature: float = 1.0) -> Tensor:
    """Own negatives with the weight that they have among ``among`` other negatives: lowered by τ log(among / others).

    Args:
        own: float [B, N], as :func:`own_negatives` gives them, or logits.
        others: int64 [B], how many other negatives each query has here; 0 counts as 1.
        among: how many it is to weigh among; 0 changes nothing.
        temperature: τ, by which ``own`` is divided afterwards; 1 for logits.

    Returns:
        Float [B, N], to be used as ``own`` is.

    Raises:
        ShapeError: ``others`` is not of one number a query.
    """
    if others.shape != own.shape[:1]:
        raise ShapeError(f"weighed_among was given own {tuple(own.shape)} and others {tuple(others.shape)}.")
    if not among:
        return own
    offset = math.log(among) - others.clamp_min(1).to(own.dtype).log()
    return own - temperature * offset[:, None]


def check_among(among: int) -> None:
    """Refuses a number of negatives below 0.

    Raises:
        ConfigError: names it.
    """
    if among < 0:
        raise ConfigError(f"method.own_among is {among}; it must be 0 (for no change) or a number of negatives.")
