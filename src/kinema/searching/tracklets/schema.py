"""The columns of a table of tracklets, and the settings in its metadata.

A row is a tracklet. Every attribute of a tracklet becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinema.data.tracklets.reader import TrackletReader
from kinema.data.tracklets.table import Tracklet
from kinema.searching.columns import Columns
from kinema.searching.encode import weights_digest
from kinema.searching.layout import TRACKLETS
from kinema.searching.table_settings import EncoderSettings, settings_of

FORMAT = 1
_FACTS = {
    "identity": pa.string(),
    "camera": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "role": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
    "first": pa.int64(),
    "last": pa.int64(),
    "frames": pa.int64(),
    "files": pa.list_(pa.string()),
    "file": pa.string(),
    "frame": pa.int64(),
    "left": pa.float64(),
    "top": pa.float64(),
    "width": pa.float64(),
    "height": pa.float64(),
}
_OWN = {
    "id": pa.string(),
    "kind": pa.string(),
    "tracklet": pa.string(),
    **_FACTS,
    "type": pa.string(),
    "digest": pa.string(),
    "facts": pa.string(),
    "model": pa.string(),
    "settings": pa.string(),
    "cluster": pa.int32(),
    "cluster_name": pa.string(),
    "thumbnail": pa.binary(),
}
COLUMNS = Columns(_OWN, vector_at=3)


@dataclass(frozen=True)
class TrackletTableSettings(EncoderSettings):
    """The settings of a table of tracklets, which must be equal for embeddings to be comparable.

    Args:
        encoder: the encoder's name, for instance 'trl'.
        digest: SHA-256 of its weights and of its method's settings.
        features: SHA-256 of the network that makes features of crops first; empty where there is none.
        dim: dimensions of an embedding.
        height: of the crops that the encoder is given.
        width: likewise.
        format: of the table.
    """

    features: str
    dim: int
    height: int
    width: int
    format: int = FORMAT
    digests: ClassVar[Mapping[str, str]] = {**EncoderSettings.digests, "features": "its network of features is"}

    @classmethod
    def of(cls, model: TrackletReader) -> TrackletTableSettings:
        """The settings of a table of an encoder."""
        config = model.config
        return cls(
            encoder=model.name,
            digest=hashlib.sha256(f"{weights_digest(model.tower)} {model.tower.config}".encode()).hexdigest(),
            features=str(config.network(model.run).digest) if config.features else "",
            dim=model.dim,
            height=config.height,
            width=config.width,
        )


def read_tracklet_settings(table: Any, uri: str) -> TrackletTableSettings:
    """Reads the settings of a table of tracklets.

    Raises:
        DataError: the table holds videos or documents.
        StorageError: it is not a table of kinema, or of a later version.
    """
    settings = settings_of(table, TrackletTableSettings, TRACKLETS, uri, reader="An encoder of tracklets", known=FORMAT)
    COLUMNS.check(table, settings.dim, uri)
    return settings


def tracklet_schema(settings: TrackletTableSettings, attributes: Iterable[str]) -> pa.Schema:
    """The columns of a new table.

    Args:
        settings: of the table; stored in the schema's metadata.
        attributes: columns of attributes.
    """
    return COLUMNS.schema(asdict(settings), settings.dim, attributes)


def facts_of(row: Tracklet) -> str:
    """A digest of what is known of a tracklet beside its frames."""
    facts: list[Any] = [
        row.identity,
        row.camera,
        row.source,
        row.split,
        row.role,
        row.kind,
        row.fps,
        row.health,
        row.reason,
    ]
    facts += [list(row.files), sorted(row.attributes.items())]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def tracklet_columns(row: Tracklet, columns: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a tracklet, as values of columns; identity, camera and role are null where nobody knows.

    Args:
        row: the tracklet, of a frame at least.
        columns: the column of each attribute.
    """
    middle = middle_of(row)
    box = row.boxes[middle] if row.boxes else (None, None, None, None)
    values = {
        "identity": row.identity or None,
        "camera": row.camera or None,
        "source": row.source,
        "split": row.split,
        "role": row.role or None,
        "start": row.begins,
        "end": row.ends,
        "first": row.numbers[0],
        "last": row.numbers[-1],
        "frames": len(row),
        "files": list(row.files),
        "file": row.files[middle] if len(row.files) == len(row) else row.files[0],
        "frame": row.numbers[middle],
        **dict(zip(("left", "top", "width", "height"), box, strict=True)),
        "type": row.kind,
        "digest": row.digest,
        "facts": facts_of(row),
    }
    return values | {columns[name]: value for name, value in row.attributes.items()}


def middle_of(row: Tracklet) -> int:
    """The place of a tracklet's middle frame."""
    return len(row) // 2


def row_of(
    row: Tracklet,
    vector: NDArray[np.float32],
    thumbnail: bytes,
    settings: TrackletTableSettings,
    columns: Mapping[str, str],
) -> dict[str, Any]:
    """The row of a tracklet.

    Args:
        row: the tracklet.
        vector: float32 [d], of unit length.
        thumbnail: its middle crop as JPEG; empty of features.
        settings: of the table.
        columns: the column of each attribute.
    """
    own = {"id": f"{row.name}#", "kind": TRACKLETS.whole, "tracklet": row.name, "vector": vector}
    own |= {"thumbnail": thumbnail, "model": settings.model_id, "settings": settings.settings_id}
    return own | tracklet_columns(row, columns)
