"""A negative that keeps the scene and breaks the motion: DSM's temporal disturbance, and IIC's intra-negatives.

Wang et al. 2021, DSM, AAAI 2021, arXiv 2009.05757; Tao, Wang, Yamasaki 2020, IIC, ACM Multimedia, arXiv 2008.02531
('shuffle' and 'repeat'). A network that distinguishes it from the clip has used motion. Each clip takes one kind:

    warp      each frame is warped along what moved since the first, by a smooth map: what moves gets further here,
              less far there
    shuffle   the frames after the first come in another order
    repeat    the first frame is repeated
    swap      two frames after the first change places

The first frame is always the clip's own. Residual and motion say what the new frames do: differences are added up
along the clip, reordered, and taken apart again.

A reconstruction: the authors' released code never calls its own temporal disturbance and takes another part of the
video instead. Displacements add up at a fixed place, as if a place kept its motion, and are smoothed, because blocks of
motion vectors would tear the picture, and a torn picture is recognised without motion. IIC repeats a random frame.

Legend: B clips, T frames, S pixels a side; M_t what moved since the first frame, σ the map of the warp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, grid_sample, interpolate

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.motion import MOTION_LIMIT, MOTION_UNIT
from kinema.data.clips.transforms.views import RESIDUAL_UNIT, RGB_STD

Kind = Literal["warp", "shuffle", "repeat", "swap"]
KNOTS = 3
"""Random values a side of the warp's map; between them it is smooth."""

CELLS = 6
"""Cells a side over which the displacements of 'warp' are averaged."""

FURTHEST = 0.1
"""What no displacement of 'warp' reaches before it is multiplied by σ, as a fraction of the side."""


@dataclass(frozen=True)
class BrokenMotion:
    """The clip with its motion broken, as a negative.

    Args:
        kinds: what may be done to a clip; each takes one of them, all as likely. 'warp' needs motion vectors.
        strength: the largest σ, the share of its displacement by which 'warp' carries a place further or holds it back;
            the smallest is half of it.
        variant: which variant it is made of, as those before it have left it; 1 is the key, whose crop and colours the
            negative then shares: they do not distinguish it from the positive. Made of the query (0) it is nearer to it
                than the positive is in all but the motion, and short trainings don't get past that.
    """

    kinds: tuple[Kind, ...] = get_args(Kind)
    strength: float = 1.0
    variant: int = 1

    def __post_init__(self) -> None:
        if not self.kinds or len(set(self.kinds)) != len(self.kinds) or not set(self.kinds) <= set(get_args(Kind)):
            raise ConfigError(
                f"broken-motion.kinds is {list(self.kinds)}; "
                f"name one or more of {', '.join(get_args(Kind))}, each once."
            )
        if not self.strength > 0:
            raise ConfigError(f"broken-motion.strength is {self.strength}; it must be above 0.")
        if self.variant < 0:
            raise ConfigError(f"broken-motion.variant is {self.variant}; variants count from 0.")

    negative = True
    elsewhere = False

    @property
    def views(self) -> tuple[str, ...]:
        """'warp' moves colours along the motion."""
        return ("rgb", "motion") if "warp" in self.kinds else ()

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """All views of the broken clip.

        Raises:
            ShapeError: the clips are of two frames, which have no other order.
        """
        first = next(iter(variant.values()))
        b, frames = len(first), first.shape[2]
        if frames < 3 and {"shuffle", "swap"} & set(self.kinds):
            raise ShapeError(
                f"Clips of {frames} frames cannot be reordered after the first.",
                "Set clip.frames to 3 or more, or leave 'shuffle' and 'swap' out of broken-motion's kinds.",
            )
        chosen = (len(self.kinds) * rand_rows(b, generator=generator)).long()
        order, knots = _orders(b, frames, generator), _knots(b, self.strength, generator)
        kind = [self.kinds[number] for number in chosen.tolist()]
        taken = torch.stack([order[name][clip] for clip, name in enumerate(kind)])
        made = {name: _reordered(name, x, taken.to(x.device)) for name, x in variant.items()}
        rows = torch.tensor([clip for clip, name in enumerate(kind) if name == "warp"], device=first.device)
        if len(rows):
            warped = _warped({name: x[rows] for name, x in variant.items()}, knots.to(first)[rows])
            made = {name: x.index_copy_(0, rows, warped[name]) for name, x in made.items()}
        return {name: x.contiguous(memory_format=torch.channels_last_3d) for name, x in made.items()}


