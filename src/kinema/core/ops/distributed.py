"""Gathering rows over ranks, so that two processes learn what one would have learnt."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """How many processes train together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rank() -> int:
    """Which of them this process is, from 0; 0 without torch.distributed."""
    return dist.get_rank() if world_size() > 1 else 0


def rank_slice(rows: int) -> slice:
    """Where this rank's ``rows`` rows lie in what :func:`all_gather_rows` returns."""
    return slice(own_rank() * rows, (own_rank() + 1) * rows)


def rand_rows(*shape: int, generator: torch.Generator, dtype: torch.dtype | None = None, axis: int = 0) -> Tensor:
    """Numbers in [0, 1) for this rank's rows: its part of what one process draws for the rows of all ranks.

    Args:
        *shape: of this rank's part.
        generator: of one state on every rank; afterwards too.
        dtype: of the numbers; float32 by default.
        axis: the one of the rows.

    Returns:
        On the generator's device, of ``shape``.
    """
    whole = list(shape)
    whole[axis] *= world_size()
    drawn = torch.rand(*whole, generator=generator, dtype=dtype, device=generator.device)
    return drawn if world_size() == 1 else drawn.narrow(axis, own_rank() * shape[axis], shape[axis])


def mean_over_ranks(x: Tensor) -> Tensor:
    """The mean of a tensor over all ranks, without gradient; the tensor itself on one process."""
    if world_size() == 1:
        return x.detach()
    summed = x.detach().clone()
    dist.all_reduce(summed)
    return summed / world_size()


def _gather(x: Tensor) -> Tensor:
    parts = [torch.empty_like(x) for _ in range(world_size())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)


class _Gather(torch.autograd.Function):
    """All-gather whose backward pass sums the gradients of all ranks.

    DistributedDataParallel divides the summed parameter gradients by the number of ranks; a loss that is a mean over
    the local rows, computed on each rank against gathered rows, then has exactly the gradient of the mean over all.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = x.shape[0]
        return _gather(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        return gradient[rank_slice(ctx.rows)]


def all_gather_rows(x: Tensor) -> Tensor:
    """Rows of every rank in rank order, [B, …] to [world * B, …], with gradient; ``x`` itself on one process.

    Every rank must hold the same number of rows.
    """
    if world_size() == 1:
        return x
    gathered: Tensor = _Gather.apply(x) if x.requires_grad else _gather(x)  # type: ignore[no-untyped-call]
    return gathered
