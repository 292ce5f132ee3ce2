"""The exponential moving average of a network (MoCo's momentum encoder, He et al. 2019, eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """Moves every parameter of ``average`` to ``momentum * average + (1 - momentum) * model``, in place.

    Buffers are copied: running BatchNorm statistics are a moving average already. The average is meant to be used in
    evaluation mode, so that a key carries no trace of the batch it was computed in (after EMAN, Cai et al. 2021).
    """
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(model.parameters())
    assert len(ours) == len(theirs), "the two networks differ"
    torch._foreach_lerp_(ours, theirs, 1.0 - momentum)
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        own.copy_(other)
