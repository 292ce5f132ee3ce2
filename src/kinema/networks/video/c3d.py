"""C3D: eight 3D convolutions, as the self-supervised literature uses it.

Source: Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", arXiv 1412.0767, figure 3:
3x3x3 kernels throughout, the first pooling in space alone.

Departures, those of VCOP (Xu et al. 2019) and IIC (Tao et al. 2020): a norm after each convolution, and the mean over
time and space in place of the fifth pooling and the two large linear layers. 27,655,936 parameters in the
convolutions and 5,504 in the norms for RGB.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.networks.video.layers import NormFactory, VideoEncoder, initialise

STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))


class C3D(VideoEncoder):
    """C3D, [B, C, T, H, W] to [B, 512, T/8, H/16, W/16]; a clip needs 8 frames of 16x16 at least.

    Args:
        channels: C, what it takes in.
        norm: makes the normalisations.
    """

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__(channels, STAGES[-1][-1])
        layers: list[nn.Module] = []
        before = channels
        for stage, widths in enumerate(STAGES):
            if stage:
                layers.append(nn.MaxPool3d((1, 2, 2) if stage == 1 else 2))
            for out in widths:
                layers += [nn.Conv3d(before, out, 3, padding=1), norm(out), nn.ReLU(inplace=True)]
                before = out
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features
