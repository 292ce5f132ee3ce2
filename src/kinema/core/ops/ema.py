"""The exponential moving average of a network (MoCo's momentum encoder, He et al. 2019, eq. 2)."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """Moves every parameter of ``average`` to ``momentum * average + (1 - momentum) * model``, in place.

    Buffers (BatchNorm statistics) are not averaged: the momentum network gathers its own from its own forward passes,
    as in the authors' code.
    """
    ours, theirs = list(average.parameters()), list(model.parameters())
    assert len(ours) == len(theirs), "the two networks differ"
    torch._foreach_lerp_(ours, theirs, 1.0 - momentum)
