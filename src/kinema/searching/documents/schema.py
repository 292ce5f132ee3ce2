"""The columns of a table of documents, and the settings in its metadata.

A row is a passage of a document (``kind`` 'passage') or a whole one ('document'). ``id`` is the document's id, '#' and
the passage's first character, with nothing after '#' for the whole. The facts of the document are repeated in each of
its rows, for conditions; every attribute of a document becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pyarrow as pa
from torch import Tensor

from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Document
from kinema.searching.columns import Columns
from kinema.searching.documents.encode import Passage, Passages
from kinema.searching.encode import weights_digest
from kinema.searching.layout import DOCUMENTS
from kinema.searching.table_settings import EncoderSettings, settings_of

FORMAT = 1
_FIELDS = {
    "path": pa.string(),
    "label": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "health": pa.string(),
    "digest": pa.string(),
}
_OWN = {
    "id": pa.string(),
    "kind": pa.string(),
    "document": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "words": pa.int64(),
    "passage": pa.string(),
    **_FIELDS,
    "facts": pa.string(),
    "model": pa.string(),
    "settings": pa.string(),
    "cluster": pa.int32(),
    "cluster_name": pa.string(),
}
COLUMNS = Columns(_OWN, vector_at=7)


@dataclass(frozen=True)
class TextTableSettings(EncoderSettings):
    """The settings of a table of documents, which must be equal for embeddings to be comparable.

    Args:
        encoder: the encoder's name, for instance 'declutr'.
        digest: SHA-256 of its weights.
        tokenizer: SHA-256 of its tokenizer.
        dim: dimensions of an embedding.
        words: of the longest passage.
        max_length: tokens of the encoder's longest input.
        format: of the table.
    """

    tokenizer: str
    dim: int
    words: int
    max_length: int
    format: int = FORMAT
    digests: ClassVar[Mapping[str, str]] = {**EncoderSettings.digests, "tokenizer": "its tokenizer is"}

    @classmethod
    def of(cls, model: TextReader, words: int) -> TextTableSettings:
        """The settings of a new table of an encoder, with passages of at most ``words`` words."""
        return cls(
            encoder=model.name,
            digest=weights_digest(model.tower.encoder),
            tokenizer=hashlib.sha256(model.tokenizer.text.encode()).hexdigest(),
            dim=model.dim,
            words=words,
            max_length=model.max_length,
        )


def read_text_settings(table: Any, uri: str) -> TextTableSettings:
    """Reads the settings of a table of documents.

    Raises:
        DataError: the table holds videos.
        StorageError: it is not a table of kinema, or of a later version.
    """
    settings = settings_of(table, TextTableSettings, DOCUMENTS, uri, reader="An encoder of text", known=FORMAT)
    COLUMNS.check(table, settings.dim, uri)
    return settings


def text_schema(settings: TextTableSettings, attributes: Iterable[str], centre: Tensor | None) -> pa.Schema:
    """The columns of a new table.

    Args:
        settings: of the table; stored in the schema's metadata.
        attributes: columns of attributes.
        centre: float64 [d]; stored likewise.
    """
    return COLUMNS.schema(asdict(settings), settings.dim, attributes, centre)


def facts_of(document: Document) -> str:
    """A digest of the facts that a document's rows repeat, without the digest of its text."""
    facts = [getattr(document, name) for name in _FIELDS if name != "digest"]
    facts.append(sorted(document.attributes.items()))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def document_columns(document: Document, columns: Mapping[str, str]) -> dict[str, Any]:
    """The facts that each row of a document repeats.

    Args:
        document: the document.
        columns: the column of each attribute.
    """
    values = {name: getattr(document, name) for name in _FIELDS} | {"facts": facts_of(document)}
    return values | {columns[name]: value for name, value in document.attributes.items()}


def rows_of(
    document: Document, passages: Passages, settings: TextTableSettings, columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a document, that of the whole first."""
    same = {"document": document.id, "model": settings.model_id, "settings": settings.settings_id}
    same |= document_columns(document, columns)
    whole = _row(passages.whole, "document", f"{document.id}#")
    return [whole | same, *(_row(part, "passage", f"{document.id}#{part.start}") | same for part in passages.parts)]


def _row(part: Passage, kind: str, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": kind,
        "start": part.start,
        "end": part.end,
        "words": part.words,
        "passage": part.text,
        "vector": part.vector,
    }
