"""What an image network is to the rest of kinema, and the network of frames that are features already.

Axes: N pictures, C channels, H rows and W columns of pixels; c channels, h rows and w columns of a map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError


class ImageEncoder(nn.Module, ABC):
    """A network from pictures to features, in two halves: ``forward(x)`` is ``rest(middle(x))``.

    Args:
        channels: C, what it takes in; F of a network of features.
        dim: what it gives out.
        middle_channels: c of the map between the halves; 0 where there is none.
    """

    def __init__(self, channels: int, dim: int, middle_channels: int) -> None:
        super().__init__()
        self.channels, self.dim, self.middle_channels = channels, dim, middle_channels

    @abstractmethod
    def middle(self, x: Tensor) -> Tensor:
        """The map in the middle, float [N, C, H, W] to [N, c, h, w].

        Raises:
            ShapeError: ``x`` is of another shape.
            ConfigError: the network has no such map.
        """

    @abstractmethod
    def rest(self, x: Tensor) -> Tensor:
        """From the map in the middle to features, float [N, c, h, w] to [N, dim]."""

    @abstractmethod
    def stages(self) -> Sequence[Sequence[nn.Parameter]]:
        """The parameters by depth, from input to output."""

    def forward(self, x: Tensor) -> Tensor:
        """Features of pictures, float [N, C, H, W] to [N, dim].

        Raises:
            ShapeError: ``x`` is of another shape.
        """
        return self.rest(self.middle(x))

    def _check(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ShapeError(
                f"{type(self).__name__} was given {tuple(x.shape)}; expected pictures [N, {self.channels}, H, W].",
                "Features of frames are taken by the network 'features'.",
            )


class Features(ImageEncoder):
    """Frames are features already, which are given out as they are.

    Args:
        features: F, how many each frame has.

    Raises:
        ConfigError: that is not known.
    """

    def __init__(self, features: int) -> None:
        if features < 1:
            raise ConfigError(
                "The encoder is 'features', and it is not known how many features a frame has.",
                "Set encoder.features; where the data are arrays of features, or data.features names an ONNX file, "
                "they tell it.",
            )
        super().__init__(features, features, 0)

    def middle(self, x: Tensor) -> Tensor:  # noqa: ARG002 - the contract
        """There is none.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("The encoder 'features' has no map in its middle: frames are features already.")

    def rest(self, x: Tensor) -> Tensor:
        """The same features."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        """The same features, float [N, F].

        Raises:
            ShapeError: frames have another number of features, or are pictures.
        """
        if x.dim() != 2:
            raise ShapeError(
                f"Frames of shape {tuple(x.shape[1:])} were given; the network 'features' takes {self.channels} "
                "features a frame.",
                "Crops are taken by 'convnet' and 'timm'; or set data.features to an ONNX file.",
            )
        if x.shape[1] != self.channels:
            raise ShapeError(f"Frames of {x.shape[1]} features were given; the network takes {self.channels}.")
        return x

    def stages(self) -> list[list[nn.Parameter]]:
        """No parameters."""
        return []
