"""S3D: the Inception network inflated to video, with its convolutions separated into space and time.

Source: Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
Classification", arXiv 1712.04851, section 4.2 and figure 6; the widths are those of Inception-v1 (Szegedy et al. 2015,
table 1). It is the encoder of CoCLR and CPR.

Departures: no feature gating (that is S3D-G). 7,910,048 parameters without the classifier for RGB.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinema.encoders.layers import NormFactory, VideoEncoder, initialise

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


class S3D(VideoEncoder):
    """S3D, [B, C, T, H, W] to [B, 1024, T/8, H/32, W/32].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, 1024)
        layers: list[nn.Module] = [
            _separable(channels, 64, norm, kernel=7, stride=2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            _pointwise(64, 64, norm),
            _separable(64, 192, norm),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        ]
        pools = (nn.MaxPool3d(3, 2, 1), nn.MaxPool3d(2, 2, ceil_mode=True), None)
        before = 192
        for blocks, pool in zip(INCEPTION, pools, strict=True):
            for widths in blocks:
                layers.append(InceptionBlock(before, widths, norm))
                before = widths[0] + widths[2] + widths[4] + widths[5]
            if pool is not None:
                layers.append(pool)
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


class InceptionBlock(nn.Module):
    """Four branches of one input, side by side (figure 6 of the paper).

    Args:
        channels: channels taken in.
        widths: as in ``INCEPTION``.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int], norm: NormFactory) -> None:
        super().__init__()
        single, before_a, out_a, before_b, out_b, pooled = widths
        self.branches = nn.ModuleList(
            [
                _pointwise(channels, single, norm),
                nn.Sequential(_pointwise(channels, before_a, norm), _separable(before_a, out_a, norm)),
                nn.Sequential(_pointwise(channels, before_b, norm), _separable(before_b, out_b, norm)),
                nn.Sequential(nn.MaxPool3d(3, 1, 1), _pointwise(channels, pooled, norm)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, T, H, W] to [B, the sum of the branches' widths, T, H, W]."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _pointwise(channels: int, out: int, norm: NormFactory) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(channels, out, 1, bias=False), norm(out), nn.ReLU(inplace=True))


def _separable(channels: int, out: int, norm: NormFactory, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    side = kernel // 2
    return nn.Sequential(
        nn.Conv3d(channels, out, (1, kernel, kernel), (1, stride, stride), (0, side, side), bias=False),
        norm(out),
        nn.ReLU(inplace=True),
        nn.Conv3d(out, out, (kernel, 1, 1), (stride, 1, 1), (side, 0, 0), bias=False),
        norm(out),
        nn.ReLU(inplace=True),
    )
