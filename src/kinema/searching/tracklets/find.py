"""Finds the tracklets that are nearest to one: where is this person again?"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError
from kinema.data.pictures import claims_picture
from kinema.data.sequences.files import open_features
from kinema.data.tracklets.reader import TrackletReader
from kinema.searching.database import storage_errors
from kinema.searching.find import OpenTable, SearchOptions
from kinema.searching.hits import Found, score_of
from kinema.searching.layout import TRACKLETS, quoted
from kinema.searching.roots import Home, home_of
from kinema.searching.schema import vectors_in
from kinema.searching.table_settings import check_settings
from kinema.searching.tracklets.schema import TrackletTableSettings, read_tracklet_settings

_COLUMNS = [
    *("tracklet", "identity", "camera", "start", "end", "first", "last", "frames", "source", "split", "file", "frame"),
    *("left", "top", "width", "height", "thumbnail"),
]
_PLAIN = ("tracklet", "identity", "camera", "start", "end", "first", "last", "frames", "score")
_ASK = (
    "Ask with a tracklet's name in the table, a folder of crops, or a picture: kinema search RUN anna/door/0003. "
    "Of a model of features, with an array (.npy)."
)


@dataclass(frozen=True)
class TrackletHit:
    """One hit.

    Args:
        tracklet: its name.
        score: cosine similarity to the query.
        identity: who it is; None where nobody knows.
        camera: which camera; None where nobody knows.
        start: seconds from the recording's beginning to its first frame; None where frames a second are not known.
        end: seconds to the end of its last frame, likewise.
        first: number of its first frame.
        last: number of its last frame.
        frames: how many it has.
        source: where it comes from.
        split: for instance 'train' or 'test', or None.
        file: the file of its middle frame, below the folder that was embedded.
        frame: the middle frame's number.
        box: where the person is in it: left, top, width and height in pixels; None where pictures are crops.
        thumbnail: JPEG file of the middle crop; empty of features.
    """

    tracklet: str
    score: float
    identity: str | None = None
    camera: str | None = None
    start: float | None = None
    end: float | None = None
    first: int = 0
    last: int = 0
    frames: int = 0
    source: str = ""
    split: str | None = None
    file: str = ""
    frame: int = 0
    box: tuple[float, float, float, float] | None = None
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def when(self) -> str:
        """Its time, in words: seconds where they are known, and numbers of frames otherwise."""
        if self.start is None or self.end is None:
            return f"frames {self.first} to {self.last}"
        return f"{self.start:.2f} to {self.end:.2f} s"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in _PLAIN}


def find_tracklets(model: TrackletReader, uri: str, query: str | Path, options: SearchOptions) -> Found[TrackletHit]:
    """Searches a table of tracklets.

    Args:
        model: the encoder that made it.
        uri: where it is.
        query: the name of a tracklet in the table; else a folder of crops, a picture, or an array of features (.npy).
        options: of the search.

    Raises:
        UsageError: k, the condition or the query is invalid.
        DataError: there is no table, it is another encoder's or of something else, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    TRACKLETS.kind(options.over)
    if not isinstance(query, str | Path):
        raise UsageError(f"The query is a {type(query).__name__}.", _ASK)

    def check(table: Any) -> None:
        check_settings(read_tracklet_settings(table, uri), TrackletTableSettings.of(model), uri)

    opened = OpenTable.open(uri, check, options)
    with storage_errors(uri):
        home = home_of(opened.table, uri, options.videos)
        vector, own = _held(opened.table, str(query)), str(query)
    notes: tuple[str, ...] = ()
    if vector is None:
        vector = _encoded(model, opened.table, str(query), options.device)
        with storage_errors(uri):
            found = _own(opened.table, Path(query), home)
        own = found or ""
        if options.others and not found:
            notes = ("The query is of no tracklet of the table, or of several, so none was left out.",)
    return opened.excluding(own if options.others and own else None).found(
        query, vector, _hit, k=options.k, columns=_COLUMNS, home=home, notes=notes, began=began
    )


def _held(table: Any, name: str) -> NDArray[np.float32] | None:
    """The vector of a tracklet in the table, float32 [d]; None where there is none of that name."""
    if "\0" in name or name.encode("utf-8", "replace").decode() != name:
        return None
    rows = table.search().where(f"tracklet = {quoted(name)}").select(["vector"]).limit(1).to_arrow()
    return vectors_in(rows)[0] if rows.num_rows else None


def _own(table: Any, path: Path, home: Home) -> str | None:
    """The tracklet of the table that a folder is, or that a picture is of; None where there is none, or several."""
    name = home.name_of(table, path)
    if name is None:
        return None
    if _held(table, name) is not None:
        return name
    if path.is_file():
        where = f"array_has(files, {quoted(name)})"
    else:
        where = f"file > {quoted(f'{name}/')} AND file < {quoted(f'{name}0')}"  # '0' comes after '/'
    rows = table.search().where(where).select(["tracklet"]).limit(2).to_arrow()
    return str(rows["tracklet"][0]) if rows.num_rows == 1 else None


def _encoded(model: TrackletReader, table: Any, query: str, device: str | None) -> NDArray[np.float32]:
    """The descriptor of a folder of crops, a picture, or an array of features: float32 [d]."""
    path = Path(query)
    try:
        kind = "folder" if path.is_dir() else "file" if path.is_file() else ""
    except (OSError, ValueError):  # it may be too long for a path
        kind = ""
    if not kind:
        names = [
            str(each) for each in table.search().select(["tracklet"]).limit(100_000).to_arrow()["tracklet"].to_pylist()
        ]
        close = difflib.get_close_matches(query, names, n=3) or names[:3]
        raise UsageError(
            f"There is no tracklet '{query}' in the table, and no such folder or picture.",
            f"{_ASK} Some of its names are: {', '.join(close)}.",
        )
    if kind == "file" and path.suffix.lower() == ".npy":
        array = open_features(path)
        given: Any = np.asarray(array, np.float32)
    elif kind == "file" and not claims_picture(path.name):
        raise UsageError(f"The query '{query}' is neither a picture nor an array of features.", _ASK)
    else:
        given = path
    vector: NDArray[np.float32] = model.encode(given, device=device)
    if not np.isfinite(vector).all() or not np.linalg.norm(vector) > 0:
        raise DataError(f"The encoder gives no direction to the query '{query}'.", "It may have diverged.")
    return vector


def _hit(row: Mapping[str, Any]) -> TrackletHit:
    about = {name: row[name] for name in _COLUMNS if name not in ("left", "top", "width", "height", "thumbnail")}
    box = (row["left"], row["top"], row["width"], row["height"])
    return TrackletHit(
        **about, score=score_of(row), box=None if None in box else box, thumbnail=row["thumbnail"] or b""
    )
