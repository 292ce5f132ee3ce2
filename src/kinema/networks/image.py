"""ResNet-10: four residual blocks, for what only guides a training: pictures, and clips of motion.

Source: the basic blocks of He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, one in
each of the four stages; Huang et al. 2021 (CMD) take it in two dimensions for keyframes and in three for motion
vectors.

Departures: a picture is a clip of one frame, and the two-dimensional network one whose kernels cover one frame, so that
both are one class. Only the one for pictures pools after its stem, as image networks do; without that the one for
motion gives 7x7 cells of 112x112 pixels, as CMD has it.
"""

from __future__ import annotations

from torch import Tensor, nn

from kinema.core.errors import ConfigError
from kinema.networks.video.layers import NormFactory, ResidualBlock, VideoEncoder, initialise

STEPS = (1, 2, 2, 2)
"""The stride of each stage, in time as in space."""


class ResNet10(VideoEncoder):
    """ResNet-10, [B, C, T, H, W] to [B, 8 width, T/8, H/16, W/16]; of pictures to [B, 8 width, 1, H/32, W/32].

    Each stage whose stride is 1 in place of 2 gives twice as fine a map.

    Args:
        channels: C, what it takes in.
        width: channels of the first stage; 64 is the papers'.
        norm: makes the normalisations.
        time: frames that a kernel covers: 3 for clips, 1 for pictures.
        steps: the stride of each stage, in time as in space.
        stem: pixels that the stem's kernel covers each way, odd.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        norm: NormFactory,
        *,
        time: int = 3,
        steps: tuple[int, ...] = STEPS,
        stem: int = 7,
    ) -> None:
        if width < 1:
            raise ConfigError(f"A ResNet-10 of width {width}; it must be at least 1.")
        super().__init__(channels, width << (len(steps) - 1))
        sides = (time // 2, stem // 2, stem // 2)
        first = nn.Conv3d(channels, width, (time, stem, stem), (1, 2, 2), sides, bias=False)
        self.stem = nn.Sequential(first, norm(width), nn.ReLU(inplace=True))
        if time == 1:
            self.stem.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))
        blocks: list[nn.Module] = []
        before = width
        for stage, step in enumerate(steps):
            out = width << stage
            kernel, side = (time, 3, 3), (time // 2, 1, 1)
            first = nn.Conv3d(before, out, kernel, step, side, bias=False)
            second = nn.Conv3d(out, out, kernel, 1, side, bias=False)
            blocks.append(ResidualBlock(first, second, before, out, (step, step), norm))
            before = out
        self.blocks = nn.Sequential(*blocks)
        initialise(self)

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x))
        return features
