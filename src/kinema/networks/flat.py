"""What networks over maps of two axes are built of: pictures, and spectrograms."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError

FlatNorm = Callable[[int], nn.Module]
"""Makes the normalisation of so many channels."""

NARROW = 8
"""Below so many channels, PyTorch 2.14's processors corrupt their memory in the gradient of a convolution of 1x1 that
steps over pixels and has its channels last: seen with 2 to 6."""


class FlatBlock(nn.Module):
    """Two convolutions of 3x3 beside a shortcut: the basic block (He et al. 2016).

    Args:
        channels: channels taken in.
        out: channels given out.
        stride: of the first convolution, both ways.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, out: int, stride: int, norm: FlatNorm) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            norm(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            norm(out),
        )
        same = channels == out and stride == 1
        self.step = stride if channels < NARROW else 1  # taken before the convolution, which is the same
        beside = () if same else (nn.Conv2d(channels, out, 1, stride // self.step, bias=False), norm(out))
        self.shortcut = nn.Sequential(*beside)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, H, W] to [B, out, H', W']."""
        beside = x[:, :, :: self.step, :: self.step] if self.step > 1 else x
        return torch.relu_(self.main(x) + self.shortcut(beside))


def flat_norm_factory(kind: str) -> FlatNorm:
    """As :func:`kinema.networks.video.layers.norm_factory`, for maps of two axes.

    Raises:
        ConfigError: an unknown name.
    """
    if kind == "batch":
        return nn.BatchNorm2d
    if kind == "group":
        return lambda channels: nn.GroupNorm(channels // math.gcd(channels, 8), channels)
    raise ConfigError(f"The norm '{kind}' is not known.", "Choose 'batch' or 'group'.")


def initialise(net: nn.Module) -> None:
    """He initialisation of every convolution (normal, fan out), in place, and the channels last in memory."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