def _orders(clips: int, frames: int, generator: torch.Generator) -> dict[str, Tensor]:
    """For each kind, which frame every place takes, int64 [B, T]; none but 'warp' leaves all as they are."""
    shuffled = rand_rows(clips, frames - 1, generator=generator).argsort(1) + 1
    still = torch.arange(frames).repeat(clips, 1)
    same = (shuffled == still[:, 1:]).all(1, keepdim=True)
    shuffled = torch.where(same, shuffled.roll(1, dims=1), shuffled)
    pair = rand_rows(clips, frames - 1, generator=generator).argsort(1)[:, :2] + 1
    swapped = still.scatter(1, pair, pair.flip(1))
    return {
        "warp": still,
        "shuffle": torch.cat([still[:, :1], shuffled], dim=1),
        "repeat": torch.zeros_like(still),
        "swap": swapped,
    }


def _knots(clips: int, strength: float, generator: torch.Generator) -> Tensor:
    """The map's random values, float [B, 1, KNOTS, KNOTS], between strength / 2 and strength either way."""
    draws = rand_rows(2, clips, 1, KNOTS, KNOTS, generator=generator, axis=1)
    return strength * (1 + draws[0]) / 2 * torch.where(draws[1] < 0.5, -1.0, 1.0)


def _reordered(name: str, x: Tensor, order: Tensor) -> Tensor:
    """One view with its frames in another order, float [B, C, T, S, S]; ``order`` int64 [B, T] begins with 0.

    Frames are moved in their layout in memory, [B, T, S, S, C], each in one piece.
    """
    frames = x.permute(0, 2, 3, 4, 1)
    places = (order + frames.shape[1] * torch.arange(len(x), device=x.device)[:, None]).flatten()

    def taken(each: Tensor) -> Tensor:
        return each.flatten(0, 1).index_select(0, places).view(each.shape)

    if name == "rgb":
        return taken(frames).permute(0, 4, 1, 2, 3)
    since = taken(frames.cumsum(1).sub_(frames[:, :1]))  # since the first frame, at each frame of the new order
    steps = torch.cat([frames[:, :1], since.diff(dim=1)], dim=1)
    unchanged = (order == torch.arange(frames.shape[1], device=x.device)).all(1)[:, None, None, None, None]
    steps = torch.where(unchanged, frames, steps).permute(0, 4, 1, 2, 3)
    return steps.clamp(-MOTION_LIMIT, MOTION_LIMIT) if name == "motion" else steps


def _warped(variant: Mapping[str, Tensor], knots: Tensor) -> dict[str, Tensor]:
    """Views of clips whose frames are warped by σ M_t, backward; the first frame has M = 0 and stays."""
    rgb, motion = variant["rgb"], variant["motion"]
    b, c, frames, size, _ = rgb.shape
    sigma = interpolate(knots, size=(size, size), mode="bicubic", align_corners=True)[:, :, None]
    further = sigma * _carried(motion)
    middle = (torch.arange(size, device=rgb.device, dtype=rgb.dtype) + 0.5) / size
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    looks = torch.stack([x, y])[None, :, None] - further
    grid = 2 * looks.permute(0, 2, 3, 4, 1).reshape(b * frames, size, size, 2) - 1
    flat = rgb.transpose(1, 2).reshape(b * frames, c, size, size)
    out = grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    out = out.view(b, frames, c, size, size).transpose(1, 2)
    out[:, :, 0] = rgb[:, :, 0]
    moved = motion.clone()
    moved[:, :, 1:] += further.diff(dim=2) / MOTION_UNIT
    made = {"rgb": out, "motion": moved.clamp_(-MOTION_LIMIT, MOTION_LIMIT)}
    if "residual" in variant:
        steps = out.diff(dim=2) * (RGB_STD / RESIDUAL_UNIT)
        made["residual"] = torch.cat([variant["residual"][:, :, :1], steps], dim=2)
    return made


def _carried(motion: Tensor) -> Tensor:
    """M_t: where what is seen was carried to since the first frame, float [B, 2, T, S, S] in fractions of the side.

    The displacements at each place, added up, then averaged over cells by their length, so that what moves counts and
    still places do not, bent to stay below ``FURTHEST``, and linear between cells: a warp along it tears
    nothing.
    """
    size, motion = motion.shape[3:], motion[..., ::2, ::2]  # every other pixel suffices for a cell's average
    since = (motion.cumsum(2) - motion[:, :, :1]) * MOTION_UNIT
    flat = since.transpose(1, 2).flatten(0, 1)
    length = torch.hypot(flat[:, :1], flat[:, 1:])
    cells = adaptive_avg_pool2d(torch.cat([length * flat, length], dim=1), CELLS)
    mean = cells[:, :2] / cells[:, 2:].clamp_min(1e-6)
    bent = mean / (1 + torch.hypot(mean[:, :1], mean[:, 1:]) / FURTHEST)
    smooth = interpolate(bent, size=size, mode="bilinear", align_corners=False)
    return smooth.view(len(motion), -1, *smooth.shape[1:]).transpose(1, 2)
