"""A small residual network of pictures, for processors: crops of 64x32 or 128x64 pixels.

Source: the basic blocks of He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385.

Departures: two blocks in place of eight, a stem without pooling, and a convolution of 1x1 at the end, which widens to
eight times the width where a block would cost four times the rest. At width 32 it has 0.32 million parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError
from kinema.networks.flat import FlatBlock, FlatNorm, initialise
from kinema.networks.images.encoder import ImageEncoder


class ConvNet(ImageEncoder):
    """A stem, two residual blocks and a widening, [N, 3, H, W] to [N, 8 width]; its middle is [N, 2 width, H/4, W/4].

    Args:
        width: channels of the stem.
        norm: makes the normalisations.

    Raises:
        ConfigError: the width is below 1.
    """

    def __init__(self, width: int, norm: FlatNorm) -> None:
        if width < 1:
            raise ConfigError(f"encoder.width is {width}; it must be at least 1.")
        super().__init__(3, 8 * width, 2 * width)
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), norm(width), nn.ReLU(inplace=True))
        self.first = FlatBlock(width, 2 * width, 2, norm)
        self.last = FlatBlock(2 * width, 4 * width, 2, norm)
        self.widen = nn.Sequential(nn.Conv2d(4 * width, 8 * width, 1, bias=False), norm(8 * width), nn.ReLU(True))
        initialise(self)

    def middle(self, x: Tensor) -> Tensor:
        """The map after the first block, float [N, 3, H, W] to [N, 2 width, H/4, W/4]."""
        self._check(x)
        found: Tensor = self.first(self.stem(x.contiguous(memory_format=torch.channels_last)))
        return found

    def rest(self, x: Tensor) -> Tensor:
        """The second block and the widening, then the mean over space, float [N, 2 width, h, w] to [N, 8 width]."""
        found: Tensor = self.widen(self.last(x)).mean(dim=(2, 3))
        return found

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters by depth: the stem, each block, the widening."""
        return [list(part.parameters()) for part in (self.stem, self.first, self.last, self.widen)]
