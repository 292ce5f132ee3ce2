"""Creates and updates a table of pairs; :mod:`kinema.searching.table_update` writes it."""

from __future__ import annotations

import functools
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError
from kinema.core.pairs import IMAGE, TEXT, PairView
from kinema.data.pairs.table import Pair, Pairs
from kinema.searching.changes import Changes
from kinema.searching.layout import PAIRS
from kinema.searching.pairs.archive import unknown_texts
from kinema.searching.pairs.pictures import thumbnails
from kinema.searching.pairs.schema import (
    COLUMNS,
    Kept,
    PairTableSettings,
    facts_of,
    pair_columns,
    pair_schema,
    read_pair_settings,
    rows_of,
)
from kinema.searching.table_settings import check_settings
from kinema.searching.table_update import TableUpdate, UpdateJob, UpdateResult, run_update, threads_of_torch

ROWS = 1024
"""The fewest rows of a commit."""

AT_ONCE = 256
"""Pairs that are encoded together."""

UNKNOWN = "its text holds no word that the run knows"

Known = Mapping[str, tuple[str, str, str]]
"""Digest of the content, digest of the facts, and file of each pair in a table, by its name."""


@dataclass(frozen=True, kw_only=True)
class EmbeddedPairs(UpdateResult):
    """The result of embedding pairs: what the table holds now, and what was done.

    Args:
        images: rows of pictures in the table.
        texts: rows of texts.
        bytes: of a row's vector, its code, or both.
        note: for the user; empty for none.
    """

    images: int
    texts: int
    bytes: int
    note: str = ""
    noun: ClassVar[str] = "pairs"

    @property
    def content(self) -> str:
        """What the table holds, in words."""
        return f"{self.images} pictures, {self.texts} texts, {self.bytes} bytes each"


@dataclass(frozen=True, kw_only=True)
class PairJob(UpdateJob):
    """What to embed, and how; see :class:`~kinema.searching.table_update.UpdateJob` for the other fields.

    Args:
        model: a ``kinema.data.pairs.reader.PairReader``.
        pairs: the pairs.
        kept: what a row is found by; None for that of the table, or vectors.
    """

    model: Any
    pairs: Pairs
    kept: Kept | None = None


def embed_pairs_table(job: PairJob) -> EmbeddedPairs:
    """Makes the table agree with the pairs. The caller holds its lock (:mod:`kinema.searching.lock`).

    Raises:
        UsageError: a setting is invalid.
        DataError: the table is another run's, of something else or of other pairs, or is kept otherwise; none could be
            embedded; or more than a tenth of the table would be removed without ``remove``.
        StorageError: it cannot be written.
    """
    job.check()
    began = time.monotonic()
    with threads_of_torch(job.threads):
        return run_update(lambda: _PairEmbedding(job), job.uri, began)


@dataclass(frozen=True)
class Encoded:
    """What was made of a pair.

    Args:
        vectors: of each view, float32 [d], of unit length.
        thumbnail: its picture as JPEG; empty where none is kept.
    """

    vectors: Mapping[PairView, NDArray[np.float32]] = field(default_factory=dict)
    thumbnail: bytes = b""


