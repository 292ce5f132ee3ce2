"""A small made-up set of documents, of random tokens: batches for trying a method of text without a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kinema.core.seeds import generator_at
from kinema.core.spans import IGNORED, MaskedTokens, SpanBatch, SpanNeeds, Tokens
from kinema.data.documents.vocabulary import CLS, MASK, SEP, SPECIAL

SEED = 7


@dataclass(frozen=True)
class SpanExample:
    """Spans of 16 documents, in 3 classes and two of each source, in batches of 8.

    Args:
        vocabulary: ids there are; those of special tokens are a learnt tokenizer's.

    Attributes:
        rows: documents there are.
        classes: classes there are.
        size: documents of a batch.
    """

    vocabulary: int

    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 3
    size: ClassVar[int] = 8

    def batch(self, needs: SpanNeeds, step: int, *, rows: slice = slice(None)) -> SpanBatch:
        """The batch of a step: all documents come by in turn; labels only where the needs ask for them.

        Lengths are drawn from all that the needs allow. Where tokens are to be predicted, they are the first word of
        each anchor, which is masked, and the last, which is left as it is: as many for each rank.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which documents of it, for instance those of one rank.
        """
        index = (torch.arange(self.size) + step * self.size) % self.rows
        draw = generator_at(SEED, "spans", step)
        anchors = self._tokens(needs.anchors, needs, draw)
        positives = self._tokens(needs.anchors * needs.positives, needs, draw) if needs.positives else None
        masked = _masked(anchors) if needs.masked else None
        return SpanBatch(
            self._part(anchors, rows),
            None if positives is None else self._part(positives, rows),
            None if masked is None else MaskedTokens(self._part(masked.tokens, rows), self._rows(masked.targets, rows)),
            index[rows],
            (index // 2)[rows],
            (index % self.classes)[rows] if needs.labels else None,
        )

    def _tokens(self, each: int, needs: SpanNeeds, draw: torch.Generator) -> Tokens:
        """So many sequences of each document."""
        count = self.size * each
        lengths = torch.randint(needs.min_length, needs.max_length + 1, (count,), generator=draw)
        ids = torch.randint(len(SPECIAL), self.vocabulary, (count, needs.max_length + 2), generator=draw)
        ids[:, 0] = SPECIAL.index(CLS)
        ids[torch.arange(count), lengths + 1] = SPECIAL.index(SEP)
        mask = torch.arange(ids.shape[1]) < lengths[:, None] + 2
        return Tokens(ids.masked_fill(~mask, 0), mask)

    def _part(self, tokens: Tokens, rows: slice) -> Tokens:
        return Tokens(self._rows(tokens.ids, rows), self._rows(tokens.mask, rows))

    def _rows(self, x: Tensor, rows: slice) -> Tensor:
        """The sequences of some documents, [size each, L] to [n each, L]."""
        return x.view(self.size, -1, x.shape[1])[rows].flatten(0, 1)


def _masked(anchors: Tokens) -> MaskedTokens:
    ids, row = anchors.ids.clone(), torch.arange(len(anchors))
    asked = torch.zeros_like(anchors.mask)
    asked[:, 1] = asked[row, anchors.mask.sum(dim=1) - 2] = True
    ids[:, 1] = SPECIAL.index(MASK)
    return MaskedTokens(Tokens(ids, anchors.mask), torch.where(asked, anchors.ids, IGNORED))
