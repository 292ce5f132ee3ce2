"""Tensors on their way to a GPU without waiting for it, and back without asking it.

A plain copy from pageable memory waits for all that the GPU has to do; one from page-locked memory goes into its queue.
What was small is remembered on the copy, so that numbers that were drawn or read on the processor are there again
(:func:`at_host`). On a processor all of this is the tensor itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 1 << 14
"""Numbers at most of a tensor that its copy remembers."""

_REMEMBERED = "kinema_host"


def sent(x: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device. From a processor to a GPU the copy is queued, and nothing waits for it.

    Args:
        x: any tensor; where it is there already, it is given back. It must not be changed in place afterwards.
        device: where it shall be.
    """
    target = torch.device(device)
    if target.type != "cuda" or x.device.type != "cpu":
        return x.to(target)
    moved = (x if x.is_pinned() else x.pin_memory()).to(target, non_blocking=True)
    if x.numel() <= SMALL:
        setattr(moved, _REMEMBERED, x)
    return moved


def at_host(x: Tensor) -> Tensor:
    """The same values on the processor, as they were sent; a copy, for which the GPU is waited for, of all others.

    Args:
        x: a tensor that was not changed in place since it was sent.
    """
    remembered = getattr(x, _REMEMBERED, None)
    return remembered if isinstance(remembered, Tensor) else x.detach().cpu()
