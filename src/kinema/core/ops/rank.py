"""The effective rank of a set of embeddings: how many directions they really use."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(z: Tensor) -> Tensor:
    """Exp of the entropy of the normalised singular values (RankMe, Garrido et al. 2023, eq. 1-3).

    Args:
        z: float [N, d], not centred.

    Returns:
        A scalar in [1, min(N, d)]: 1 when all rows lie on one line, d when every direction is used alike. NaN where
        an entry is not finite.
    """
    if not torch.isfinite(z).all():
        return z.new_tensor(float("nan"))
    s = torch.linalg.svdvals(z.float())
    p = s / s.sum().clamp_min(1e-12)
    return torch.exp(-(p * torch.log(p.clamp_min(1e-12))).sum())
