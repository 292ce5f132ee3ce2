"""BatchNorm over the batch of all processes, so that several learn what one would have learnt.

On GPUs it is torch's SyncBatchNorm. On processors, where that does not work, it is written out: mean and variance are
summed over the ranks, and so are their gradients.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kinema.core.ops import world_size


class _Sum(torch.autograd.Function):
    """A sum over ranks whose gradient is summed too; see :class:`kinema.core.ops.distributed._Gather` on its scale."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004 - the signature
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004 - the signature
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


def _summed(x: Tensor) -> Tensor:
    found: Tensor = _Sum.apply(x) if x.requires_grad else _Sum.forward(None, x)  # type: ignore[no-untyped-call]
    return found


class SharedNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm of any number of axes whose statistics, in training, are those of the rows of all ranks."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any will do."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalised, [B, C, …] to the same."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        x = input.double() if input.dtype == torch.float64 else input.float()
        count = _summed(x.new_tensor([x.numel() / x.shape[1]]))
        mean = _summed(x.sum(axes)) / count
        centred = x - mean.view(shape)
        variance = _summed(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp_min(1))
        out = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None, "it comes with them"
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def share_norms(method: nn.Module, device: str) -> None:
    """Lets every BatchNorm of a network take its statistics from the batch of all processes.

    The modules stay the objects that they are, for a method may hold one in several places. One whose network gathers
    the rows of all ranks by itself says so by an attribute ``of_all_ranks`` and is left as it is.

    Args:
        method: the network, changed.
        device: the kind of device that it will be on.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    for module in method.modules():
        if type(module) not in kinds or getattr(module, "of_all_ranks", False):
            continue
        if device == "cuda":
            module.__class__ = nn.SyncBatchNorm
            module.process_group = None  # type: ignore[assignment]
        else:
            module.__class__ = SharedNorm
