"""S3D: the Inception network inflated to video, with its convolutions separated into space and time.

Source: Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
Classification", arXiv 1712.04851, section 4.2 and figure 6. It is the encoder of CoCLR and CPR.

Departures: no feature gating (that is S3D-G). 7,910,048 parameters without the classifier for RGB.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.networks.video.inception import inception
from kinema.networks.video.layers import NormFactory, VideoEncoder, initialise


class S3D(VideoEncoder):
    """S3D, [B, C, T, H, W] to [B, 1024, T/8, H/32, W/32].

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, 1024)
        self.layers = inception(channels, norm, _separable)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


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
