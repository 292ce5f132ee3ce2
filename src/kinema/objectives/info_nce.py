"""InfoNCE: distinguish a clip's own key from a memory of other clips' keys.

Source: He et al. 2019, "Momentum Contrast", arXiv 1911.05722, eq. 1, after van den Oord et al. 2018,
arXiv 1807.03748.

Axes: B queries, K negatives, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError


def info_nce(q: Tensor, k: Tensor, negatives: Tensor, temperature: float, valid: Tensor | None = None) -> Tensor:
    """-log( e^(q·k/τ) / (e^(q·k/τ) + Σ_j e^(q·n_j/τ)) ), the mean over the batch.

    The gradient flows into whatever requires it: detach ``k`` and ``negatives`` where they come from a momentum
    encoder. With all similarities equal the value is log(1 + K).

    Args:
        q: float [B, d], queries, L2-normalised.
        k: float [B, d], the positive key of each query, L2-normalised.
        negatives: float [K, d], L2-normalised; K may be 0, and the loss then is 0.
        temperature: τ, above 0.
        valid: bool [K] or [B, K], the negatives that count; all by default.

    Returns:
        A scalar.

    Raises:
        ConfigError: the temperature is not above 0.
        ShapeError: the shapes do not fit.
    """
    if not temperature > 0.0:
        raise ConfigError(f"The temperature is {temperature}; it must be above 0.")
    if q.dim() != 2 or not q.shape[0] or k.shape != q.shape or negatives.dim() != 2 or negatives.shape[1] != q.shape[1]:
        raise ShapeError(
            f"info_nce was given q {tuple(q.shape)}, k {tuple(k.shape)} and negatives {tuple(negatives.shape)}; "
            "expected [B, d], [B, d] and [K, d]."
        )
    positive = (q * k).sum(dim=1, keepdim=True) / temperature
    others = q @ negatives.T / temperature
    if valid is not None:
        if valid.dtype != torch.bool or valid.shape not in (others.shape, others.shape[1:]):
            raise ShapeError(
                f"info_nce: valid is {valid.dtype} {tuple(valid.shape)}; expected bool {tuple(others.shape[1:])} "
                f"or {tuple(others.shape)}."
            )
        others = others.masked_fill(~valid, float("-inf"))
    logits = torch.cat([positive, others], dim=1)
    return (logits.logsumexp(dim=1) - positive.squeeze(1)).mean()
