"""R3D: residual networks with full 3D convolutions, of 18, 26 and 34 layers.

Sources: R3D-18 is that of Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
arXiv 1711.11248, section 3.3 and table 1: the stem strides in space alone, stages 2 to 4 in space and time. R3D-26 is
the encoder of CMD (Huang et al. 2021, arXiv 2104.00862) as its authors published it: bottlenecks, and a pooling in
space after the stem. R3D-34 is that of Hara et al. 2018, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and
ImageNet?", arXiv 1711.09577, table 2, which DSM (Wang et al. 2021, arXiv 2009.05757) trained on Kinetics: a stem of
7x7x7 and a pooling in space and time.

Departures: none known. Parameters without the classifier for RGB: 33,166,272, 26,498,752 and 63,513,536.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.networks.video.layers import Bottleneck, NormFactory, ResidualBlock, VideoEncoder, initialise

WIDTHS = (64, 128, 256, 512)


class R3D(VideoEncoder):
    """What the R3D networks share; each says of how many blocks its stages are, and of which.

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    DEPTHS = (2, 2, 2, 2)
    BOTTLENECK = False
    STEM_TIME = 3

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, WIDTHS[-1] * (Bottleneck.EXPANSION if self.BOTTLENECK else 1))
        time = self.STEM_TIME
        stem = nn.Conv3d(channels, WIDTHS[0], (time, 7, 7), (1, 2, 2), (time // 2, 3, 3), bias=False)
        self.stem = nn.Sequential(stem, norm(WIDTHS[0]), nn.ReLU(inplace=True), *self._pooling())
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for stage, (width, depth) in enumerate(zip(WIDTHS, self.DEPTHS, strict=True)):
            for step in (1 if stage == 0 else 2, *[1] * (depth - 1)):
                if self.BOTTLENECK:
                    middle = nn.Conv3d(width, width, 3, step, 1, bias=False)
                    blocks.append(Bottleneck(middle, before, width, (step, step), norm))
                    before = Bottleneck.EXPANSION * width
                else:
                    first = nn.Conv3d(before, width, 3, step, 1, bias=False)
                    second = nn.Conv3d(width, width, 3, 1, 1, bias=False)
                    blocks.append(ResidualBlock(first, second, before, width, (step, step), norm))
                    before = width
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _pooling(self) -> tuple[nn.Module, ...]:
        """What follows the stem."""
        return ()

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features


class R3D18(R3D):
    """R3D-18, [B, C, T, H, W] to [B, 512, T/8, H/16, W/16]."""


class R3D26(R3D):
    """R3D-26, [B, C, T, H, W] to [B, 2048, T/8, H/32, W/32]."""

    BOTTLENECK = True

    def _pooling(self) -> tuple[nn.Module, ...]:
        return (nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),)


class R3D34(R3D):
    """R3D-34, [B, C, T, H, W] to [B, 512, T/16, H/32, W/32]."""

    DEPTHS = (3, 4, 6, 3)
    STEM_TIME = 7

    def _pooling(self) -> tuple[nn.Module, ...]:
        return (nn.MaxPool3d(3, 2, 1),)
