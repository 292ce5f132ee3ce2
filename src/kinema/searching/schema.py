"""The columns of a table of videos, and the settings in its metadata.

A row is a window of a video (``kind`` 'window') or the mean of a whole one ('video'). ``id`` is the path, '#' and the
first frame, with nothing after '#' for the whole video. The manifest's facts of the video are repeated in each of its
rows, for conditions; a column of ``labels.csv`` becomes a column of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import KinemaError, StorageError, UsageError
from kinema.core.reading import parse_json, reason_of
from kinema.data.clips.joined import PLUS
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.searching.columns import CENTRE, Columns
from kinema.searching.encode import Space, VideoEmbeddings, WindowEmbedding, encoder_digest, weights_digest
from kinema.searching.layout import VIDEOS
from kinema.searching.reading import THUMBNAIL
from kinema.searching.table_settings import not_ours, settings_of
from kinema.searching.windows import Length, WindowSpec

FORMAT = 1
SPACES: tuple[Space, ...] = ("embedding", "projection")
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
COLUMNS = Columns(_OWN, vector_at=8)


@dataclass(frozen=True)
class TableSettings:
    """The settings of a table, which must be equal for embeddings to be comparable. They are JSON in its metadata.

    Args:
        encoder: the encoder's name, for instance 'cpr'.
        view: its input.
        digest: SHA-256 of its weights; of several encoders side by side, theirs in order, a plus between them.
        dim: dimensions of an embedding, or of a projection.
        clip: frames, stride, size and short_side of a clip; and, of the view 'sound', the settings of its audio.
        length: of a window, '2s' or '16f'; 'clip' for one clip.
        stride: from window to window; 'usual' for the default.
        thumbnail: pixels.
        format: of the table.
        space: 'embedding', the output of the encoder, or 'projection', that of the head.
        head: SHA-256 of the head's weights, for projections; else empty.
        together: of a table of projections, ``Model.run_digest``, equal for all views of a run; else empty.
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
    def of(cls, model: Model, windows: WindowSpec, space: Space = "embedding") -> TableSettings:
        """The settings of a new table of a model and its windows.

        Raises:
            UsageError: projections of several encoders side by side.
        """
        projected = space == "projection"
        if projected and len(model.readers) > 1:
            raise UsageError(
                f"Projections compare one view with another, and '{model.view}' are {len(model.readers)} side by side.",
                f"Name one: --view {model.views[0]} --space projection. Or take embeddings, the usual space.",
            )
        return cls(
            encoder=model.name,
            view=model.view,
            digest=encoder_digest(model),
            dim=model.tower.head_config.out if projected else model.dim,
            clip=asdict(model.clip) | ({} if model.sound_spec is None else {"sound": asdict(model.sound_spec)}),
            length="clip" if windows.length is None else str(windows.length),
            stride="usual" if windows.stride is None else str(windows.stride),
            space=space,
            head=weights_digest(model.tower.head) if projected else "",
            together=model.run_digest if projected else "",
        )

    def plain(self) -> dict[str, Any]:
        """As JSON values; without the fields of projections in a table of embeddings."""
        values = asdict(self)
        for name in ("space", "head", "together") if self.space == "embedding" else ():
            del values[name]
        return values

    @property
    def windows(self) -> WindowSpec:
        """The windows of its videos."""
        return WindowSpec(
            None if self.length == "clip" else Length.parse(self.length, "length"),
            None if self.stride == "usual" else Length.parse(self.stride, "stride"),
        )

    @property
    def model_id(self) -> str:
        """A short digest of the encoder, or of all of them."""
        return hashlib.sha256(self.digest.encode()).hexdigest()[:16] if PLUS in self.digest else self.digest[:16]

    @property
    def settings_id(self) -> str:
        """A short digest of all settings."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: TableSettings) -> list[str]:
        """The differences, for instance 'length is 2s there and clip here', the encoder first; empty for none."""
        found = []
        for key, theirs in asdict(self).items():
            ours = getattr(other, key)
            if theirs == ours or key in ("encoder", "together") or (key == "head" and self.space != other.space):
                continue
            if key in ("digest", "head"):
                whose = "encoder" if key == "digest" else "head"
                short = [PLUS.join(each[:12] for each in digest.split(PLUS)) for digest in (theirs, ours)]
                found.append(f"its {whose}'s weights are {short[0]} there and {short[1]} here")
            else:
                found.append(f"{key} is {theirs} there and {ours} here")
        return found


def read_settings(table: Any, uri: str) -> TableSettings:
    """Reads the settings of a table of videos.

    Raises:
        DataError: the table holds documents.
        StorageError: it is not a table of kinema, or of a later version.
    """
    settings = settings_of(table, TableSettings, VIDEOS, uri, reader="An encoder of video", known=FORMAT)
    try:
        for name in ("length", "stride"):
            if getattr(settings, name) not in ("clip", "usual"):
                Length.parse(getattr(settings, name), name)
    except KinemaError as error:
        raise not_ours(uri, error) from error
    COLUMNS.check(table, settings.dim, uri)
    return settings


def centre_of(table: Any) -> Tensor | None:
    """The centre of a table, which is subtracted from features, float64 [d]; None for none."""
    centre = (table.schema.metadata or {}).get(CENTRE)
    if centre is None:
        return None
    try:
        found = torch.tensor(parse_json(centre), dtype=torch.float64)
        if found.shape != (table.schema.field("vector").type.list_size,) or not bool(found.isfinite().all()):
            raise ValueError(f"it is no vector of {table.schema.field('vector').type.list_size} numbers")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise StorageError(
            f"The centre of the table '{table.name}' is damaged: {reason_of(error)}.",
            "Make the table again: kinema embed RUN DATA --replace.",
        ) from error
    return found


def schema_of(settings: TableSettings, attributes: Iterable[str], centre: Tensor | None = None) -> pa.Schema:
    """The columns of a new table.

    Args:
        settings: of the table; stored in the schema's metadata.
        attributes: columns of attributes.
        centre: float64 [d]; stored likewise.
    """
    return COLUMNS.schema(settings.plain(), settings.dim, attributes, centre)


def facts_of(video: Video) -> str:
    """A digest of the facts that a video's rows repeat, without the file's size and time."""
    facts = [getattr(video, name) for name in _FIELDS if name not in ("size", "mtime_ns")]
    facts += [video.audio_codec is not None, sorted(video.attributes.items())]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=True).encode()).hexdigest()[:16]


def manifest_columns(video: Video, columns: Mapping[str, str]) -> dict[str, Any]:
    """The manifest's facts that each row of a video repeats."""
    values = {name: getattr(video, name) for name in _FIELDS}
    values |= {"audio": video.audio_codec is not None, "facts": facts_of(video)}
    return values | {columns[name]: value for name, value in video.attributes.items()}


def rows_of(
    video: Video, embedded: VideoEmbeddings, settings: TableSettings, columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a video, that of the whole first."""
    same = {"video": video.path, "model": settings.model_id, "settings": settings.settings_id}
    same |= manifest_columns(video, columns)
    whole = _row(embedded.whole, "video", f"{video.path}#")
    return [
        whole | same,
        *(_row(window, "window", f"{video.path}#{window.first}") | same for window in embedded.windows),
    ]


def _row(window: WindowEmbedding, kind: str, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": kind,
        "start": window.start,
        "end": window.end,
        "frame": window.first,
        "frames": window.frames,
        "vector": window.vector,
        "thumbnail": window.thumbnail,
    }


def arrow(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table; missing columns are null."""
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
    """The column 'vector', float32 [rows, d]."""
    column = rows["vector"].combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy()
    return flat.reshape(len(rows), column.type.list_size)
