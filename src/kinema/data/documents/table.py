"""The table of documents: what is there, one typed row a document; the texts stay in their files until they are read.

It is made by :func:`kinema.data.documents.read_documents` and read back from Parquet, or from JSON where the file's
name ends in ``.json``; both hold the same. Row numbers are how the rest of kinema names a document, so a selection is
a new table with rows of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

from kinema.core.errors import DataError
from kinema.core.labelling import LabelReading
from kinema.core.reading import load_json, reason_of, shaped
from kinema.core.tables import distinct, matching, numbered
from kinema.data.documents.files import Record, read_text, records
from kinema.data.listing import write_list
from kinema.data.moving import found_root

Health = Literal["ok", "empty", "short", "duplicate", "unreadable"]
HEALTHS: tuple[str, ...] = get_args(Health)
_FORMAT = 1
_MARK = "kinema_documents"
_COLUMNS = ("label", "source", "split", "health")


@dataclass(frozen=True)
class Document:
    """One document, or a place where one should be.

    Args:
        id: its name: the path of a file that is one document, otherwise the path and the row, 'corpus.jsonl#12', or
            the path and what the column ``id`` says, 'corpus.jsonl#smith-2021'.
        path: its file below the table's root, with forward slashes.
        row: its row in that file, from 1; 0 where the whole file is the document.
        label: the class, or None.
        source: what it was cut from; documents of one source are siblings. Its id where nothing is known.
        split: for instance 'train' or 'test', or None.
        attributes: whatever else is known of it, by name.
        health: 'ok'; 'empty' without a word; 'short' of words; the 'duplicate' of an earlier one, white space aside;
            or 'unreadable'.
        reason: why it is not ok; empty where it is.
        characters: of its text.
        words: of its text, see :func:`kinema.data.documents.count_words`.
        size: bytes of its text in UTF-8.
        digest: SHA-256 of its text, in hexadecimal; empty where it is unreadable.
    """

    id: str
    path: str
    row: int = 0
    label: str | None = None
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    health: Health = "ok"
    reason: str = ""
    characters: int = 0
    words: int = 0
    size: int = 0
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.id)

    def value(self, key: str) -> str | None:
        """Its label, source, split, health or attribute of that name; None where it has none."""
        if key in _COLUMNS:
            found: str | None = getattr(self, key)
            return found
        return self.attributes.get(key)


@dataclass(frozen=True)
class Documents:
    """Documents in files below one root folder; the row number of a document is its index in ``rows``.

    Args:
        root: the folder.
        rows: the documents, in any order.
        encoding: of the files that have no byte-order mark.
        reading: how they came by their labels; None where that is not known. Two tables of equal documents are equal
            whatever it says.
    """

    root: Path
    rows: tuple[Document, ...]
    encoding: str = "utf-8"
    reading: LabelReading | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(row.id for row in self.rows).items() if count > 1]
        if twice:
            raise DataError(f"The table holds {len(twice)} documents more than once: {', '.join(twice[:5])}.")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that learning depends on.

        That is each document's id, text, label, source, split and attributes; not the root or the order of the rows.
        """
        rows = [
            [row.id, row.digest, row.label, row.source, row.split, sorted(row.attributes.items())]
            for row in sorted(self.rows, key=lambda document: document.id)
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def select(self, where: Mapping[str, str]) -> Documents:
        """The documents for which every named key has the named value.

        Args:
            where: keys are 'label', 'source', 'split', 'health' or the name of an attribute.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        known = [*_COLUMNS, *sorted({key for row in self.rows for key in row.attributes} - set(_COLUMNS))]
        return replace(self, rows=matching(self.rows, where, known, "document"))

    def usable(self) -> Documents:
        """The documents whose health is 'ok'."""
        return replace(self, rows=tuple(row for row in self.rows if row.health == "ok"))

    def labels(self) -> tuple[str | None, ...]:
        """Each document's class, None where it is not known."""
        return tuple(row.label for row in self.rows)

    def classes(self) -> tuple[str, ...]:
        """The classes there are, sorted."""
        return distinct(row.label for row in self.rows)

    def label_ids(self) -> tuple[int, ...]:
        """Each document's class as its number in :meth:`classes`, -1 where it is not known."""
        return numbered(row.label for row in self.rows)

    def source_ids(self) -> tuple[int, ...]:
        """Each document's source as its number among the sorted sources; equal numbers are siblings."""
        return numbered(row.source for row in self.rows)

    def text(self, row: int) -> str:
        """The text of one row; raises as :meth:`texts` does. For many rows, :meth:`texts` reads each file but once."""
        return next(self.texts([row]))

    def texts(self, rows: Iterable[int] | None = None) -> Iterator[str]:
        """The texts of rows, in the order in which they are named; all of them by default.

        Rows of one file that follow one another are read in one pass through it, and nothing else is held in memory.
        Where they are not in the order of the file, the texts that the pass meets too early are held.

        Raises:
            DataError: a document is unreadable, or its text is no longer the one that the table was made of.
        """
        for answer in self.answers(rows):
            if isinstance(answer, DataError):
                raise answer
            yield answer

    def answers(self, rows: Iterable[int] | None = None) -> Iterator[str | DataError]:
        """As :meth:`texts`; but in place of a text that cannot be had comes the error, and the reading goes on."""
        wanted = [self.rows[row] for row in (range(len(self.rows)) if rows is None else rows)]
        for path, group in groupby(wanted, key=lambda document: document.path):
            yield from self._answers_of(path, list(group))

    def write(self, path: Path) -> None:
        """Writes it atomically, as JSON where the name ends in '.json' and as Parquet otherwise; without the texts.

        Raises:
            StorageError: it could not be written.
        """
        write_list(path, self, Document, "documents", encoding=self.encoding)

    @classmethod
    def read(cls, path: Path, root: Path | None = None) -> Documents:
        """Reads what :meth:`write` wrote.

        Args:
            path: the file.
            root: the folder of the documents, where it has moved; otherwise the one written in the file or, if that
                does not hold them, the one that lies where it lay, seen from the table, or the table's own folder.

        Raises:
            DataError: the file is missing, or is no table of documents.
        """
        hint = "Make one with `kinema scan DOCUMENTS -o TABLE`."
        if not path.is_file():
            raise DataError(f"There is no table of documents '{path}'.", hint)
        try:
            head, found = _read_json(path) if path.suffix == ".json" else _read_parquet(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"'{path}' is not a table of documents: {reason_of(error)}.", hint) from error
        rows = tuple(
            _from_row(row, f"The table of documents '{path}', in row {number},", hint)
            for number, row in enumerate(found)
        )
        if root is None:
            some = {row.path for row in rows[:20]}
            way = head.get("root_from_here")
            root = found_root(head["root"], way, path, lambda place: any((place / name).exists() for name in some))
        return cls(root, rows, head["encoding"])

    def _answers_of(self, path: str, wanted: Sequence[Document]) -> Iterator[str | DataError]:
        readable = [document for document in wanted if document.health != "unreadable"]
        found = self._read(path, readable)
        for document in wanted:
            if document.health == "unreadable":
                reason = f"'{document.id}' is unreadable: {document.reason}."
                yield DataError(reason, "Leave it out: table.usable() does.")
            else:
                yield next(found)

    def _read(self, path: str, wanted: Sequence[Document]) -> Iterator[str | DataError]:
        """An answer for each document of one file, in one pass through it."""
        file = self.root / path
        done = 0
        try:
            if wanted and wanted[0].row == 0:
                text = read_text(file, self.encoding)
                for document in wanted:
                    yield _checked(document, text)
                return
            met: dict[int, Record] = {}
            found = records(file, self.encoding, {document.row for document in wanted})
            last = {document.row: place for place, document in enumerate(wanted)}
            for done, document in enumerate(wanted):
                while document.row not in met and (record := next(found, None)) is not None:
                    met[record.row] = record
                held = met.get(document.row)
                if held is None or held.problem:
                    yield _changed(document, held.problem if held else "it is not there")
                else:
                    yield _checked(document, held.text)
                if last[document.row] == done:
                    met.pop(document.row, None)
        except (OSError, ValueError) as error:
            for document in wanted[done:]:
                yield _changed(document, str(error))


def is_table(path: Path) -> bool:
    """Whether a file is what :meth:`Documents.write` wrote."""
    try:
        _read_json(path) if path.suffix == ".json" else _check_parquet(path)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _checked(document: Document, text: str) -> str | DataError:
    if text_digest(text) != document.digest:
        return _changed(document, "its text is another one")
    return text


def _changed(document: Document, reason: str) -> DataError:
    return DataError(
        f"'{document.id}' is not what it was when the table was made: {reason}.", "Read the documents again."
    )


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _from_row(row: Any, where: str, hint: str) -> Document:
    if isinstance(row, Mapping):  # keys of later versions are passed over
        row = {key: value for key, value in row.items() if key in Document.__dataclass_fields__}
        row |= {"attributes": {}} if row.get("attributes") is None else {}
    document = shaped(row, Document, where, error=DataError, hint=hint)
    if document.health not in HEALTHS:
        raise DataError(f"{where} is damaged: health is '{document.health}'.", hint)
    if min(document.row, document.characters, document.words, document.size) < 0:
        raise DataError(f"{where} is damaged: a count in it is below 0.", hint)
    return document


def _read_json(path: Path) -> tuple[Mapping[str, str], Iterable[Mapping[str, Any]]]:
    content = load_json(path)
    if not isinstance(content, dict) or content.get(_MARK) != _FORMAT:
        raise ValueError("it does not say that it is one")
    for key, kind in (("root", str), ("encoding", str), ("documents", list)):
        if not isinstance(content.get(key), kind):
            raise ValueError(f"it has no '{key}'")
    way = content.get("root_from_here", "")
    if not isinstance(way, str):
        raise ValueError("'root_from_here' is no text")
    return {"root": content["root"], "encoding": content["encoding"], "root_from_here": way}, content["documents"]


def _check_parquet(path: Path) -> Mapping[str, str]:
    from pyarrow import parquet

    metadata = parquet.read_schema(path).metadata or {}
    if metadata.get(_MARK.encode()) != str(_FORMAT).encode():
        raise ValueError("it does not say that it is one")
    if not {b"root", b"encoding"} <= set(metadata):
        raise ValueError("it names no root or no encoding")
    head = {"root": metadata[b"root"].decode(), "encoding": metadata[b"encoding"].decode()}
    return head | {"root_from_here": metadata.get(b"root_from_here", b"").decode()}


def _read_parquet(path: Path) -> tuple[Mapping[str, str], Iterable[Mapping[str, Any]]]:
    from pyarrow import parquet

    head = _check_parquet(path)
    return head, parquet.read_table(path).to_pylist(maps_as_pydicts="strict")
