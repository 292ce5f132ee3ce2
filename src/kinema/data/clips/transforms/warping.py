"""Views bent by a map that says where each pixel looks: the same in every frame, and for every view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from kinema.data.clips.transforms.motion import MOTION_LIMIT


class Warp(ABC):
    """A disturbance that bends all frames of a clip in the same way; its kinds are frozen dataclasses that draw how."""

    variant: int
    negative = False
    elsewhere = False
    views = ()

    @abstractmethod
    def draw(self, clips: int, size: int, generator: torch.Generator) -> Tensor:
        """Where each pixel of the warped view looks, float [B, S, S, 2]: (x, y) in fractions of the side."""

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """All views with the same warp (:func:`warped`)."""
        first = next(iter(variant.values()))
        return warped(variant, self.draw(len(first), first.shape[-1], generator))


def pixel_places(size: int) -> Tensor:
    """The middles of a view's pixels, float [S, S, 2]: (x, y) in fractions of the side."""
    middle = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([x, y], dim=-1)


def warped(variant: Mapping[str, Tensor], looks: Tensor) -> dict[str, Tensor]:
    """All views with the same warp; the vectors of the motion view are turned and stretched with the picture.

    To first order: a vector is taken through the derivative of the warp at its place, as if the warp were linear along
    it, and is clamped to the limit of the view as before.

    Args:
        variant: float [B, C, T, S, S] by view.
        looks: float [B, S, S, 2], where each pixel of the result looks: (x, y) in fractions of the side; beyond the
            picture its border goes on.
    """
    first = next(iter(variant.values()))
    looks = looks.to(first)
    grid = (2 * looks - 1).repeat_interleave(first.shape[2], dim=0)
    made = {name: _looked_up(x, grid) for name, x in variant.items()}
    if "motion" in made:
        made["motion"] = _turned(made["motion"], looks)
    return made


def _looked_up(x: Tensor, grid: Tensor) -> Tensor:
    """Float [B, C, T, S, S] resampled where ``grid`` [B T, S, S, 2] says, in [-1, 1]; the border is repeated outside.

    Every frame is a picture of its own, with its channels last as they lie in memory: so nothing is copied.
    """
    b, c, frames, size, _ = x.shape
    pictures = x.transpose(1, 2).reshape(b * frames, c, size, size)
    out: Tensor = grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
    out = out.view(b, frames, c, size, size).transpose(1, 2)
    return out.contiguous(memory_format=torch.channels_last_3d)


def _turned(motion: Tensor, looks: Tensor) -> Tensor:
    """Vectors, float [B, 2, T, S, S], turned and stretched as the warp does at their places."""
    moved = torch.empty_like(motion)
    for component, (across, down) in zip(moved.unbind(1), _stretch(looks), strict=True):
        torch.mul(motion[:, 0], across[:, None], out=component)
        component.addcmul_(motion[:, 1], down[:, None])
    return moved.clamp_(-MOTION_LIMIT, MOTION_LIMIT)


def _stretch(looks: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What the warp does to short vectors, by rows, float [B, S, S] each: the inverse of the slope of ``looks``."""
    size = looks.shape[1]
    down, right = torch.gradient(looks, spacing=1 / size, dim=(1, 2))
    (a, c), (b, d) = right.unbind(-1), down.unbind(-1)
    determinant = (a * d - b * c).clamp_min(0.1)
    return (d / determinant, -b / determinant), (-c / determinant, a / determinant)
