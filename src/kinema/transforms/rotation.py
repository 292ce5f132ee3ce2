"""Clips turned by a few degrees, all frames of a clip by the same: part of BE's augmentation (Wang et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.transforms.warping import pixel_places, warped


@dataclass(frozen=True)
class Rotation:
    """Turns a clip about its middle; where the turned picture ends, its border goes on.

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

    negative = False
    elsewhere = False
    views = ()

    def draw(self, clips: int, generator: torch.Generator) -> Tensor:
        """The turn of each clip in radians, float [B]; what is above zero turns the picture clockwise."""
        return math.radians(self.degrees) * (2 * torch.rand(clips, generator=generator) - 1)

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """All views turned alike (:func:`kinema.transforms.warping.warped`); motion vectors turn with the picture."""
        first = next(iter(variant.values()))
        turn = self.draw(len(first), generator)[:, None, None]
        x, y = (pixel_places(first.shape[-1]) - 0.5).unbind(-1)
        looks = torch.stack([turn.cos() * x + turn.sin() * y, turn.cos() * y - turn.sin() * x], dim=-1) + 0.5
        return warped(variant, looks)
