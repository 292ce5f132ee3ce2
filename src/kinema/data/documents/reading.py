"""What is there and what is broken: a folder or a file of documents as a typed table.

A folder holds ``.txt`` files, a document each, or tables with a column ``text``, a document a row; a single file is one
of these. Every document gets its row, whatever is wrong with it, and the reading goes on. What a folder says of its
``.txt`` files is in :mod:`kinema.data.labels`; tables say it in columns ``label``, ``source``, ``split`` and ``id``;
every further column is an attribute of that name.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kinema.core.errors import ConfigError, DataError
from kinema.core.labelling import LabelReading
from kinema.core.splits import read_split
from kinema.data.documents.files import (
    TABLES,
    TEXTS,
    Record,
    check_columns,
    check_encoding,
    columns,
    read_text,
    records,
)
from kinema.data.documents.splitting import count_words
from kinema.data.documents.table import Document, Documents, is_table, text_digest
from kinema.data.documents.walking import files_below
from kinema.data.labels import LABELS, Labelled, read_labels

log = logging.getLogger(__name__)

MIN_WORDS = 4
"""Words of the shortest document by default: two anchors and a positive beside each need as many."""

Progress = Callable[[int, int], None]


def read_documents(
    place: str | Path, *, encoding: str = "utf-8", min_words: int = MIN_WORDS, progress: Progress | None = None
) -> Documents:
    """Reads all documents of a folder or a file.

    Args:
        place: a folder, searched in all depths without hidden files; a ``.txt``, ``.jsonl``, ``.csv``, ``.tsv`` or
            ``.parquet`` file; or a table that :meth:`Documents.write` wrote.
        encoding: of files without a byte-order mark.
        min_words: documents with fewer are 'short'.
        progress: is called with (files done, files).

    Returns:
        The documents in the order of their paths and rows.

    Raises:
        DataError: nothing is there, nothing there is a document, or a table has no column ``text``; the message names
            the columns there are.
        ConfigError: the encoding is not known, or ``min_words`` is below 1.
    """
    encoding = check_encoding(encoding)
    if min_words < 1:
        raise ConfigError(f"min_words is {min_words}; it must be at least 1.")
    place = Path(place)
    reading: LabelReading | None = None
    if place.is_dir():
        root = place.resolve()
        found, reading = _read_folder(root, encoding, progress)
    elif place.is_file():
        if place.suffix.lower() in (".json", ".parquet") and is_table(place):
            return Documents.read(place)
        root = place.resolve().parent
        found = _read_single(root, place.resolve().name, encoding, progress)
    else:
        raise DataError(f"There is no folder or file '{place}'.", "Give the folder or the file that holds the texts.")
    rows = tuple(_judged(found, min_words))
    if not rows:
        raise DataError(f"There are no documents in '{place}'.", _HINT)
    return Documents(root, rows, encoding, reading)


_HINT = (
    "Documents are .txt files, one each, or rows with a column 'text' in a file that ends in "
    f"{', '.join(sorted(TABLES))}."
)

Found = Iterator[tuple[Document, str]]


def claims_document(name: str) -> bool:
    """Whether a file's name ends like that of a document or of a table of documents, and is not ``labels.csv``."""
    return _is_text(name) or _is_table(name)


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TEXTS


