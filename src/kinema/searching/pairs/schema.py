"""The columns of a table of pairs, and the settings in its metadata.

A row is the picture of a pair (``kind`` 'image') or its text ('text'). ``id`` is the pair's name, '#' and the kind.
What is known of the pair stands in both rows; every attribute of a pair becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinema.core.codes import pack
from kinema.core.pairs import PairView
from kinema.data.pairs.table import Pair, stored_row
from kinema.data.video.files import status
from kinema.searching.columns import Columns
from kinema.searching.encode import weights_digest
from kinema.searching.layout import PAIRS
from kinema.searching.table_settings import EncoderSettings, settings_of

FORMAT = 1
Kept = Literal["vectors", "codes", "codes and vectors"]
"""What a row is found by."""

_FACTS = {
    "image": pa.string(),
    "text": pa.string(),
    "label": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "video": pa.string(),
    "at": pa.float64(),
    "start": pa.float64(),
    "end": pa.float64(),
    "file": pa.string(),
    "size": pa.int64(),
    "mtime_ns": pa.int64(),
}
_OWN = {
    "id": pa.string(),
    "kind": pa.string(),
    "pair": pa.string(),
    **_FACTS,
    "digest": pa.string(),
    "facts": pa.string(),
    "model": pa.string(),
    "settings": pa.string(),
    "cluster": pa.int32(),
    "cluster_name": pa.string(),
    "thumbnail": pa.binary(),
}
_READING = ("height", "width", "text", "max_length")
"""The settings of data that an embedding depends on."""

COLUMNS = Columns(_OWN, vector_at=3, coded=True)


@dataclass(frozen=True)
class PairTableSettings(EncoderSettings):
    """The settings of a table of pairs, which must be equal for embeddings to be comparable.

    Args:
        encoder: the encoders' name, for instance 'dcvh'.
        digest: SHA-256 of the weights of all views, and of how texts are read.
        views: those that have rows, with a comma between.
        kept: what a row is found by.
        dim: dimensions of an embedding, and bits of a code.
        format: of the table.
    """

    views: str
    kept: Kept
    dim: int
    format: int = FORMAT
    digests: ClassVar[Mapping[str, str]] = {**EncoderSettings.digests, "digest": "its encoders' weights are"}

    @classmethod
    def of(cls, model: Any, kept: Kept) -> PairTableSettings:
        """The settings of a table of a model.

        Args:
            model: a ``kinema.data.pairs.reader.PairReader``.
            kept: what a row is to be found by.
        """
        towers = [f"{view} {weights_digest(model.towers[view])}" for view in model.views]
        how = [getattr(model.config, name) for name in _READING]
        return cls(
            encoder=model.name,
            digest=hashlib.sha256(json.dumps([towers, how]).encode()).hexdigest(),
            views=",".join(model.views),
            kept=kept,
            dim=model.dim,
        )

    @property
    def vectors(self) -> int:
        """Dimensions of the vectors; 0 where there are none."""
        return 0 if self.kept == "codes" else self.dim

    @property
    def codes(self) -> int:
        """Bits of the codes; 0 where there are none."""
        return 0 if self.kept == "vectors" else self.dim


def read_pair_settings(table: Any, uri: str) -> PairTableSettings:
    """Reads the settings of a table of pairs.

    Raises:
        DataError: the table holds something else.
        StorageError: it is not a table of kinema, or of a later version.
    """
    settings = settings_of(table, PairTableSettings, PAIRS, uri, reader="An encoder of pairs", known=FORMAT)
    COLUMNS.check(table, settings.vectors, uri, bits=settings.codes)
    return settings


def pair_schema(settings: PairTableSettings, attributes: Iterable[str]) -> pa.Schema:
    """The columns of a new table.

    Args:
        settings: of the table; stored in the schema's metadata.
        attributes: columns of attributes.
    """
    return COLUMNS.schema(asdict(settings), settings.vectors, attributes, bits=settings.codes)


def facts_of(row: Pair, root: Path) -> str:
    """A digest of what is known of a pair beside its content, and of the size and time of its file.

    Args:
        row: the pair.
        root: the folder that its file is below.
    """
    facts: list[Any] = [
        _status(root, row),
        row.image,
        row.text,
        row.start,
        row.end,
        list(row.labels),
        row.source,
        row.split,
    ]
    facts.append(sorted(row.attributes.items()))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def pair_columns(row: Pair, root: Path, columns: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a pair, as values of columns; of a frame, ``video`` names the file, and ``image`` is null.

    Args:
        row: the pair.
        root: the folder that its file is below.
        columns: the column of each attribute.
    """
    framed, (size, mtime_ns) = row.at is not None, _status(root, row)
    values = {
        "image": None if framed else row.image or None,
        "text": row.text or None,
        "label": row.label,
        "source": row.source,
        "split": row.split,
        "video": row.image if framed else None,
        "at": row.at,
        "start": row.start,
        "end": row.end,
        "file": _file(row),
        "size": size,
        "mtime_ns": mtime_ns,
        "digest": row.digest,
        "facts": facts_of(row, root),
    }
    return values | {columns[name]: value for name, value in row.attributes.items()}


def _file(row: Pair) -> str:
    """The file of its picture, its frame or its stored vector; empty where there is none."""
    stored = stored_row(row.image)
    return row.image if stored is None else stored[0]


def _status(root: Path, row: Pair) -> tuple[int | None, int | None]:
    """Size and time of that file; None where there is none, or it cannot be looked at."""
    try:
        return status(root / _file(row)) if row.image else (None, None)
    except OSError:
        return None, None


def rows_of(
    row: Pair,
    root: Path,
    vectors: Mapping[PairView, NDArray[np.float32]],
    thumbnail: bytes,
    settings: PairTableSettings,
    columns: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The rows of a pair.

    Args:
        row: the pair.
        root: the folder that its file is below.
        vectors: of each view that it has, float32 [d], of unit length.
        thumbnail: its picture as JPEG; empty where none is kept.
        settings: of the table.
        columns: the column of each attribute.
    """
    about = {"pair": row.name, "model": settings.model_id, "settings": settings.settings_id}
    about |= pair_columns(row, root, columns)
    found = []
    for view, vector in vectors.items():
        own: dict[str, Any] = {"id": f"{row.name}#{view}", "kind": view}
        own |= {"vector": vector} if settings.vectors else {}
        own |= {"code": pack(vector[None])[0].tobytes()} if settings.codes else {}
        own |= {"thumbnail": thumbnail or None} if view == "image" else {}
        found.append(own | about)
    return found
