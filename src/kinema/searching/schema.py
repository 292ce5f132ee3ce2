"""The columns of the table, and what it says of how it was made.

A row is a window of a video (``kind`` 'window') or the mean of a whole one ('video'). ``id`` is the path, '#' and the
first frame, with nothing after '#' for the whole video. What the manifest knows of the video is repeated in each of its
rows, so that it can be filtered by; a column of ``labels.csv`` becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, StorageError
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.searching.encode import Shot, Shots, Space, weights_digest
from kinema.searching.layout import VIDEOS, check_layout
from kinema.searching.reading import THUMBNAIL
from kinema.searching.windows import Length, WindowSpec

FORMAT = 1
SPACES: tuple[Space, ...] = ("embedding", "projection")
_CENTRE = b"kinema centre"
_FIELDS = {
    "label": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "health": pa.string(),
    "codec": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "fps": pa.float64(),
    "duration": pa.float64(),
    "size": pa.int64(),
    "mtime_ns": pa.int64(),
}
_OWN = {
    "id": pa.string(),
    "kind": pa.string(),
    "video": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
    "frame": pa.int64(),
    "frames": pa.int64(),
    "thumbnail": pa.binary(),
    **_FIELDS,
    "audio": pa.bool_(),
    "facts": pa.string(),
    "model": pa.string(),
    "settings": pa.string(),
    "cluster": pa.int32(),
    "cluster_name": pa.string(),
}


@dataclass(frozen=True)
class Making:
    """How a table was made: what must be equal for two embeddings to be comparable.

    Args:
        encoder: the encoder's name, for instance 'cpr'.
        view: what it sees.
        digest: SHA-256 of its weights.
        dim: numbers of an embedding, or of a projection.
        clip: frames, stride, size and short_side of a clip; and, of the view 'sound', what is heard of one.
        length: of a window, '2s' or '16f'; 'clip' for one clip.
        stride: from window to window; 'usual' where none was chosen.
        thumbnail: pixels.
        format: of the table.
        space: 'embedding', what the encoder gives, or 'projection', what the head gives of that.
        head: SHA-256 of the head's weights where it has a part.
        together: of a table of projections, what encoders of several views know each other by; empty for nothing.
    """

    encoder: str
    view: str
    digest: str
    dim: int
    clip: Mapping[str, Any]
    length: str
    stride: str
    thumbnail: int = THUMBNAIL
    format: int = FORMAT
    space: Space = "embedding"
    head: str = ""
    together: str = ""

    @classmethod
    def of(cls, model: Model, windows: WindowSpec, space: Space = "embedding") -> Making:
        """What a model and a way of cutting make."""
        projected = space == "projection"
        return cls(
            encoder=model.name,
            view=model.view,
            digest=weights_digest(model.tower.encoder),
            dim=model.tower.head_config.out if projected else model.dim,
            clip=asdict(model.clip) | ({} if model.hears is None else {"sound": asdict(model.hears)}),
            length="clip" if windows.length is None else str(windows.length),
            stride="usual" if windows.stride is None else str(windows.stride),
            space=space,
            head=weights_digest(model.tower.head) if projected else "",
            together=model.together if projected else "",
        )

    def plain(self) -> dict[str, Any]:
        """As JSON values; what a table of embeddings has no use for is left out, as before there were others."""
        told = asdict(self)
        for name in ("space", "head", "together") if self.space == "embedding" else ():
            del told[name]
        return told

    @property
    def windows(self) -> WindowSpec:
        """How its videos are cut."""
        return WindowSpec(
            None if self.length == "clip" else Length.parse(self.length, "length"),
            None if self.stride == "usual" else Length.parse(self.stride, "stride"),
        )

    @property
    def model_id(self) -> str:
        """The encoder in short."""
        return self.digest[:16]

    @property
    def settings_id(self) -> str:
        """All of it in short."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: Making) -> list[str]:
        """What differs, 'length is 2s there and clip here', the encoder first; empty where nothing does."""
        told = []
        for key, theirs in asdict(self).items():
            ours = getattr(other, key)
            if theirs == ours or key in ("encoder", "together") or (key == "head" and self.space != other.space):
                continue
            if key in ("digest", "head"):
                whose = "encoder" if key == "digest" else "head"
                told.append(f"its {whose}'s weights are {theirs[:12]} there and {ours[:12]} here")
            else:
                told.append(f"{key} is {theirs} there and {ours} here")
        return told


def making_of(table: Any, uri: str) -> Making:
    """How a table of videos was made.

    Raises:
        DataError: it holds documents.
        StorageError: it is no table of kinema's, or one of a later kinema.
    """
    check_layout(table, VIDEOS, uri, "An encoder of video")
    try:
        told = json.loads((table.schema.metadata or {})[b"kinema"])
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']}, and this kinema knows {FORMAT}")
        if told.get("space", "embedding") not in SPACES:
            raise ValueError(f"it holds '{told['space']}'")
        return Making(**told)
    except (KeyError, ValueError, TypeError) as error:
        raise StorageError(
            f"The table in '{uri}' is not one that this kinema made: {error}.", "Choose another place with -o."
        ) from error


