"""Which keys are whose: the masks of a loss in which every clip is to find its own key among all others.

Source: He et al. 2019, "Momentum Contrast", arXiv 1911.05722 (the queue); Chen, Xie, He 2021, MoCo v3,
arXiv 2104.02057 (the other keys of the batch).

Axes: B clips of this rank, N of all ranks, K entries of the queue.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rank_slice

NegativesFrom = Literal["queue", "batch", "both"]
Siblings = Literal["ignored", "negatives"]


def instance_masks(
    source: Tensor, gathered: Tensor, queued: Tensor, *, siblings: Siblings, negatives_from: NegativesFrom
) -> tuple[Tensor, Tensor]:
    """Positives and candidates among the keys of the batch followed by those of the queue.

    Args:
        source: int64 [B], the recordings of this rank's clips.
        gathered: int64 [N], the recordings of all ranks' clips, in order of rank.
        queued: int64 [K], the recordings in the queue.
        siblings: whether other keys of the same recording are negatives, or neither positive nor negative.
        negatives_from: which keys are negatives: the queue's, the batch's, or both.

    Returns:
        Bool [B, N + K] twice, for :func:`kinema.objectives.multi_positive_nce`: every clip's own key is its one
        positive, and a candidate.
    """
    every = torch.cat([gathered, queued])
    rows = torch.arange(len(source), device=source.device)
    positives = torch.zeros(len(source), len(every), dtype=torch.bool, device=source.device)
    positives[rows, rows + rank_slice(len(source)).start] = True
    candidates = torch.ones_like(positives)
    if siblings == "ignored":
        candidates = (source[:, None] != every[None]) | positives
    of_batch = torch.arange(len(every), device=source.device) < len(gathered)
    if negatives_from != "both":
        candidates &= positives | (of_batch == (negatives_from == "batch"))
    return positives, candidates


def check_contrast(queue: int, temperature: float, momentum: float) -> None:
    """Refuses a queue, temperature or momentum that no contrastive run could use.

    Raises:
        ConfigError: names the setting, its value and its range.
    """
    if queue < 1:
        raise ConfigError(f"method.queue is {queue}; it must be at least 1 (and a multiple of the batch).")
    if temperature <= 0:
        raise ConfigError(f"method.temperature is {temperature}; it must be above 0.")
    if not 0 <= momentum < 1:
        raise ConfigError(f"method.momentum is {momentum}; it must lie in [0, 1).")
