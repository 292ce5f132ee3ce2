"""Classification where a row may have several labels: a softmax over those present, and a weighted binary loss.

Source: Liu, Qi 2018, "Discriminative Cross-View Binary Representation Learning" (DCVH), arXiv 1804.01233, whose
classification of both views is a softmax cross-entropy and, with a weight ν, a binary cross-entropy whose positives are
weighted; as in its parent, "Direct Binary Embedding", arXiv 1703.04960. What the papers leave open is reconstructed.

Axes: B rows, C labels; P_i the labels that row i has, z its logits, t_ic 1 where row i has label c and 0 elsewhere.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, world_size


def present_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-1/|P_i| Σ_{c in P_i} log softmax(z_i)_c, the mean over the rows that have a label.

    Over several ranks the mean is taken over the rows of all of them, so that averaged gradients are those of one
    process; all ranks must then call this. Without a single label the value is 0, and so is its gradient.

    Args:
        logits: float [B, C].
        labels: bool [B, C].

    Returns:
        A scalar.

    Raises:
        ShapeError: the shapes do not fit.
    """
    _check(logits, labels, "present_cross_entropy")
    logits = _precise(logits)
    count = labels.sum(dim=1)
    summed = torch.where(labels, torch.log_softmax(logits, dim=1), 0.0).sum(dim=1)
    every = all_gather_rows((count > 0).sum().reshape(1)).sum().clamp_min(1)
    return -(summed / count.clamp_min(1)).sum() * world_size() / every


def weighted_bce(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """-[ρ_c t_ic log σ(z_ic) + (1 - t_ic) log(1 - σ(z_ic))], the mean over rows and labels.

    Args:
        logits: float [B, C].
        labels: bool [B, C].
        weights: float [C], ρ, see :func:`positive_weights`.

    Returns:
        A scalar.

    Raises:
        ShapeError: the shapes do not fit.
    """
    _check(logits, labels, "weighted_bce")
    if weights.shape != logits.shape[1:]:
        raise ShapeError(f"weighted_bce was given weights {tuple(weights.shape)}; expected [{logits.shape[1]}].")
    logits = _precise(logits)
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), pos_weight=weights.to(logits.dtype))


def positive_weights(labels: Tensor, cap: float) -> Tensor:
    """ρ_c = negatives / positives of each label, at most ``cap``, which is that of a label that no row has too.

    Over several ranks the rows of all of them are counted; all ranks must then call this.

    Args:
        labels: bool [B, C].
        cap: above 0.

    Returns:
        Float32 [C].

    Raises:
        ConfigError: the cap is not above 0.
    """
    if not cap > 0:
        raise ConfigError(f"method.rho_cap is {cap}; it must be above 0.", "The papers' is 10.")
    counts = torch.stack([labels.sum(dim=0), (~labels).sum(dim=0)])  # [2, C]
    positives, negatives = all_gather_rows(counts[None]).sum(dim=0).float()
    weights: Tensor = (negatives / positives).nan_to_num(nan=cap, posinf=cap).clamp_max(cap)
    return weights


def _precise(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check(logits: Tensor, labels: Tensor, name: str) -> None:
    if logits.dim() != 2 or labels.shape != logits.shape or labels.dtype != torch.bool:
        raise ShapeError(
            f"{name} was given logits {tuple(logits.shape)} and labels {labels.dtype} {tuple(labels.shape)}; expected "
            "float [B, C] and bool [B, C]."
        )
