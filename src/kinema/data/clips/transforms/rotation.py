"""Clips turned by a few degrees, all frames of a clip by the same: part of BE's augmentation (Wang et al. 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.warping import Warp, pixel_places


@dataclass(frozen=True)
class Rotation(Warp):
    """Turns a clip about its middle; where the turned picture ends, its border is repeated.

    Args:
        degrees: the largest turn either way; a clip's is uniform between. 0 changes nothing.
        variant: which variant is turned; 0 is the query, 1 the key.
    """

    degrees: float = 10.0
    variant: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise ConfigError(f"rotation.degrees is {self.degrees}; it must lie in [0, 180].")
        if self.variant < 0:
            raise ConfigError(f"rotation.variant is {self.variant}; variants count from 0.")

    def turns(self, clips: int, generator: torch.Generator) -> Tensor:
        """The turn of each clip in radians, float [B]; what is above zero turns the picture clockwise."""
        return math.radians(self.degrees) * (2 * rand_rows(clips, generator=generator) - 1)

    def draw(self, clips: int, size: int, generator: torch.Generator) -> Tensor:
        """Where each pixel of the turned view looks, float [B, S, S, 2]: (x, y) in fractions of the side."""
        turn = self.turns(clips, generator)[:, None, None]
        x, y = (pixel_places(size) - 0.5).unbind(-1)
        return torch.stack([turn.cos() * x + turn.sin() * y, turn.cos() * y - turn.sin() * x], dim=-1) + 0.5
