"""Encoders of sound: flat residual networks over log-mel spectrograms, bands by times.

``SoundResNet18`` is the 18-layer network of He et al. 2016, arXiv 1512.03385, table 1, for one input channel, which XDC
(Alwassel et al. 2020, arXiv 1911.12667) learns sound with. ``SlimSound`` is as wide as the slim network for video, for
processors.

Departures: none known. Parameters of the first without its classifier: 11,170,240.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.networks.video.layers import VideoEncoder

WIDTHS = (64, 128, 256, 512)
FlatNorm = Callable[[int], nn.Module]

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
        _initialise(self)

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
        _initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features


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
        beside = () if same else (nn.Conv2d(channels, out, 1, stride, bias=False), norm(out))
        self.shortcut = nn.Sequential(*beside)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, M, T] to [B, out, M', T']."""
        return torch.relu_(self.main(x) + self.shortcut(x))


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


def _initialise(net: nn.Module) -> None:
    """He initialisation of every convolution (normal, fan out), in place, and the channels last in memory."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
