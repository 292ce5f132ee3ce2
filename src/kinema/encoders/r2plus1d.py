"""R(2+1)D-18: the 18-layer residual network whose convolutions are factorised into space and time.

Source: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition", arXiv 1711.11248,
section 3.5. Between the spatial and the temporal part lie M channels, chosen so that the pair has as many parameters
as the full 3D convolution it replaces.

Departures: the two convolutions of a block share the M of the first, as in the network that torchvision made current;
the paper's formula, taken for each convolution, would give the second of a striding block more. 31,300,125 parameters
without the classifier for RGB.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.encoders.layers import Conv2Plus1D, NormFactory, ResidualBlock, VideoEncoder, initialise

WIDTHS = (64, 128, 256, 512)
STEM_HIDDEN = 45


class R2Plus1D18(VideoEncoder):
    """R(2+1)D-18, [B, C, T, H, W] to [B, 512, T/8, H/16, W/16].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, WIDTHS[-1])
        stem = Conv2Plus1D(channels, STEM_HIDDEN, WIDTHS[0], norm, space=7, stride=(1, 2))
        self.stem = nn.Sequential(stem, norm(WIDTHS[0]), nn.ReLU(inplace=True))
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for stage, out in enumerate(WIDTHS):
            for step in (1 if stage == 0 else 2, 1):
                hidden = hidden_channels(before, out)
                first = Conv2Plus1D(before, hidden, out, norm, stride=(step, step))
                second = Conv2Plus1D(out, hidden, out, norm)
                blocks.append(ResidualBlock(first, second, before, out, (step, step), norm))
                before = out
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features


def hidden_channels(channels: int, out: int) -> int:
    """M = ⌊t d² N N' / (d² N + t N')⌋ for a kernel of t = d = 3 from N to N' channels (section 3.5)."""
    return (27 * channels * out) // (9 * channels + 3 * out)
