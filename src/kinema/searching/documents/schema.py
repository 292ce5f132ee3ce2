"""The columns of a table of documents, and the settings in its metadata.

A row is a passage of a document (``kind`` 'passage') or a whole one ('document'). ``id`` is the document's id, '#' and
the passage's first character, with nothing after '#' for the whole. The facts of the document are repeated in each of
its rows, for conditions; every attribute of a document becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa
from torch import Tensor

from kinema.core.errors import StorageError
from kinema.core.reading import shaped
from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Document
from kinema.searching.documents.encode import Passage, Passages
from kinema.searching.encode import weights_digest
from kinema.searching.layout import DOCUMENTS, ELSEWHERE, check_columns, check_layout, not_ours, settings_of
from kinema.searching.schema import column_of, with_metadata

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


@dataclass(frozen=True)
class TextTableSettings:
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

    encoder: str
    digest: str
    tokenizer: str
    dim: int
    words: int
    max_length: int
    format: int = FORMAT

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

    @property
    def model_id(self) -> str:
        """A short digest of the encoder."""
        return self.digest[:16]

    @property
    def settings_id(self) -> str:
        """A short digest of all settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: TextTableSettings) -> list[str]:
        """The differences, for instance 'words is 100 there and 50 here', the encoder first; empty for none."""
        found = []
        for item in fields(self):
            theirs, ours = getattr(self, item.name), getattr(other, item.name)
            if item.name == "encoder" or theirs == ours:
                continue
            if item.name in ("digest", "tokenizer"):
                whose = "its encoder's weights are" if item.name == "digest" else "its tokenizer is"
                found.append(f"{whose} {theirs[:12]} there and {ours[:12]} here")
            else:
                found.append(f"{item.name} is {theirs} there and {ours} here")
        return found


def read_text_settings(table: Any, uri: str) -> TextTableSettings:
    """Reads the settings of a table of documents.

    Raises:
        DataError: the table holds videos.
        StorageError: it is not a table of kinema, or of a later version.
    """
    check_layout(table, DOCUMENTS, uri, "An encoder of text")
    try:
        plain = settings_of(table, FORMAT)
    except ValueError as error:
        raise not_ours(uri, error) from error
    settings = shaped(plain, TextTableSettings, f"The table in '{uri}'", error=StorageError, hint=ELSEWHERE)
    check_columns(table, {name: str(kind) for name, kind in _OWN.items()}, settings.dim, uri)
    return settings


def attribute_columns(attributes: Iterable[str]) -> dict[str, str]:
    """The column of each attribute."""
    found: dict[str, str] = {}
    for attribute in sorted(set(attributes)):
        found[attribute] = column_of(attribute, found.values(), own=_OWN)
    return found


def extra_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of a table that come from attributes."""
    return tuple(name for name in schema.names if name not in _OWN and name != "vector")


def text_schema(settings: TextTableSettings, attributes: Iterable[str], centre: Tensor | None) -> pa.Schema:
    """The columns of a new table.

    Args:
        settings: of the table; stored in the schema's metadata.
        attributes: columns of attributes.
        centre: float64 [d]; stored likewise.
    """
    own = [pa.field(name, kind) for name, kind in _OWN.items()]
    own.insert(7, pa.field("vector", pa.list_(pa.float32(), settings.dim)))
    extra = [pa.field(name, pa.string()) for name in attributes]
    return with_metadata(pa.schema([*own, *extra]), asdict(settings), centre)


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
