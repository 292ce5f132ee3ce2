"""A small made-up set of pairs: batches for trying a method without a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from kinema.core.pairs import IMAGE, TEXT, PairBatch, PairNeeds
from kinema.core.seeds import generator_at
from kinema.core.spans import Tokens
from kinema.data.pairs.texts import PADDING, SPECIAL

if TYPE_CHECKING:
    from kinema.data.pairs.config import TextForm

SEED = 7
SIZE = 16
"""Height and width of the made-up pictures."""
WORDS = 24
"""Words of their texts; ids are up to WORDS + 1."""
_A_LABEL = 4
"""Words of a text that a label of it is told by."""


@dataclass(frozen=True)
class PairExample:
    """16 pairs of 4 labels, in batches of 8; every pair has one label, and every other a second one.

    Args:
        text: how texts are given: 'bag' and 'vectors' are float [B, 24] of unit length; 'words' and 'tokens' are ids
            from 2 to 25, of which pairs with a second label have more.

    Attributes:
        rows: pairs there are.
        classes: labels there are.
        size: pairs of a batch.
    """

    text: TextForm = "bag"
    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 4
    size: ClassVar[int] = 8

    def batch(self, needs: PairNeeds, step: int, *, rows: slice = slice(None)) -> PairBatch:
        """The batch of a step: all pairs come by in turn.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which pairs of it, for instance those of one rank.
        """
        index = (torch.arange(self.size) + step * self.size) % self.rows
        first, second = index % self.classes, (index + 1 + index // self.classes % 3) % self.classes
        labels = torch.zeros(self.size, self.classes, dtype=torch.bool)
        labels[torch.arange(self.size), first] = True
        twice = index % 2 == 1
        labels[twice, second[twice]] = True
        return PairBatch(
            index[rows],
            self._images(labels, step)[rows] if IMAGE in needs.views else None,
            self._texts(labels, step, rows) if TEXT in needs.views else None,
            labels[rows] if needs.labels else None,
        )

    def _images(self, labels: Tensor, step: int) -> Tensor:
        looks = torch.randn(self.classes, 3, SIZE, SIZE, generator=generator_at(SEED, "looks"))
        noise = torch.randn(self.size, 3, SIZE, SIZE, generator=generator_at(SEED, "pictures", step))
        return torch.einsum("bc,cdhw->bdhw", labels.float(), looks) + 0.3 * noise

    def _texts(self, labels: Tensor, step: int, rows: slice) -> Tensor | Tokens:
        draw = torch.randint(_A_LABEL, (self.size, self.classes), generator=generator_at(SEED, "texts", step))
        words = torch.arange(self.classes) * _A_LABEL + draw
        ids = torch.cat([words, torch.full((self.size, 1), self.classes * _A_LABEL)], dim=1)
        mask = torch.cat([labels, torch.ones(self.size, 1, dtype=torch.bool)], dim=1)
        if self.text in ("bag", "vectors"):
            bag = torch.zeros(self.size, WORDS).scatter_(1, ids, mask.float())
            return torch.nn.functional.normalize(bag, dim=1)[rows]
        order = (~mask).int().argsort(dim=1, stable=True)  # words first, then the padding
        ids, mask = (ids + SPECIAL).gather(1, order), mask.gather(1, order)
        return Tokens(ids.masked_fill(~mask, PADDING)[rows], mask[rows])