class _PairEmbedding(TableUpdate[Encoded, EmbeddedPairs]):
    """One update of a table of pairs, under its lock."""

    layout, own, group = PAIRS, COLUMNS, "set"
    known_columns = ("digest", "facts", "file")

    def __init__(self, job: PairJob) -> None:
        attributes = (key for row in job.pairs.rows for key in row.attributes)
        super().__init__(job, root=job.pairs.root, attributes=attributes, rows=ROWS)
        self.job = job
        self.wordless: list[str] = []
        """Pairs whose texts hold no word that the run knows, though their pictures are embedded."""
        self.settings = self._settings(None if self.is_new else self.existing)

    def _settings(self, table: Any | None) -> PairTableSettings:
        if table is None:
            return PairTableSettings.of(self.job.model, self.job.kept or "vectors")
        settings = read_pair_settings(table, self.uri)
        check_settings(settings, PairTableSettings.of(self.job.model, self.job.kept or settings.kept), self.uri)
        return settings

    def new_schema(self, centre: Tensor | None) -> pa.Schema:  # noqa: ARG002 - vectors are not centred
        """The columns of a new table."""
        return pair_schema(self.settings, self.columns.values())

    def name(self, row: int) -> str:
        """The name of a pair."""
        return self._pair(row).name

    def contents(self) -> dict[str, str]:
        """The digest of each pair's content."""
        return {row.name: row.digest for row in self.job.pairs.rows}

    def changes(self, known: Known) -> Changes:
        """New, changed and deleted pairs."""
        return pair_changes(self.job.pairs, self.job.model.views, known)

    def encode_rows(self, rows: Sequence[int]) -> Generator[tuple[int, Encoded | str]]:
        """What is made of each pair, or the reason why there is nothing; in order."""
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            try:
                encoded = self._encoded(some)
            except DataError:  # one of them cannot be read, though it could when the data were opened
                for row in some:
                    try:
                        yield row, self._encoded([row])[0]
                    except DataError as error:
                        yield row, error.message.rstrip(".")
            else:
                yield from zip(some, encoded, strict=True)

    def rows_of(self, row: int, encoded: Encoded) -> list[dict[str, Any]]:
        """The rows of a pair."""
        return rows_of(
            self._pair(row), self.job.pairs.root, encoded.vectors, encoded.thumbnail, self.settings, self.columns
        )

    def facts_of(self, row: int) -> dict[str, Any]:
        """What is known of a pair."""
        return pair_columns(self._pair(row), self.job.pairs.root, self.columns)

    def empty_error(self, found: Changes) -> tuple[str, str]:
        """The message and hint for a table that would be empty."""
        return super().empty_error(found)[0], "Each needs a picture that can be read, or words that the run knows."

    def result(self, done: Mapping[str, Any]) -> EmbeddedPairs:
        """The result."""
        named = ", ".join(f"'{name}'" for name in self.wordless[:5])
        note = f"{len(self.wordless)} texts hold no word that the run knows and cannot be found: {named}."
        return EmbeddedPairs(
            images=self.count(IMAGE),
            texts=self.count(TEXT),
            bytes=4 * self.settings.vectors + self.settings.codes // 8,
            note=note if self.wordless else "",
            **done,
        )

    def _pair(self, row: int) -> Pair:
        return self.job.pairs.rows[row]

    def _encoded(self, rows: Sequence[int]) -> list[Encoded | str]:
        """What is made of some pairs, or the reason why there is nothing.

        Raises:
            DataError: one of them cannot be read, or the encoder gives what is no vector.
        """
        pairs = [self._pair(row) for row in rows]
        made: list[dict[PairView, NDArray[np.float32]]] = [{} for _ in pairs]
        for view in self.job.model.views:
            places = [at for at, pair in enumerate(pairs) if pair.has(view)]
            if not places:
                continue
            if view == TEXT:
                unknown = unknown_texts(self.job.model, [pairs[at].text for at in places])
                self.wordless += [pairs[at].name for at, out in zip(places, unknown, strict=True) if out and made[at]]
                places = [at for at, out in zip(places, unknown, strict=True) if not out]
            for at, vector in zip(places, self._vectors([pairs[at] for at in places], view), strict=True):
                made[at][view] = vector
        kept = self.settings.vectors > 0
        shown = [
            (pair.image, pair.at) if kept and IMAGE in given else ("", None)
            for pair, given in zip(pairs, made, strict=True)
        ]
        small = thumbnails(self.job.pairs.root, shown)
        return [Encoded(given, each) if given else UNKNOWN for given, each in zip(made, small, strict=True)]

    def _vectors(self, pairs: Sequence[Pair], view: PairView) -> NDArray[np.float32]:
        """Embeddings of a view, float32 [N, d]."""
        job = self.job
        some = replace(job.pairs, rows=tuple(pairs))
        found: NDArray[np.float32] = job.model.features(some, view, device=job.device, batch_size=job.batch_size)
        bad = ~np.isfinite(found).all(axis=1) | ~found.any(axis=1)
        if bad.any():
            raise DataError(
                f"'{pairs[int(bad.argmax())].name}': the encoder gives an embedding that is zero or not finite.",
                "The encoder may have diverged: see the run's curves, `kinema report RUN`.",
            )
        return found


def pair_changes(pairs: Pairs, views: Sequence[PairView], known: Known) -> Changes:
    """Compares pairs with what a table of embeddings holds.

    Pairs whose files cannot be looked at now stay; those that the data do not name any more are deleted.

    Args:
        pairs: the pairs.
        views: that are embedded.
        known: what the table of embeddings holds.
    """
    found = Changes()
    for row, each in enumerate(pairs.rows):
        entry = known.get(each.name)
        there = [view for view in views if view in each.broken or each.has(view)]
        if there and (why := each.why_not(there)):
            found.fail(each.name, why, held=entry is not None, passing=True)
        elif not there:
            reason = f"it has no {' and no '.join(views)}"
            found.fail(each.name, reason, held=entry is not None, passing=False)
        else:
            before = None if entry is None else entry[:2]
            found.compare(row, before, each.digest, functools.partial(facts_of, each, pairs.root))
    for name in sorted(known.keys() - {each.name for each in pairs.rows}):
        try:
            (pairs.root / known[name][2]).stat()
        except (FileNotFoundError, NotADirectoryError):
            found.deleted.append(name)
        except OSError:
            found.kept.append(name)
        else:
            found.deleted.append(name)
    return found
