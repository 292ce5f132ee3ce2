"""The batches of documents of one phase: which documents, which spans, and which of their tokens are masked.

An epoch shows every document ``repeats`` times. All batches are of one size: the last one is topped up from the
beginning of the epoch's order, so that no document is left out. With several processes each takes its part of every
batch, in order of rank. The spans of a document depend on the seed, the epoch and its row alone, so that a run goes on
at any batch as if it had never stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, DataError
from kinema.core.ops import rank_slice, world_size
from kinema.core.seeds import generator_at, seed_at
from kinema.core.spans import RawSpans, SpanBatch, SpanNeeds
from kinema.data.documents.corpus import TokenCorpus
from kinema.data.documents.encoding import Encoder, encode_documents
from kinema.data.documents.masking import mask_tokens
from kinema.data.documents.spans import draw_sentences, draw_spans, is_scaled
from kinema.data.documents.table import Documents
from kinema.data.documents.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class SpanModule:
    """Batches of spans.

    Args:
        corpus: the tokens, cut as the needs say.
        table: the documents, row by row those of the corpus.
        tokenizer: puts the special tokens around a span.
        needs: what the method needs of each document.
        batch_size: documents of a batch on each rank.
        seed: of the run.
        repeats: how often an epoch shows each document.

    Attributes:
        scaled: documents too short for spans as long as the needs say; theirs are shorter, in proportion.
        left_out: ids of documents without a single token.

    Raises:
        DataError: fewer than two documents have a token.
        ConfigError: a setting out of range.
    """

    def __init__(
        self,
        corpus: TokenCorpus,
        table: Documents,
        tokenizer: Tokenizer,
        needs: SpanNeeds,
        *,
        batch_size: int,
        seed: int,
        repeats: int = 1,
    ) -> None:
        for name, value in {"batch_size": batch_size, "repeats": repeats}.items():
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        assert len(corpus) == len(table), "the corpus is that of the table"
        lengths = corpus.lengths()
        self._rows = np.flatnonzero(lengths)
        self.left_out = [table.rows[row].id for row in np.flatnonzero(lengths == 0)]
        if len(self._rows) < 2:
            raise DataError(
                f"{len(self._rows)} of {len(table)} documents have a token; telling them apart needs at least 2.",
                "Use the tokenizer of a language that they are written in.",
            )
        cut_short = [int(n) for n in lengths[self._rows] if needs.cut == "spans" and is_scaled(int(n), needs)]
        self.scaled = len(cut_short)
        self.batch_size, self._seed, self._repeats = batch_size, seed, repeats
        self._corpus, self._tokenizer, self._needs = corpus, tokenizer, needs
        self._labels, self._sources = table.label_ids(), table.source_ids()
        self._report()

    def _report(self) -> None:
        needs, count = self._needs, len(self._rows)
        if self.left_out:
            names = ", ".join(self.left_out[:5]) + (" and others" if len(self.left_out) > 5 else "")
            log.warning("%d documents have no token and are left out: %s.", len(self.left_out), names)
        if self.scaled:
            log.info(
                "%d of %d documents have fewer than %d tokens, which %d anchors of %d tokens need; their spans are "
                "shorter, in proportion.",
                self.scaled,
                count,
                2 * needs.anchors * needs.max_length,
                needs.anchors,
                needs.max_length,
            )

    @property
    def batches(self) -> int:
        """Batches of every epoch, on every rank."""
        return math.ceil(len(self._rows) * self._repeats / (self.batch_size * world_size()))

    def loader(self, epoch: int, first: int = 0) -> Iterable[RawSpans]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        shown = len(self._rows) * self._repeats
        whole, part = self.batch_size * world_size(), rank_slice(self.batch_size)
        order = torch.randperm(shown, generator=generator_at(self._seed, "documents", epoch)).numpy()
        for batch in range(first, self.batches):
            slots = np.arange(batch * whole, (batch + 1) * whole) % shown
            raw = self._raw(epoch, order[slots])  # all ranks' spans, for one length of theirs
            yield raw if world_size() == 1 else raw.part(part)

    @property
    def workers(self) -> int:
        """None read beside the training: spans are cut from memory."""
        return 0

    def sample(self) -> tuple[RawSpans, float]:
        """The first batch, and the seconds that cutting one takes."""
        began = time.perf_counter()
        raw = next(iter(self.loader(0)))
        return raw, time.perf_counter() - began

    def batch(self, raw: RawSpans, generator: torch.Generator, *, labels: bool = False) -> SpanBatch:
        """A batch as the method sees it, on the device of ``raw``.

        Args:
            raw: as the loader yields it.
            generator: on the CPU; draws which tokens are masked.
            labels: whether the method may see the labels.
        """
        masked = None
        if self._needs.masked:
            masked = mask_tokens(
                raw.anchors,
                raw.special,
                self._needs.masked,
                mask_id=self._tokenizer.mask_id,
                ordinary=self._tokenizer.ordinary_ids,
                generator=generator,
            )
        label = raw.label if labels else None
        return SpanBatch(raw.anchors, raw.positives, masked, raw.index, raw.source, label)

    def features(self, method: nn.Module) -> Mapping[str, Tensor]:
        """Each tower's mean over all tokens of each document: by name, float32 [rows, dim]; NaN where it has none."""
        towers: Mapping[str, nn.Module] = method.towers()  # type: ignore[operator]
        return {name: self._encoded(tower) for name, tower in towers.items()}

    def _encoded(self, tower: nn.Module) -> Tensor:
        encoder: Encoder = tower.encoder  # type: ignore[assignment]
        device = next(tower.parameters()).device
        documents: Iterator[list[int]] = (self._corpus.document(int(row)).tolist() for row in self._rows)
        training = tower.training
        tower.eval()
        try:
            found = encode_documents(encoder, self._tokenizer, documents, self._needs.max_length, device=device)
        finally:
            tower.train(training)
        features = torch.full((len(self._corpus), found.shape[1]), math.nan)
        features[torch.from_numpy(self._rows)] = found
        return features

    def _raw(self, epoch: int, places: Iterable[int]) -> RawSpans:
        """The batch of so many places of the epoch; place p shows document p mod their number."""
        rows: list[int] = []
        anchors: list[list[int]] = []
        positives: list[list[int]] = []
        for place in places:
            again, number = divmod(int(place), len(self._rows))
            row = int(self._rows[number])
            generator = np.random.Generator(np.random.PCG64(seed_at(self._seed, "spans", epoch, row, again)))
            rows.append(row)
            own, beside = self._spans(row, generator)
            anchors += own
            positives += beside
        collate, with_special = self._tokenizer.collate, self._tokenizer.with_special
        tokens, special = collate([with_special(ids) for ids in anchors])
        return RawSpans(
            anchors=tokens,
            positives=collate([with_special(ids) for ids in positives])[0] if positives else None,
            special=special,
            index=torch.tensor(rows),
            source=torch.tensor([self._sources[row] for row in rows]),
            label=torch.tensor([self._labels[row] for row in rows]),
        )

    def _spans(self, row: int, generator: np.random.Generator) -> tuple[list[list[int]], list[list[int]]]:
        """The ids of a document's anchors, and those of its positives."""
        needs, corpus = self._needs, self._corpus
        if needs.cut == "sentences":
            drawn = draw_sentences(corpus.sentence_lengths(row), needs, generator)
            return [corpus.sentence(row, number)[: needs.max_length].tolist() for number in drawn], []
        tokens = corpus.document(row)
        spans = draw_spans(len(tokens), needs, generator)
        return (
            [tokens[begin:end].tolist() for begin, end in spans.anchors],
            [tokens[begin:end].tolist() for begin, end in spans.positives],
        )
