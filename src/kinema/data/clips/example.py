"""A small made-up set of clips, of noise: batches for trying a method without a video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from kinema.core.clips import (
    SOUND,
    VIEWS,
    ClipBatch,
    ClipCompanions,
    ClipNeeds,
    ClipSpec,
    Companions,
    MotionClips,
    Negatives,
)
from kinema.core.records import mapped
from kinema.core.seeds import generator_at

SEED = 7


@dataclass(frozen=True)
class ClipExample:
    """Clips of 16 videos, in 3 classes and two of each recording, in batches of 8.

    Args:
        clip: what a clip is.
        sound: bands and times of a spectrogram.

    Attributes:
        rows: videos there are.
        classes: classes there are.
        size: clips of a batch.
    """

    clip: ClipSpec
    sound: tuple[int, int] = (16, 24)

    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 3
    size: ClassVar[int] = 8

    def batch(self, needs: ClipNeeds, step: int, *, rows: slice = slice(None)) -> ClipBatch:
        """The batch of a step: all videos come by in turn; labels only where the needs ask for them.

        Where motion clips are needed two are missing, one of them a target; every third clip lacks a negative.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which clips of it, for instance those of one rank.
        """
        index = (torch.arange(self.size) + step * self.size) % self.rows
        draw = generator_at(SEED, "clips", step)
        variants = []
        for _ in range(needs.variants):
            noise = {view: self._noise(view, draw) for view in VIEWS}
            variants.append({view: noise[view][rows] for view in needs.views})
        label = (index % self.classes)[rows] if needs.labels else None
        beside = mapped(self._companions(needs.companions, draw), lambda x: x[rows])
        batch = ClipBatch(tuple(variants), index[rows], (index // 2)[rows], label, companions=beside)
        return self._with_negatives(batch, needs, step, rows)

    def _noise(self, view: str, draw: torch.Generator) -> Tensor:
        shape = self.sound if view == SOUND else (self.clip.frames, self.clip.size, self.clip.size)
        return torch.randn(self.size, VIEWS[view], *shape, generator=draw)

    def _companions(self, wanted: Companions | None, draw: torch.Generator) -> ClipCompanions | None:
        if wanted is None:
            return None
        keyframe, motion = None, None
        if wanted.keyframe:
            keyframe = torch.randn(self.size, 3, self.clip.size, self.clip.size, generator=draw)
        if wanted.motion_frames:
            clips, side = (self.size, 1 + wanted.negatives), 2 * self.clip.size
            values = torch.randn(*clips, 2, wanted.motion_frames, side, side, generator=draw)
            valid = torch.ones(clips, dtype=torch.bool)
            valid[1, -1] = valid[5, 0] = False
            motion = MotionClips(values, valid)
        return ClipCompanions(keyframe, motion)

    def _with_negatives(self, batch: ClipBatch, needs: ClipNeeds, step: int, rows: slice) -> ClipBatch:
        draw = generator_at(SEED, "negatives", step)
        made = []
        for _ in [each for each in needs.disturbances if each.negative]:
            noise = {view: self._noise(view, draw) for view in VIEWS if view != SOUND}
            made.append({view: noise[view][rows] for view in needs.views})
        if not made:
            return batch
        places = torch.arange(self.size)[rows, None] + torch.arange(len(made))
        return replace(batch, negatives=Negatives(tuple(made), places % 3 > 0))