def _is_table(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TABLES and PurePosixPath(name).name != LABELS


def _read_single(root: Path, name: str, encoding: str, progress: Progress | None) -> Found:
    if not claims_document(name):
        raise DataError(f"'{name}' does not end like a file of documents.", _HINT)
    if _is_table(name):
        try:
            check_columns(root / name, encoding)
        except (OSError, ValueError) as error:
            raise DataError(f"'{root / name}' could not be read: {error}.") from error
    yield from _read_file(root, name, encoding, Labelled())
    if progress is not None:
        progress(1, 1)


def _read_folder(root: Path, encoding: str, progress: Progress | None) -> tuple[Found, LabelReading]:
    below, closed = files_below(root)
    paths = _with_texts(root, [path for path in below if claims_document(path)], encoding)
    texts = [path for path in paths if _is_text(path)]
    labels, reading = read_labels(root, texts, noun="document", claims=claims_document)
    closed = {path: why for path, why in closed.items() if claims_document(path) or (root / path).is_dir()}
    return _read_files(root, sorted([*paths, *closed]), closed, labels, encoding, progress), reading


def _read_files(
    root: Path,
    everything: Sequence[str],
    closed: Mapping[str, str],
    labels: Mapping[str, Labelled],
    encoding: str,
    progress: Progress | None,
) -> Found:
    for done, path in enumerate(everything, 1):
        if path in closed:
            yield _unreadable(path, closed[path]), ""
        else:
            yield from _read_file(root, path, encoding, labels.get(path, Labelled()))
        if progress is not None:
            progress(done, len(everything))


def _with_texts(root: Path, paths: list[str], encoding: str) -> list[str]:
    """The paths without tables of something else; those are named in a warning, or refused where all of them are."""
    refused: dict[str, DataError] = {}
    for path in paths:
        if _is_table(path):
            try:
                check_columns(root / path, encoding)
            except DataError as error:
                refused[path] = error
            except (OSError, ValueError):
                continue  # it is no table: named when it is read
    if refused and len(refused) == len(paths):
        raise next(iter(refused.values()))
    for refusal in refused.values():
        log.warning("A table is passed over. %s", refusal.message)
    return [path for path in paths if path not in refused]


def _read_file(root: Path, path: str, encoding: str, said: Labelled) -> Found:
    """The documents of one file with their texts; one that is unreadable where the file is."""
    try:
        path.encode()
    except UnicodeEncodeError:
        yield _unreadable(path, "the file's name is not UTF-8; rename it"), ""
        return
    described = Document(path, path, 0, said.label, said.source or path, said.split, dict(said.attributes))
    try:
        if _is_text(path):
            yield described, read_text(root / path, encoding)
            return
        names = _given_ids(root, path, encoding)
        for record in records(root / path, encoding):
            yield _row(path, record, names), record.text
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield replace(described, health="unreadable", reason=reason), ""


def _given_ids(root: Path, path: str, encoding: str) -> bool:
    """Whether the column ``id`` names every row of a table, each by another name."""
    if "id" not in columns(root / path, encoding):
        return False
    counts = Counter(record.fields.get("id", "") for record in records(root / path, encoding) if not record.problem)
    twice = next((name for name, count in counts.items() if not name or count > 1), None)
    if twice is not None:
        what = f"'{twice}' more than once" if twice else "a row without one"
        log.warning("'%s': the column 'id' holds %s, so its documents are named by their rows.", path, what)
    return twice is None


def _row(path: str, record: Record, named: bool) -> Document:
    fields = dict(record.fields)
    name = f"{path}#{fields['id'] if named and 'id' in fields else record.row}"
    own = {key: fields.pop(key, "") for key in ("label", "source", "split")}
    health = "unreadable" if record.problem else "ok"
    return Document(
        name,
        path,
        record.row,
        own["label"] or None,
        own["source"] or name,
        read_split(own["split"]),
        fields,
        health,  # type: ignore[arg-type]
        record.problem,
    )


def _unreadable(path: str, reason: str) -> Document:
    named = path.encode("utf-8", "backslashreplace").decode()
    return Document(named, named, health="unreadable", reason=reason)


def _judged(found: Found, min_words: int) -> Iterator[Document]:
    """The documents with what their texts say: whether there is enough of it, and whether an earlier one says it."""
    first: dict[bytes, str] = {}
    for document, text in found:
        if document.health == "unreadable":
            yield document
            continue
        words = count_words(text)
        measured = replace(
            document, characters=len(text), words=words, size=len(text.encode()), digest=text_digest(text)
        )
        if not words:
            yield replace(measured, health="empty", reason="there is no word in it")
            continue
        if words < min_words:
            reason = f"{words} word{'s' * (words > 1)}; at least {min_words} are needed"
            yield replace(measured, health="short", reason=reason)
            continue
        same = hashlib.sha256(" ".join(text.split()).encode()).digest()
        if same in first:
            yield replace(measured, health="duplicate", reason=f"the same text as '{first[same]}'")
            continue
        first[same] = document.id
        yield measured
