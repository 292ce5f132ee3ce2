"""The Inception network laid out for video, whatever its convolutions are: what S3D and I3D share.

Source: Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?", arXiv 1705.07750, figure 3; the widths are those
of Inception-v1 (Szegedy et al. 2015, table 1).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from kinema.networks.video.layers import NormFactory

# For each block the widths of: 1x1 | 1x1 before 3x3, 3x3 | 1x1 before the second 3x3, 3x3 | 1x1 after the pooling.
INCEPTION: tuple[tuple[tuple[int, int, int, int, int, int], ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


class Convolution(Protocol):
    """Makes a convolution over space and time, with its norms and ReLU."""

    def __call__(
        self, channels: int, out: int, norm: NormFactory, *, kernel: int = 3, stride: int = 1
    ) -> nn.Sequential:
        """From ``channels`` to ``out``; ``kernel`` and ``stride`` are those of every axis."""
        ...


def inception(channels: int, norm: NormFactory, convolution: Convolution) -> nn.Sequential:
    """The layers, [B, C, T, H, W] to [B, 1024, T/8, H/32, W/32].

    Args:
        channels: C, what they take in.
        norm: makes the normalisations.
        convolution: makes the convolutions that are not 1x1x1.
    """
    layers: list[nn.Module] = [
        convolution(channels, 64, norm, kernel=7, stride=2),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        _pointwise(64, 64, norm),
        convolution(64, 192, norm),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ]
    pools = (nn.MaxPool3d(3, 2, 1), nn.MaxPool3d(2, 2, ceil_mode=True), None)
    before = 192
    for blocks, pool in zip(INCEPTION, pools, strict=True):
        for widths in blocks:
            layers.append(InceptionBlock(before, widths, norm, convolution))
            before = widths[0] + widths[2] + widths[4] + widths[5]
        if pool is not None:
            layers.append(pool)
    return nn.Sequential(*layers)


class InceptionBlock(nn.Module):
    """Four branches of one input, side by side.

    Args:
        channels: channels taken in.
        widths: as in ``INCEPTION``.
        norm: makes the normalisations.
        convolution: makes the convolutions of 3x3x3.
    """

    def __init__(
        self, channels: int, widths: tuple[int, int, int, int, int, int], norm: NormFactory, convolution: Convolution
    ) -> None:
        super().__init__()
        single, before_a, out_a, before_b, out_b, pooled = widths
        self.branches = nn.ModuleList(
            [
                _pointwise(channels, single, norm),
                nn.Sequential(_pointwise(channels, before_a, norm), convolution(before_a, out_a, norm)),
                nn.Sequential(_pointwise(channels, before_b, norm), convolution(before_b, out_b, norm)),
                nn.Sequential(nn.MaxPool3d(3, 1, 1), _pointwise(channels, pooled, norm)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, T, H, W] to [B, the sum of the branches' widths, T, H, W]."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _pointwise(channels: int, out: int, norm: NormFactory) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(channels, out, 1, bias=False), norm(out), nn.ReLU(inplace=True))
