"""R3D-18: the 18-layer residual network with full 3D convolutions.

Source: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition", arXiv 1711.11248,
section 3.3 and table 1. The stem strides in space alone, stages 2 to 4 stride in space and time.

Departures: none known; 33,166,272 parameters without the classifier for RGB.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.encoders.layers import NormFactory, ResidualBlock, VideoEncoder, initialise

WIDTHS = (64, 128, 256, 512)


class R3D18(VideoEncoder):
    """R3D-18, [B, C, T, H, W] to [B, 512, T/8, H/16, W/16].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, WIDTHS[-1])
        stem = nn.Conv3d(channels, WIDTHS[0], (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        self.stem = nn.Sequential(stem, norm(WIDTHS[0]), nn.ReLU(inplace=True))
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for stage, out in enumerate(WIDTHS):
            for step in (1 if stage == 0 else 2, 1):
                first = nn.Conv3d(before, out, 3, step, 1, bias=False)
                second = nn.Conv3d(out, out, 3, 1, 1, bias=False)
                blocks.append(ResidualBlock(first, second, before, out, (step, step), norm))
                before = out
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features
