"""Creates and updates a table of documents; :mod:`kinema.searching.table_update` writes it."""

from __future__ import annotations

import functools
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from torch import Tensor

from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Document, Documents
from kinema.searching.changes import Changes
from kinema.searching.documents.encode import WORDS, Passages, TextEncoding, find_text_centre
from kinema.searching.documents.schema import (
    COLUMNS,
    TextTableSettings,
    document_columns,
    facts_of,
    read_text_settings,
    rows_of,
    text_schema,
)
from kinema.searching.layout import DOCUMENTS
from kinema.searching.table_settings import check_settings
from kinema.searching.table_update import TableUpdate, UpdateJob, UpdateResult, run_update, showing, threads_of_torch

ROWS = 2048
"""The fewest rows of a commit."""

Known = Mapping[str, tuple[str, str, str]]
"""Digest of the text, digest of the facts, and path of each document in a table, by its id."""


@dataclass(frozen=True, kw_only=True)
class EmbeddedDocuments(UpdateResult):
    """The result of embedding documents: what the table holds now, and what was done.

    Args:
        documents: in the table.
        passages: in the table.
        note: a note on the corpus for the user; empty for none.
    """

    documents: int
    passages: int
    note: str = ""
    noun: ClassVar[str] = "documents"

    @property
    def content(self) -> str:
        """What the table holds, in words."""
        return f"{self.documents} documents, {self.passages} passages"


@dataclass(frozen=True, kw_only=True)
class TextJob(UpdateJob):
    """What to embed, and how; see :class:`~kinema.searching.table_update.UpdateJob` for the other fields.

    Args:
        model: the encoder.
        documents: the table of documents.
        part: the only file of the corpus that was read, relative to its root; None where all of it was. Documents of
            other files then stay in the table.
        words: of the longest passage; None for that of the table, or ``WORDS``.
        note: a note on the corpus for the user; empty for none.
    """

    model: TextReader
    documents: Documents
    part: str | None = None
    words: int | None = None
    note: str = ""


def embed_documents_table(job: TextJob) -> EmbeddedDocuments:
    """Makes the table agree with the documents. The caller holds its lock (:mod:`kinema.searching.lock`).

    Raises:
        UsageError: a setting is invalid.
        DataError: the table is another encoder's, of videos or of other documents; none could be embedded; or more than
            a tenth of the table would be removed without ``remove``.
        StorageError: it cannot be written.
    """
    job.check()
    began = time.monotonic()
    with threads_of_torch(job.threads):
        return run_update(lambda: _DocumentEmbedding(job), job.uri, began)


class _DocumentEmbedding(TableUpdate[Passages, EmbeddedDocuments]):
    """One update of a table of documents, under its lock."""

    layout, own, group = DOCUMENTS, COLUMNS, "corpus"
    known_columns = ("digest", "facts", "path")

    def __init__(self, job: TextJob) -> None:
        attributes = (key for document in job.documents.rows for key in document.attributes)
        super().__init__(job, root=job.documents.root, attributes=attributes, rows=ROWS)
        self.job = job
        self.settings = self._settings(None if self.is_new else self.existing)

    def new_centre(self) -> Tensor | None:
        """The centre of a new table; None for an existing one."""
        if not self.is_new:
            return None
        rows = [row for row, document in enumerate(self.job.documents.rows) if not _unusable(document)]
        with showing(self.steps, "finding the centre") as progress:
            return find_text_centre(self._encoding(None), self.job.documents, rows, progress)

    def new_schema(self, centre: Tensor | None) -> pa.Schema:
        """The columns of a new table."""
        return text_schema(self.settings, self.columns.values(), centre)

    def name(self, row: int) -> str:
        """The id of a document."""
        return self._document(row).id

    def contents(self) -> dict[str, str]:
        """The digest of each document's text."""
        return {document.id: document.digest for document in self.job.documents.rows}

    def changes(self, known: Known) -> Changes:
        """New, changed and deleted documents."""
        return document_changes(self.job.documents, known, self.job.part)

    def encode_rows(self, rows: Sequence[int]) -> Generator[tuple[int, Passages | str]]:
        """Each document's passages, or the reason why there are none; in order."""
        encoding = self._encoding(self.centre)
        for row, text in zip(rows, self.job.documents.answers(rows), strict=True):
            yield row, encoding.passages(self.name(row), text) if isinstance(text, str) else text.message.rstrip(".")

    def rows_of(self, row: int, encoded: Passages) -> list[dict[str, Any]]:
        """The rows of a document, that of the whole first."""
        return rows_of(self._document(row), encoded, self.settings, self.columns)

    def facts_of(self, row: int) -> dict[str, Any]:
        """The document's facts that each of its rows repeats."""
        return document_columns(self._document(row), self.columns)

    def result(self, done: Mapping[str, Any]) -> EmbeddedDocuments:
        """The result."""
        documents, passages = self.count("document"), self.count("passage")
        return EmbeddedDocuments(documents=documents, passages=passages, note=self.job.note, **done)

    def _settings(self, table: Any | None) -> TextTableSettings:
        if table is None:
            return TextTableSettings.of(self.job.model, self.job.words or WORDS)
        settings = read_text_settings(table, self.uri)
        check_settings(settings, TextTableSettings.of(self.job.model, self.job.words or settings.words), self.uri)
        return settings

    def _encoding(self, centre: Tensor | None) -> TextEncoding:
        job = self.job
        return TextEncoding(job.model, self.settings.words, job.batch_size, job.device, centre)

    def _document(self, row: int) -> Document:
        return self.job.documents.rows[row]


def document_changes(documents: Documents, known: Known, part: str | None = None) -> Changes:
    """Compares a table of documents with what a table of embeddings holds.

    Documents that are gone are deleted, but only where the corpus was read: those of a file or folder that cannot be
    opened now stay, and so do those outside ``part``.

    Args:
        documents: the table.
        known: what the table of embeddings holds.
        part: the only file that was read, relative to the root; None for all.
    """
    found = Changes()
    closed: list[str] = []
    for row, document in enumerate(documents.rows):
        entry, reason = known.get(document.id), _unusable(document)
        if reason:
            passing = document.health == "unreadable"
            found.fail(document.id, reason, held=entry is not None, passing=passing)
            closed += [document.id] if passing else []
        else:
            before = None if entry is None else entry[:2]
            found.compare(row, before, document.digest, functools.partial(facts_of, document))
    below = tuple(f"{name}{mark}" for name in closed for mark in "/#")
    gone = known.keys() - {document.id for document in documents.rows}
    for name in sorted(name for name in gone if part in (None, known[name][2])):
        hidden = name.startswith(below) or "." in closed
        (found.kept if hidden else found.deleted).append(name)
    return found


def _unusable(document: Document) -> str:
    """Why a document cannot be embedded; short ones and duplicates can."""
    return (document.reason or document.health) if document.health in ("empty", "unreadable") else ""
