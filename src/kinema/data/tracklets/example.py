"""A small made-up set of tracklets: batches for trying a method without a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from kinema.core.seeds import generator_at
from kinema.core.tracklets import TrackletBatch, TrackletNeeds

SEED = 7
HEIGHT, WIDTH = 16, 8
"""Of the made-up crops."""


@dataclass(frozen=True)
class TrackletExample:
    """Crops of 16 tracklets of 4 people, in batches of 8; every other tracklet is a frame shorter than the rest.

    Attributes:
        rows: tracklets there are.
        classes: people there are.
        size: tracklets of a batch.
    """

    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 4
    size: ClassVar[int] = 8

    def batch(self, needs: TrackletNeeds, step: int, *, rows: slice = slice(None)) -> TrackletBatch:
        """The batch of a step: all tracklets come by in turn.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which tracklets of it, for instance those of one rank.
        """
        index = (torch.arange(self.size) + step * self.size) % self.rows
        labels = index % self.classes
        looks = torch.randn(self.classes, 1, 3, HEIGHT, WIDTH, generator=generator_at(SEED, "people"))
        noise = generator_at(SEED, "crops", step)
        frames = looks[labels] + 0.3 * torch.randn(self.size, needs.frames, 3, HEIGHT, WIDTH, generator=noise)
        lengths = needs.frames - (index // self.classes % 2 if needs.frames > 1 else torch.zeros_like(index))
        mask = torch.arange(needs.frames) < lengths[:, None]
        frames = frames.masked_fill(~mask[:, :, None, None, None], 0.0)
        return TrackletBatch(frames[rows], mask[rows], index[rows], labels[rows] if needs.labels else None)
