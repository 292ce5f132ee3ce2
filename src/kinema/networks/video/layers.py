"""What the video encoders are built of: the base with its two verbs, the normalisations, the factorised convolution.

Axes: B clips, C channels, T frames, H and W pixels; t, h and w cells of the feature map, dim its channels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError

Triple = tuple[int, int, int]
NormFactory = Callable[[int], nn.Module]


class VideoEncoder(nn.Module, ABC):
    """A network from one view of a clip to a feature; subclasses say only how the feature map is made.

    Weights and activations are channels-last in memory, which the convolutions of processors prefer.

    Args:
        channels: C, what it takes in: 3 for RGB and the residual, 2 for motion.
        dim: what it gives out.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        if channels < 1:
            raise ConfigError(f"An encoder of {channels} channels; it must see at least 1.")
        self.channels, self.dim = channels, dim

    @abstractmethod
    def _features(self, x: Tensor) -> Tensor:
        """The feature map of a checked clip whose channels lie last in memory."""

    def feature_map(self, x: Tensor) -> Tensor:
        """Features before pooling, float [B, C, T, H, W] to [B, dim, t, h, w].

        Raises:
            ShapeError: ``x`` is not [B, C, T, H, W] with the encoder's channels.
        """
        return self._features(self._checked(x))

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The last two levels of a network whose parts follow one another, as :meth:`stages` has them.

        Returns:
            The map before the last part that makes it smaller, float [B, c, t', h', w'], and the feature map,
            [B, dim, t, h, w].

        Raises:
            ShapeError: ``x`` is not [B, C, T, H, W] with the encoder's channels.
        """
        before = x = self._checked(x)
        for child in self.children():
            for part in child if isinstance(child, nn.Sequential) else (child,):
                after = part(x)
                if after.shape[2:] != x.shape[2:]:
                    before = x
                x = after
        return before, x

    def _checked(self, x: Tensor) -> Tensor:
        if x.dim() != 5 or x.shape[1] != self.channels:
            raise ShapeError(
                f"{type(self).__name__} was given {tuple(x.shape)}; expected [B, {self.channels}, T, H, W].",
                "Encoders are built for one number of channels: 3 for rgb and residual, 2 for motion.",
            )
        return x.contiguous(memory_format=torch.channels_last_3d)

    def forward(self, x: Tensor) -> Tensor:
        """The mean of the feature map over time and space, float [B, C, T, H, W] to [B, dim]."""
        return self.feature_map(x).mean(dim=(2, 3, 4))

    def stages(self) -> tuple[tuple[nn.Parameter, ...], ...]:
        """The parameters by stage from input to output: each convolution or block, with the norm that follows it."""
        found: list[list[nn.Parameter]] = []
        for child in self.children():
            for part in child if isinstance(child, nn.Sequential) else (child,):
                parameters = list(part.parameters())
                if not found or any(p.ndim > 1 for p in parameters):
                    found.append([])
                found[-1] += parameters
        return tuple(tuple(stage) for stage in found)


def norm_factory(kind: str, *, eps: float = 1e-5) -> NormFactory:
    """A normalisation by its name: 'batch', or 'group', under which a clip's feature ignores its batch-mates.

    A group holds 8 channels, or the next smaller number that divides a layer's channels.

    Raises:
        ConfigError: an unknown name.
    """
    if kind == "batch":
        return partial(nn.BatchNorm3d, eps=eps)
    if kind == "group":
        return lambda channels: nn.GroupNorm(channels // math.gcd(channels, 8), channels, eps=eps)
    raise ConfigError(f"The norm '{kind}' is not known.", "Choose 'batch' or 'group'.")


class Conv2Plus1D(nn.Sequential):
    """A convolution in space, then one in time, with a norm and ReLU between (Tran et al. 2018, section 3.5).

    Args:
        channels: channels taken in.
        hidden: channels between the two.
        out: channels given out.
        norm: makes the normalisation between the two.
        space: the spatial kernel, odd.
        time: the temporal kernel, odd.
        stride: (temporal stride, spatial stride).
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        out: int,
        norm: NormFactory,
        *,
        space: int = 3,
        time: int = 3,
        stride: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__(
            nn.Conv3d(
                channels, hidden, (1, space, space), (1, stride[1], stride[1]), (0, space // 2, space // 2), bias=False
            ),
            norm(hidden),
            nn.ReLU(inplace=True),
            nn.Conv3d(hidden, out, (time, 1, 1), (stride[0], 1, 1), (time // 2, 0, 0), bias=False),
        )


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut: the basic block of the 18-layer networks (He et al. 2016).

    Args:
        first: the first convolution, which carries the stride.
        second: the second convolution.
        channels: channels taken in.
        out: channels given out.
        stride: (temporal stride, spatial stride) of ``first``, for the shortcut.
        norm: makes the normalisations.
    """

    def __init__(
        self, first: nn.Module, second: nn.Module, channels: int, out: int, stride: tuple[int, int], norm: NormFactory
    ) -> None:
        super().__init__()
        self.main = nn.Sequential(first, norm(out), nn.ReLU(inplace=True), second, norm(out))
        self.shortcut = _shortcut(channels, out, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, T, H, W] to [B, out, T', H', W']."""
        return torch.relu_(self.main(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A convolution between two of 1x1x1, beside a shortcut: the block of the deeper networks (He et al. 2016).

    It gives out four times ``width`` channels, and begins as its shortcut: the factor of its last norm starts at 0.

    Args:
        middle: the convolution in time and space, from ``width`` to ``width`` channels, which carries the stride.
        channels: channels taken in.
        width: channels inside.
        stride: (temporal stride, spatial stride) of ``middle``, for the shortcut.
        norm: makes the normalisations.
    """

    EXPANSION = 4

    def __init__(
        self, middle: nn.Module, channels: int, width: int, stride: tuple[int, int], norm: NormFactory
    ) -> None:
        super().__init__()
        out = self.EXPANSION * width
        last = norm(out)
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        self.main = nn.Sequential(
            nn.Conv3d(channels, width, 1, bias=False),
            norm(width),
            nn.ReLU(inplace=True),
            middle,
            norm(width),
            nn.ReLU(inplace=True),
            nn.Conv3d(width, out, 1, bias=False),
            last,
        )
        self.shortcut = _shortcut(channels, out, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, T, H, W] to [B, 4 width, T', H', W']."""
        return torch.relu_(self.main(x) + self.shortcut(x))


def _shortcut(channels: int, out: int, stride: tuple[int, int], norm: NormFactory) -> nn.Module:
    """The shortcut of a block: its input, projected to the block's shape where that differs."""
    if channels == out and stride == (1, 1):
        return nn.Identity()
    steps = (stride[0], stride[1], stride[1])
    return nn.Sequential(nn.Conv3d(channels, out, 1, steps, bias=False), norm(out))


def initialise(net: nn.Module) -> None:
    """He initialisation of every convolution (normal, fan out), in place, and the channels last in memory."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
