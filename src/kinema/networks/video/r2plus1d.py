"""R(2+1)D: residual networks whose convolutions are factorised into space and time, of 18 and 26 layers.

Source: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition", arXiv 1711.11248,
section 3.5. Between the spatial and the temporal part lie M channels, chosen so that the pair has as many parameters
as the full 3D convolution it replaces. R(2+1)D-26 is the encoder of CMD (Huang et al. 2021, arXiv 2104.00862) as its
authors published it: bottlenecks, and a pooling in space after the stem.

Departures: in R(2+1)D-18 the two convolutions of a block share the M of the first, as in the network that torchvision
made current; the paper's formula, taken for each convolution, would give the second of a striding block more.
Parameters without the classifier for RGB: 31,300,125 and 26,507,471.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.networks.video.layers import Bottleneck, Conv2Plus1D, NormFactory, ResidualBlock, VideoEncoder, initialise

WIDTHS = (64, 128, 256, 512)


class R2Plus1D18(VideoEncoder):
    """R(2+1)D-18, [B, C, T, H, W] to [B, 512, T/8, H/16, W/16].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    STEM_HIDDEN = 45

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, WIDTHS[-1])
        stem = Conv2Plus1D(channels, self.STEM_HIDDEN, WIDTHS[0], norm, space=7, stride=(1, 2))
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


class R2Plus1D26(VideoEncoder):
    """R(2+1)D-26, [B, C, T, H, W] to [B, 2048, T/8, H/32, W/32].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    STEM_HIDDEN = 83

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, Bottleneck.EXPANSION * WIDTHS[-1])
        stem = Conv2Plus1D(channels, self.STEM_HIDDEN, WIDTHS[0], norm, space=7, stride=(1, 2))
        pooling = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.stem = nn.Sequential(stem, norm(WIDTHS[0]), nn.ReLU(inplace=True), pooling)
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for step in (1 if stage == 0 else 2, 1):
                middle = Conv2Plus1D(width, hidden_channels(width, width), width, norm, stride=(step, step))
                blocks.append(Bottleneck(middle, before, width, (step, step), norm))
                before = Bottleneck.EXPANSION * width
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features


def hidden_channels(channels: int, out: int) -> int:
    """M = ⌊t d² N N' / (d² N + t N')⌋ for a kernel of t = d = 3 from N to N' channels (section 3.5)."""
    return (27 * channels * out) // (9 * channels + 3 * out)
