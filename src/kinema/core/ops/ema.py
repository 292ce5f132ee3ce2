"""The exponential moving average of a network (MoCo's momentum encoder, He et al. 2019, eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """Moves every parameter of ``average`` to ``momentum * average + (1 - momentum) * model``, in place.

    Running BatchNorm statistics move alike, so that they stay those of the averaged network's activations; it is meant
    to be used in evaluation mode, and a key then carries no trace of the batch it was computed in (EMAN, Cai et al.
    2021, arXiv 2101.08482, sect. 3.2). Counters are copied.
    """
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(model.parameters())
    assert len(ours) == len(theirs), "the two networks differ"
    torch._foreach_lerp_(ours, theirs, 1.0 - momentum)
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        if own.is_floating_point():
            own.lerp_(other, 1.0 - momentum)
        else:
            own.copy_(other)
