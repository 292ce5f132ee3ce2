"""I3D: the Inception network inflated to video, with full 3D convolutions.

Source: Carreira and Zisserman 2017, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
arXiv 1705.07750, figure 3. It is the encoder of BE and of DSM.

Departures: convolutions and poolings pad both sides equally, where the authors' framework pads an even size by one more
at the end; the norms have a factor beside their offset. 12,287,264 parameters without the classifier for RGB; without
the factors they are the authors' 12,279,984.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.networks.video.inception import inception
from kinema.networks.video.layers import NormFactory, VideoEncoder, initialise


class I3D(VideoEncoder):
    """I3D, [B, C, T, H, W] to [B, 1024, T/8, H/32, W/32].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, 1024)
        self.layers = inception(channels, norm, _full)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


def _full(channels: int, out: int, norm: NormFactory, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv3d(channels, out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, norm(out), nn.ReLU(inplace=True))
