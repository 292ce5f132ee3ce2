"""The exponential moving average of a network (MoCo's momentum encoder, He et al. 2019, eq. 2)."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def update_ema(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """Moves every parameter of ``average`` to ``momentum * average + (1 - momentum) * model``, in place.

    Buffers are left alone: the averaged network gathers BatchNorm statistics of its own.
    """
    ours, theirs = tuple(average.parameters()), tuple(model.parameters())
    assert len(ours) == len(theirs), "the two networks differ"
    get_ema_multi_avg_fn(momentum)(ours, theirs, 0)  # type: ignore[no-untyped-call]
