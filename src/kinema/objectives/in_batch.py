"""InfoNCE within a batch: each query finds its own key among the keys of all others.

Source: Gao, Yao, Chen 2021, "SimCSE", arXiv 2104.08821, eq. 1; van den Oord et al. 2018, arXiv 1807.03748.

Axes: B pairs of this rank, N pairs of all ranks, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, rank_slice


def in_batch_nce(q: Tensor, k: Tensor, temperature: float) -> Tensor:
    """-log( e^(q_i·k_i/τ) / Σ_j e^(q_i·k_j/τ) ), the mean over this rank's queries.

    Unlike :func:`kinema.objectives.nt_xent` it has one direction, and queries are no candidates. Over several ranks the
    keys are gathered with gradient.

    Args:
        q: float [B, d], L2-normalised.
        k: float [B, d], L2-normalised, row by row the positives of ``q``.
        temperature: τ, above 0.

    Returns:
        A scalar; log N where all similarities are equal.

    Raises:
        ConfigError: the temperature is not above 0.
        ShapeError: the two are not of one shape [B, d].
    """
    if not temperature > 0.0:
        raise ConfigError(f"The temperature is {temperature}; it must be above 0.")
    if q.dim() != 2 or q.shape != k.shape or not q.shape[0]:
        raise ShapeError(f"in_batch_nce was given q {tuple(q.shape)} and k {tuple(k.shape)}; expected [B, d] for both.")
    keys = all_gather_rows(k)
    own = torch.arange(len(keys), device=q.device)[rank_slice(len(q))]
    return torch.nn.functional.cross_entropy(q @ keys.T / temperature, own)