class Made(Protocol):
    """How a table was made, whatever it holds."""

    @property
    def digest(self) -> str:
        """SHA-256 of the encoder's weights."""
        ...

    def differences(self, other: Any) -> list[str]:
        """What differs from another one of the same kind."""
        ...


def check_made_by(made: Made, ours: Made, uri: str) -> None:
    """Raises a DataError where a table was made by another encoder or under other settings; names the differences."""
    found = made.differences(ours)
    if not found:
        return
    by = "another encoder" if made.digest != ours.digest else "the same encoder under other settings"
    raise DataError(
        f"The table in '{uri}' was made by {by}: {'; '.join(found)}.",
        "Make it anew with `kinema embed --replace`, or keep another one elsewhere with -o.",
    )


def column_of(attribute: str, taken: Iterable[str] = (), own: Iterable[str] = tuple(_OWN)) -> str:
    """The column of an attribute: its name, in which whatever is no letter, digit or '_' becomes '_'.

    Args:
        attribute: its name.
        taken: columns of other attributes.
        own: columns that every table has.
    """
    name = re.sub(r"\W", "_", attribute) or "_"
    if name.lower() in {*own, "vector", "_distance", "_rowid"} or name[0].isdigit():
        name = f"attribute_{name}"
    while name in taken:
        name += "_"
    return name


def attribute_columns(attributes: Iterable[str]) -> dict[str, str]:
    """The column of each attribute."""
    found: dict[str, str] = {}
    for attribute in sorted(set(attributes)):
        found[attribute] = column_of(attribute, found.values())
    return found


def told_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of a table that attributes gave it."""
    return tuple(name for name in schema.names if name not in _OWN and name != "vector")


def centre_of(table: Any) -> Tensor | None:
    """What is subtracted from the features of a table's encoder, float64 [d]; None for nothing."""
    kept = (table.schema.metadata or {}).get(_CENTRE)
    return None if kept is None else torch.tensor(json.loads(kept), dtype=torch.float64)


def schema_of(making: Making, attributes: Iterable[str], centre: Tensor | None = None) -> pa.Schema:
    """The columns of a new table.

    Args:
        making: how it is made; kept in the schema.
        attributes: columns of attributes.
        centre: float64 [d]; kept in the schema.
    """
    own = [pa.field(name, kind) for name, kind in _OWN.items()]
    own.insert(8, pa.field("vector", pa.list_(pa.float32(), making.dim)))
    extra = [pa.field(name, pa.string()) for name in attributes]
    return with_metadata(pa.schema([*own, *extra]), making.plain(), centre)


def with_metadata(schema: pa.Schema, making: Mapping[str, Any], centre: Tensor | None) -> pa.Schema:
    """The schema with what a table keeps of its making, JSON values, and of its centre, float64 [d] or None."""
    metadata = {b"kinema": json.dumps(making).encode()}
    if centre is not None:
        metadata[_CENTRE] = json.dumps(centre.tolist()).encode()
    return schema.with_metadata(metadata)


def facts_of(video: Video) -> str:
    """A digest of what the rows repeat of the manifest, but for the file's size and time."""
    told = [getattr(video, name) for name in _FIELDS if name not in ("size", "mtime_ns")]
    told += [video.audio_codec is not None, sorted(video.attributes.items())]
    return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()[:16]


def manifest_columns(video: Video, columns: Mapping[str, str]) -> dict[str, Any]:
    """What each row of a video repeats of the manifest."""
    told = {name: getattr(video, name) for name in _FIELDS}
    told |= {"audio": video.audio_codec is not None, "facts": facts_of(video)}
    return told | {columns[name]: value for name, value in video.attributes.items()}


def rows_of(video: Video, shots: Shots, making: Making, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of a video, its whole first."""
    same = {"video": video.path, "model": making.model_id, "settings": making.settings_id}
    same |= manifest_columns(video, columns)
    whole = _row(shots.whole, "video", f"{video.path}#")
    return [whole | same, *(_row(shot, "window", f"{video.path}#{shot.first}") | same for shot in shots.windows)]


def _row(shot: Shot, kind: str, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": kind,
        "start": shot.start,
        "end": shot.end,
        "frame": shot.first,
        "frames": shot.frames,
        "vector": shot.vector,
        "thumbnail": shot.thumbnail,
    }


def arrow(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table; a column that a row does not have is null."""
    columns = []
    for item in schema:
        values = [row.get(item.name) for row in rows]
        if item.name == "vector":
            vectors = np.asarray([row["vector"] for row in rows], dtype=np.float32).reshape(-1)
            flat = pa.array(vectors, pa.float32())
            columns.append(pa.FixedSizeListArray.from_arrays(flat, item.type.list_size))
        else:
            columns.append(pa.array(values, item.type))
    return pa.Table.from_arrays(columns, schema=schema)


def vectors_in(rows: pa.Table) -> NDArray[np.float32]:
    """The column of vectors, float32 [rows, d]."""
    column = rows["vector"].combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy()
    return flat.reshape(len(rows), column.type.list_size)
