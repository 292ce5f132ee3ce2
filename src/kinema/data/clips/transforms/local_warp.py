"""DSM's spatial disturbance: one smooth local warp for all frames of a clip bends the scene and keeps the motion.

Wang, Gao, Li, Hu, Jiang, Guo, Ji, Sun, "Enhancing Unsupervised Video Representation Learning by Decoupling the Scene
and the Motion" (DSM), AAAI 2021, arXiv 2009.05757. As the warp is the same in every frame, differences of frames are
warped with them: what moved moves on, in a scene that is no longer quite the same.

The kind 'local' is the released one: one to three warps after one another, each a shift s around a centre c that fades
with the distance r from it, p → p − s · .5 / (3 (r / |s|)⁴ + 1). In the released code r is the distance from c + s
(``around='shifted'``). None moves a point by more than |s|/2, and none folds
the picture over. The kind 'thin-plate' moves the points of a 5 × 5 grid by up to a twentieth of the side, and all else
by the thin-plate spline through them.

Departures: the released offsets are in pixels of a picture of 224, here they are fractions of the side; they are cut
off at three times the shift, where a five-hundredth of it is left, here they are not; several warps are composed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.warping import Warp, pixel_places

CENTRE = (60 / 224, 140 / 224)
"""Between which fractions of the side a local warp is centred."""

SHIFT = (10 / 224, 20 / 224)
"""The smallest and the largest shift, fractions of the side."""

MOST = 3
"""Local warps of a clip, at most."""

GRID, JITTER = 5, 0.05
"""Points a side of the thin plate, and how far one is moved at most, as a fraction of the side."""


@dataclass(frozen=True)
class LocalWarp(Warp):
    """One warp for all frames of a clip.

    Args:
        kind: 'local' for the released warps, 'thin-plate' for a spline.
        strength: how far, of what the paper moves; 0 changes nothing.
        variant: which variant is changed; 1 is the key.
        around: where a local warp is strongest: at its 'centre' c, or 'shifted' to c + s (the released code).
    """

    kind: Literal["local", "thin-plate"] = "local"
    strength: float = 1.0
    variant: int = 1
    around: Literal["centre", "shifted"] = "centre"

    def __post_init__(self) -> None:
        if self.kind not in ("local", "thin-plate"):
            raise ConfigError(f"local-warp.kind is '{self.kind}'.", "Choose 'local' or 'thin-plate'.")
        if self.around not in ("centre", "shifted"):
            raise ConfigError(f"local-warp.around is '{self.around}'.", "Choose 'centre' or 'shifted'.")
        if not 0 <= self.strength <= 1:
            raise ConfigError(f"local-warp.strength is {self.strength}; it must lie in [0, 1].")
        if self.variant < 0:
            raise ConfigError(f"local-warp.variant is {self.variant}; variants count from 0.")

    def draw(self, clips: int, size: int, generator: torch.Generator) -> Tensor:
        """Where each pixel of the warped view looks, float [B, S, S, 2]: (x, y) in fractions of the side."""
        places = pixel_places(size)
        if self.kind == "local":
            return _local(places, rand_rows(clips, 1 + 4 * MOST, generator=generator), self.strength, self.around)
        jitter = 2 * rand_rows(clips, GRID * GRID, 2, generator=generator) - 1
        return places + (_spline(size) @ (self.strength * JITTER * jitter)).view(clips, size, size, 2)


def _local(places: Tensor, draws: Tensor, strength: float, around: str) -> Tensor:
    """Float [S, S, 2] places taken through up to three local warps: [B, S, S, 2]."""
    count = 1 + (MOST * draws[:, 0]).long()
    p = places.permute(2, 0, 1).repeat(len(draws), 1, 1, 1)  # x and y apart: rows of numbers, not pairs
    for number in range(MOST):
        rows = (number < count).nonzero()[:, 0]
        centre, shift = draws[rows, 1 + 4 * number : 5 + 4 * number].view(-1, 2, 2, 1, 1).unbind(1)
        centre = CENTRE[0] + (CENTRE[1] - CENTRE[0]) * centre
        shift = SHIFT[0] + (SHIFT[1] - SHIFT[0]) * shift
        if around == "shifted":
            centre = centre + shift
        moving = p[rows]
        x, y = (moving - centre).square_().unbind(1)
        far = ((x + y) / shift.square().sum(1)).square_()
        p[rows] = moving.sub_((far.mul_(3).add_(1).reciprocal_()[:, None]) * (strength * 0.5 * shift))
    return p.permute(0, 2, 3, 1)


@functools.cache
def _spline(size: int) -> Tensor:
    """What each control point's offset does to each pixel's, float [S², 25]: a thin-plate spline (Bookstein 1989)."""
    side = torch.linspace(0, 1, GRID, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    pixels = torch.cartesian_prod(middle, middle)

    def terms(at: Tensor) -> Tensor:
        square = (at[:, None] - points).square().sum(-1)
        bending = torch.where(square > 0, square * square.clamp_min(1e-300).log(), 0.0)
        return torch.cat([bending, torch.ones(len(at), 1, dtype=torch.float64), at], dim=1)

    system = torch.zeros(len(points) + 3, len(points) + 3, dtype=torch.float64)
    system[: len(points)] = terms(points)
    system[len(points) :, : len(points)] = system[: len(points), len(points) :].T
    weights: Tensor = terms(pixels) @ torch.linalg.inv(system)[:, : len(points)]
    return weights.float()
