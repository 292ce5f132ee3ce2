"""Multi-positive InfoNCE: the positives of a clip, taken together, against all candidates.

Source: Miech et al. 2020, "End-to-End Learning of Visual Representations from Uncurated Instructional Videos"
(MIL-NCE), arXiv 1912.06430, eq. 1; it is the objective of CoCLR and of CPR.

Departures from the authors' code: written with logsumexp, where log(softmax · mask) loses its gradient once the
positives' share underflows.

Axes: B queries, M candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ShapeError
from kinema.core.ops import all_gather_rows, world_size


def multi_positive_nce(
    logits: Tensor, positives: Tensor, candidates: Tensor | None = None, own: Tensor | None = None
) -> Tensor:
    """-log( Σ_positives e^s / Σ_candidates e^s ), the mean over the queries that have a positive.

    A query without a positive says nothing and is left out of the mean; if none has one, the value is 0 and its
    gradient is 0, never NaN. Over several ranks the mean is taken over the queries of all of them, so that averaged
    gradients are those of one process; all ranks must then call this.

    Args:
        logits: float [B, M], similarities already divided by the temperature.
        positives: bool [B, M].
        candidates: bool [B, M], what the denominator sums over beside the positives, which always belong to it; all
            by default. To leave an entry out of both sums, clear it in both masks.
        own: float [B, N], logits of negatives that a row has for itself, -inf where it has none; see
            :func:`kinema.objectives.own_negatives`.

    Returns:
        A scalar.

    Raises:
        ShapeError: a mask is not bool or not of the logits' shape, or ``own`` has other rows.
    """
    for name, mask in (("positives", positives), ("candidates", candidates)):
        if mask is not None and (mask.dtype != torch.bool or mask.shape != logits.shape or logits.dim() != 2):
            raise ShapeError(
                f"multi_positive_nce: {name} is {mask.dtype} {tuple(mask.shape)}; expected bool [B, M] like the "
                f"logits {tuple(logits.shape)}."
            )
    if own is not None:
        if own.dim() != 2 or len(own) != len(logits):
            raise ShapeError(f"multi_positive_nce: own is {tuple(own.shape)}; expected [{len(logits)}, N].")
        candidates = torch.ones_like(positives) if candidates is None else candidates
        logits, candidates = torch.cat([logits, own], dim=1), torch.cat([candidates, own > float("-inf")], dim=1)
        positives = torch.cat([positives, torch.zeros_like(own, dtype=torch.bool)], dim=1)
    some = positives.any(dim=1)
    numerator = positives | ~some.unsqueeze(1)  # a row without positives is computed on all entries, then left out
    denominator = None if candidates is None else candidates | numerator
    losses = _logsumexp(logits, denominator) - _logsumexp(logits, numerator)
    counted = all_gather_rows(some.sum().reshape(1)).sum().clamp(min=1)
    return torch.where(some, losses, 0.0).sum() * world_size() / counted


def _logsumexp(logits: Tensor, mask: Tensor | None) -> Tensor:
    return (logits if mask is None else logits.masked_fill(~mask, float("-inf"))).logsumexp(dim=1)
