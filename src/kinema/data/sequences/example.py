"""A small made-up set of sequences: batches for trying a method without a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from kinema.core.seeds import generator_at
from kinema.core.sequences import SequenceBatch, SequenceNeeds

SEED = 7
WIDTH = 6
"""F of the made-up features."""


@dataclass(frozen=True)
class SequenceExample:
    """Frames of 16 sequences, each through 4 steps in one order, in batches of 8.

    Attributes:
        rows: sequences there are.
        classes: activities there are.
        size: sequences of a batch.
    """

    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 1
    size: ClassVar[int] = 8

    def batch(self, needs: SequenceNeeds, step: int, *, rows: slice = slice(None)) -> SequenceBatch:
        """The batch of a step: all sequences come by in turn.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which sequences of it, for instance those of one rank.
        """
        index = (torch.arange(self.size) + step * self.size) % self.rows
        draw = generator_at(SEED, "sequences", step)
        centres = torch.randn(4, WIDTH, generator=generator_at(SEED, "steps"))
        place = ((torch.arange(needs.frames) + 0.5) / needs.frames).expand(self.size, -1).clone()
        features = centres[(place * 4).long()] + 0.3 * torch.randn(self.size, needs.frames, WIDTH, generator=draw)
        mask = torch.ones(self.size, needs.frames, dtype=torch.bool)
        return SequenceBatch(features[rows], mask[rows], place[rows], index[rows])
