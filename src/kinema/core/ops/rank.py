"""The effective rank of a set of embeddings: how many directions they really use."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-7
"""What the paper adds to every normalised singular value, for features in single precision."""


def effective_rank(z: Tensor) -> Tensor:
    """Exp of the entropy of the normalised singular values (RankMe, Garrido et al. 2023, eq. 1-3).

    Args:
        z: float [N, d], not centred.

    Returns:
        A scalar from 1 to min(N, d), beyond either by no more than the paper's epsilon makes it: 1 when all rows lie on
        one line, d when every direction is used equally. NaN where an entry is not finite.
    """
    if not torch.isfinite(z).all():
        return z.new_tensor(float("nan"))
    s = torch.linalg.svdvals(z.float())
    p = s / s.sum().clamp_min(torch.finfo(s.dtype).tiny) + EPSILON
    return torch.exp(-(p * torch.log(p)).sum())
