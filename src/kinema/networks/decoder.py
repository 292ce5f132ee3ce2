"""Decodes a feature to a coarse picture of a view: the target of reconstruction, prediction and transfer.

A feature cannot hold every pixel, and a network that must predict them spends its capacity on texture. So the view is
averaged to a coarse grid of few moments, and two linear layers predict that.

Axes: B clips, C channels, T frames, S pixels a side.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError


def coarse(x: Tensor, moments: int, grid: int) -> Tensor:
    """A view averaged to few cells, float [B, C · moments · grid²].

    Args:
        x: float [B, C, T, S, S]; or float [B, C, bands, times], of which ``grid`` bands and ``moments · grid`` times
            are left.
        moments: cells along time.
        grid: cells a side.

    Raises:
        ShapeError: ``x`` has another number of axes.
    """
    if x.dim() == 5:
        return F.adaptive_avg_pool3d(x, (moments, grid, grid)).flatten(1)
    if x.dim() == 4:
        return F.adaptive_avg_pool2d(x, (grid, moments * grid)).flatten(1)
    raise ShapeError(f"coarse was given {tuple(x.shape)}; expected [B, C, T, S, S] or [B, C, bands, times].")


class CoarseDecoder(nn.Sequential):
    """Two linear layers from a feature to a coarse view, float [B, dim] to [B, C · moments · grid²].

    Args:
        dim: of the feature, and of the hidden layer.
        channels: C of the view.
        moments: cells along time.
        grid: cells a side.
    """

    def __init__(self, dim: int, channels: int, moments: int, grid: int) -> None:
        if min(dim, channels, moments, grid) < 1:
            raise ConfigError(
                f"A decoder from {dim} to {channels} channels of {moments} x {grid} x {grid}; each must be at least 1."
            )
        super().__init__(nn.Linear(dim, dim), nn.ReLU(inplace=True), nn.Linear(dim, channels * moments * grid**2))
