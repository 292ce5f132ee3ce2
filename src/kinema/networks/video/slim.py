"""A slim R(2+1)D for processors: clips of about 8x64x64, without a graphics card.

After Tran et al. 2018, arXiv 1711.11248: factorised residual blocks, with as many channels between space and time as a
block gives out. The picture is brought down to a quarter of its side by two cheap convolutions, since most of the time
of such a network goes into its largest maps; time is kept at full rate until the second block, because motion is what
there is to learn.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.core.errors import ConfigError
from kinema.networks.video.layers import Conv2Plus1D, NormFactory, ResidualBlock, VideoEncoder, initialise

# For each block: how many times the width, and its (temporal, spatial) stride.
BLOCKS = ((4, (1, 2)), (8, (2, 2)), (8, (1, 1)))


class Slim(VideoEncoder):
    """The slim network, [B, C, T, H, W] to [B, 8 width, T/2, H/16, W/16].

    Args:
        channels: C, what it takes in.
        width: channels of the first convolution.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, width: int, norm: NormFactory) -> None:
        if width < 1:
            raise ConfigError(f"encoder.width is {width}; it must be at least 1.")
        super().__init__(channels, BLOCKS[-1][0] * width)
        before = 2 * width
        self.stem = nn.Sequential(
            nn.Conv3d(channels, width, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False),
            norm(width),
            nn.ReLU(inplace=True),
            Conv2Plus1D(width, before, before, norm, stride=(1, 2)),
            norm(before),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        for factor, stride in BLOCKS:
            out = factor * width
            first = Conv2Plus1D(before, out, out, norm, stride=stride)
            second = Conv2Plus1D(out, out, out, norm)
            blocks.append(ResidualBlock(first, second, before, out, stride, norm))
            before = out
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features
