"""The columns of a table of documents, and what it says of how it was made.

A row is a passage of a document (``kind`` 'passage') or a whole one ('document'). ``id`` is the document's id, '#' and
the passage's first character, with nothing after '#' for the whole. What is known of the document is repeated in each
of its rows, so that it can be filtered by; every attribute of a document is a column of its name.
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
from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Document
from kinema.searching.documents.encode import Passage, Passages
from kinema.searching.encode import weights_digest
from kinema.searching.layout import DOCUMENTS, check_layout
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
class TextMaking:
    """How a table of documents was made: what must be equal for two embeddings to be comparable.

    Args:
        encoder: the encoder's name, for instance 'declutr'.
        digest: SHA-256 of its weights.
        tokenizer: SHA-256 of its tokenizer.
        dim: numbers of an embedding.
        words: of the longest passage.
        max_length: tokens that the encoder reads at once.
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
    def of(cls, model: TextReader, words: int) -> TextMaking:
        """What an encoder makes of passages of at most so many words."""
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
        """The encoder in short."""
        return self.digest[:16]

    @property
    def settings_id(self) -> str:
        """All of it in short."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: TextMaking) -> list[str]:
        """What differs, 'words is 100 there and 50 here', the encoder first; empty where nothing does."""
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


def text_making_of(table: Any, uri: str) -> TextMaking:
    """How a table of documents was made.

    Raises:
        DataError: it holds videos.
        StorageError: it is no table of kinema's, or one of a later kinema.
    """
    check_layout(table, DOCUMENTS, uri, "An encoder of text")
    try:
        made = json.loads((table.schema.metadata or {})[b"kinema"])
        if made["format"] != FORMAT:
            raise ValueError(f"its format is {made['format']}, and this kinema knows {FORMAT}")
        return TextMaking(**made)
    except (KeyError, ValueError, TypeError) as error:
        raise StorageError(
            f"The table in '{uri}' is not one that this kinema made: {error}.", "Choose another place with -o."
        ) from error


def attribute_columns(attributes: Iterable[str]) -> dict[str, str]:
    """The column of each attribute."""
    found: dict[str, str] = {}
    for attribute in sorted(set(attributes)):
        found[attribute] = column_of(attribute, found.values(), own=_OWN)
    return found


def own_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of a table that attributes gave it."""
    return tuple(name for name in schema.names if name not in _OWN and name != "vector")


def text_schema(making: TextMaking, attributes: Iterable[str], centre: Tensor | None) -> pa.Schema:
    """The columns of a new table.

    Args:
        making: how it is made; kept in the schema.
        attributes: columns of attributes.
        centre: float64 [d]; kept in the schema.
    """
    own = [pa.field(name, kind) for name, kind in _OWN.items()]
    own.insert(7, pa.field("vector", pa.list_(pa.float32(), making.dim)))
    extra = [pa.field(name, pa.string()) for name in attributes]
    return with_metadata(pa.schema([*own, *extra]), asdict(making), centre)


def facts_of(document: Document) -> str:
    """A digest of what the rows repeat of a document, but for its text's."""
    said = [getattr(document, name) for name in _FIELDS if name != "digest"]
    said.append(sorted(document.attributes.items()))
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def document_columns(document: Document, columns: Mapping[str, str]) -> dict[str, Any]:
    """What each row of a document repeats of it.

    Args:
        document: the document.
        columns: the column of each attribute.
    """
    said = {name: getattr(document, name) for name in _FIELDS} | {"facts": facts_of(document)}
    return said | {columns[name]: value for name, value in document.attributes.items()}


def rows_of(
    document: Document, passages: Passages, making: TextMaking, columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a document, the whole first."""
    same = {"document": document.id, "model": making.model_id, "settings": making.settings_id}
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
