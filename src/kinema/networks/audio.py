"""Encoders of sound: flat residual networks over log-mel spectrograms, bands by times.

``SoundResNet18`` is the 18-layer network of He et al. 2016, arXiv 1512.03385, table 1, for one input channel, which XDC
(Alwassel et al. 2020, arXiv 1911.12667) learns sound with. ``SlimSound`` is as wide as the slim network for video, for
processors.

Departures: none known. Parameters of the first without its classifier: 11,170,240.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinema.core.errors import ShapeError
from kinema.networks.flat import FlatBlock, FlatNorm, initialise
from kinema.networks.video.layers import VideoEncoder

WIDTHS = (64, 128, 256, 512)

# For each block of the slim network: how many times the width, and its stride.
BLOCKS = ((4, 2), (8, 2), (8, 1))


class SoundEncoder(VideoEncoder):
    """A network from a spectrogram to a feature; subclasses say how the feature map is made.

    Args:
        dim: what it gives out.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(1, dim)

    def _checked(self, x: Tensor) -> Tensor:
        """Feature maps are [B, dim, b, t] here."""
        if x.dim() != 4 or x.shape[1] != 1:
            raise ShapeError(
                f"{type(self).__name__} was given {tuple(x.shape)}; expected [B, 1, bands, times].",
                "An encoder of sound takes the view 'sound'.",
            )
        return x.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """The mean of the feature map over bands and times, float [B, 1, bands, times] to [B, dim]."""
        return self.feature_map(x).mean(dim=(2, 3))


class SoundResNet18(SoundEncoder):
    """ResNet-18 on spectrograms, [B, 1, M, T] to [B, 512, M/32, T/32].

    Args:
        norm: makes the normalisations.
    """

    def __init__(self, norm: FlatNorm) -> None:
        super().__init__(WIDTHS[-1])
        first = nn.Conv2d(1, WIDTHS[0], 7, 2, 3, bias=False)
        self.stem = nn.Sequential(first, norm(WIDTHS[0]), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(FlatBlock(before, width, stride, norm))
                before = width
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features


class SlimSound(SoundEncoder):
    """The slim network on spectrograms, [B, 1, M, T] to [B, 8 width, M/16, T/16].

    Args:
        width: channels of the first convolution.
        norm: makes the normalisations.
    """

    def __init__(self, width: int, norm: FlatNorm) -> None:
        super().__init__(BLOCKS[-1][0] * width)
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, 2, 1, bias=False),
            norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False),
            norm(2 * width),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        before = 2 * width
        for factor, stride in BLOCKS:
            blocks.append(FlatBlock(before, factor * width, stride, norm))
            before = factor * width
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features
