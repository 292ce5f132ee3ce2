"""Finds the passages that are nearest to a text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError, UsageError
from kinema.data.clips.stretches import PICTURES
from kinema.data.documents.files import TEXTS, read_text
from kinema.data.documents.reader import TextReader
from kinema.data.documents.splitting import sentence_spans
from kinema.data.video.files import claims_video
from kinema.searching.database import storage_errors
from kinema.searching.documents.encode import TextEncoding
from kinema.searching.documents.schema import TextTableSettings, read_text_settings
from kinema.searching.find import OpenTable, SearchOptions, away
from kinema.searching.hits import Found, score_of
from kinema.searching.layout import DOCUMENTS
from kinema.searching.roots import home_of
from kinema.searching.table_settings import check_settings

_COLUMNS = ["document", "start", "end", "passage", "label", "source", "split", "cluster", "cluster_name"]
_ASK = 'For instance: kinema search RUN "how a file is opened"'


@dataclass(frozen=True)
class PassageHit:
    """One hit.

    Args:
        document: its id: its path, relative to the folder that was embedded, and in a table '#' and its row or name.
        start: the passage's first character in the document.
        end: the character after its last.
        score: cosine similarity to the query.
        passage: the passage; empty for a whole document.
        label: the document's class, or None.
        source: what the document was cut from.
        split: for instance 'train' or 'test', or None.
        cluster: the number of its cluster, or None.
        cluster_name: the name that a user gave it, or None.
    """

    document: str
    start: int
    end: int
    score: float
    passage: str
    label: str | None = None
    source: str = ""
    split: str | None = None
    cluster: int | None = None
    cluster_name: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in ("document", "start", "end", "passage", "score")}


@dataclass(frozen=True)
class TextQuery:
    """A parsed query.

    Args:
        text: the text.
        file: the document that it is the text of; None for a literal text.
    """

    text: str
    file: Path | None = None

    def __str__(self) -> str:
        return self.text if self.file is None else str(self.file)


def find_passages(model: TextReader, uri: str, query: str | Path, options: SearchOptions) -> Found[PassageHit]:
    """Searches a table of documents.

    The query is encoded like the table's documents, so that a passage, or a document, finds itself with a score of 1.

    Args:
        model: the encoder that made it.
        uri: where it is.
        query: a text, or a ``.txt`` file.
        options: of the search; with ``others`` the query must be a file.

    Raises:
        UsageError: k, the condition or the query is invalid.
        DataError: there is no table, it is another encoder's or of videos, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    DOCUMENTS.kind(options.over)
    parsed = read_text_query(query, model.encoding)
    if options.others and parsed.file is None:
        raise UsageError(
            "The query's own document is to be left out, and words are of no document.",
            "Ask with a .txt file of the corpus, or without --others.",
        )

    def check(table: Any) -> None:
        made = read_text_settings(table, uri)
        check_settings(made, TextTableSettings.of(model, made.words), uri)

    opened = OpenTable.open(uri, check, options)
    words = read_text_settings(opened.table, uri).words
    encoded = TextEncoding(model, words, 32, options.device, opened.centre).passages("The query", parsed.text)
    if isinstance(encoded, str):
        raise DataError(f"{encoded}.")
    with storage_errors(uri):
        home = home_of(opened.table, uri, options.videos)
        own = home.name_of(opened.table, parsed.file) if options.others and parsed.file is not None else None
    return opened.excluding(own).found(
        parsed,
        encoded.whole.vector,
        _hit,
        k=options.k,
        columns=_COLUMNS,
        home=home,
        notes=(away(home),) if options.others and own is None and not home.there else (),
        began=began,
    )


def read_text_query(query: str | Path, encoding: str = "utf-8") -> TextQuery:
    """The text of a query.

    Args:
        query: a text, or a ``.txt`` file that exists.
        encoding: of the file, where it has no byte-order mark.

    Raises:
        UsageError: it is a video or an image, not a text, or holds no word.
        DataError: the file cannot be read.
    """
    if not isinstance(query, str | Path):
        raise UsageError(f"The query is a {type(query).__name__}; this run reads text.", _ASK)
    given, file = str(query), Path(query)
    if _is_visual(given) or _is_visual(given.partition("@")[0]):
        raise UsageError(f"The query is '{given}', a video or a picture, and this run reads text.", _ASK)
    if _is_file(file) and file.suffix.lower() in TEXTS:
        try:
            return _with_words(TextQuery(read_text(file, encoding), file))
        except (OSError, ValueError) as error:
            raise DataError(f"The query '{file}' cannot be read: {error}.") from error
    if isinstance(query, Path):
        raise UsageError(f"The query is the path '{query}'; this run reads text, or a .txt file that exists.", _ASK)
    return _with_words(TextQuery(given))


def _with_words(query: TextQuery) -> TextQuery:
    if not sentence_spans(query.text):
        raise UsageError(f"The query {str(query)!r} holds no word.", _ASK)
    return query


def _is_visual(name: str) -> bool:
    """Whether it is the name of a video or an image: one word, or an existing file."""
    ends = claims_video(name) or Path(name).suffix.lower() in PICTURES
    return ends and (len(name.split()) == 1 or _is_file(Path(name)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text may be too long for a path
        return False


def _hit(row: Mapping[str, Any]) -> PassageHit:
    columns = {name: row[name] for name in _COLUMNS}
    return PassageHit(**columns | {"passage": row["passage"] or "", "score": score_of(row)})
