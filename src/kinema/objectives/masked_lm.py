"""The masked language model's objective: the cross entropy of the tokens that were hidden.

Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", arXiv 1810.04805, section 3.1.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kinema.core.errors import ShapeError
from kinema.core.ops import all_gather_rows, world_size
from kinema.core.spans import IGNORED


def masked_lm(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log p(target) over the tokens that are to be predicted.

    Over several ranks it is this rank's part of the mean over the tokens of all, times their number.

    Args:
        logits: float [N, L, V], or [K, V] of the tokens that are to be predicted alone.
        targets: int64 [N, L], :data:`kinema.core.spans.IGNORED` where nothing is to be predicted. Beside logits [K, V]
            those K that are not ignored count, in their order.

    Returns:
        A scalar; log V where all logits are equal, 0 where nothing is to be predicted.

    Raises:
        ShapeError: the two do not fit.
    """
    if logits.dim() == 2:
        targets = targets[targets != IGNORED]
    if logits.dim() < 2 or logits.shape[:-1] != targets.shape:
        raise ShapeError(
            f"masked_lm was given logits {tuple(logits.shape)} and targets {tuple(targets.shape)}; expected [N, L, V] "
            "and [N, L], or [K, V] for the K targets that are not ignored."
        )
    total = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="sum")
    counted = all_gather_rows((targets != IGNORED).sum().reshape(1)).sum().clamp(min=1)
    return total * world_size() / counted
