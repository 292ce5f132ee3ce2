"""The exponential moving average of a network (MoCo's momentum encoder, He et al. 2019, eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """Moves every parameter of ``average`` to ``momentum * average + (1 - momentum) * model``, in place.

    Buffers are left alone: the averaged network gathers BatchNorm statistics of its own.
    """
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(model.parameters())
    assert len(ours) == len(theirs), "the two networks differ"
    torch._foreach_lerp_(ours, theirs, 1.0 - momentum)
