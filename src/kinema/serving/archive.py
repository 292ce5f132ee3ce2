"""A table and the encoder that made it, opened once, and the reads of them while other processes may update the table.

Weights are hashed when the server starts. Afterwards only the table's record of its encoder is compared, and only when
it has a new version. A video is named by a digest of its path, so that no request ever holds a path.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from kinema.core.errors import DataError
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.searching import database
from kinema.searching.filters import condition
from kinema.searching.find import distinct_hits
from kinema.searching.hits import Hit, Row, distinct, hits_of
from kinema.searching.in_memory import Held
from kinema.searching.index import EXACT_ROWS, has_index
from kinema.searching.layout import quoted
from kinema.searching.roots import home_of
from kinema.searching.schema import COLUMNS, centre_of, read_settings, vectors_in
from kinema.searching.spaces import check_same_space
from kinema.searching.table_settings import check_settings
from kinema.serving.failures import RefusedError, missing
from kinema.serving.keeper import Keeper
from kinema.serving.settings import Settings

LOOK_AGAIN = 2.0
"""Seconds for which a snapshot of the table is used, though another process may have updated it."""

MOST_THUMBNAILS = 4096
_ABOUT = ["video", "label", "source", "split", "health", "codec", "width", "height", "fps", "duration", "frames"]
_ABOUT += ["size", "mtime_ns", "cluster", "cluster_name"]
Over = Literal["windows", "videos"]


def video_id(path: str) -> str:
    """The name of a video in requests."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True)
class Snapshot:
    """The videos of one version of the table.

    Args:
        version: of LanceDB.
        root: the folder of the videos.
        rows: windows and videos together.
        windows: of them, windows.
        centre: what is subtracted from every embedding, float64 [d]; None for nothing.
        exact: whether a search compares every row.
        columns: what a condition may name, with 'text', 'number' or 'truth' for its kind.
        videos: a row each, in order of their paths, as an Arrow table.
        place: the row of each, by its name in requests.
    """

    version: int
    root: Path
    rows: int
    windows: int
    centre: Tensor | None
    exact: bool
    columns: Mapping[str, str]
    videos: Any
    place: Mapping[str, int]

    def about(self, name: str) -> dict[str, Any]:
        """What is known of a video.

        Args:
            name: its digest.

        Raises:
            RefusedError: 404, there is none.
        """
        at = self.place.get(name)
        if at is None:
            raise missing("video")
        found: dict[str, Any] = self.videos.slice(at, 1).to_pylist()[0]
        return found


@dataclass(frozen=True)
class Searched:
    """The result of a search.

    Args:
        hits: nearest first.
        all_seen: whether there was no reason to look further.
        exact: whether every row that counts was compared.
    """

    hits: tuple[Hit, ...]
    all_seen: bool
    exact: bool


class Archive:
    """A table, its encoder, and what the server remembers of both.

    Args:
        model: the encoder that made it, or one of the same space (:mod:`kinema.searching.spaces`).
        uri: where the table is.
        videos: the folder of its videos, where the user gives it (:mod:`kinema.searching.roots`).

    Raises:
        DataError: there is no table, another encoder made it, or its videos are not in ``videos``; or the folder that
            it records holds the whole disk or a person's whole home.
        StorageError: it cannot be read.
    """

    def __init__(self, model: Model, uri: str, videos: str | Path | None = None) -> None:
        self.model, self.uri, self._videos = model, uri, videos
        self._table = database.require_table(uri)
        with database.storage_errors(uri):
            self.made = read_settings(self._table, uri)
            check_same_space(self.made, model, uri)
        self._lock = threading.Lock()
        self._looked = 0.0
        self._snapshot: Snapshot | None = None
        self._thumbnails: dict[tuple[int, str, int | None], bytes] = {}
        self.keeper: Keeper | None = None
        self.snapshot()

    @property
    def table(self) -> Any:
        """The table of LanceDB, for modules that read more of it."""
        return self._table

    def snapshot(self) -> Snapshot:
        """What the table holds now, give or take ``LOOK_AGAIN`` seconds.

        Raises:
            DataError: another encoder has made it since.
            StorageError: it cannot be read.
        """
        with self._lock, database.storage_errors(self.uri):
            now = time.monotonic()
            if self._snapshot is not None and now - self._looked < LOOK_AGAIN:
                return self._snapshot
            self._table.checkout_latest()
            if self._snapshot is None or self._table.version != self._snapshot.version:
                made = read_settings(self._table, self.uri)
                check_settings(made, replace(self.made, length=made.length, stride=made.stride), self.uri)
                root = home_of(self._table, self.uri, self._videos).root
                check_root(root, given=self._videos is not None)
                self._snapshot = _taken(self._table, root)
                self._thumbnails.clear()
            self._looked = now
            return self._snapshot

    def keep_in_memory(self, settings: Settings, console: Console | None = None) -> None:
        """Reads the table into memory, in a thread of its own; until it is there the store answers.

        Args:
            settings: how much memory that may take.
            console: where it is told; None for nowhere.
        """
        now = self.snapshot()
        self.keeper = Keeper(self.uri, now.version, settings, console)

    def close(self) -> None:
        """Ends that thread."""
        if self.keeper is not None:
            self.keeper.close()

    def held(self, now: Snapshot) -> Held | None:
        """This version of the table in memory; None where it is not there, or not yet."""
        return None if self.keeper is None else self.keeper.held(now.version)

    def search(
        self,
        vector: NDArray[np.float32],
        *,
        k: int,
        over: Over = "windows",
        where: str | None = None,
        fields: Mapping[str, Sequence[Any]] | None = None,
        only: str | None = None,
        without: str | None = None,
    ) -> Searched:
        """The nearest hits.

        Args:
            vector: float32 [d], of unit length.
            k: hits.
            over: what is compared.
            where: the user's condition, in SQL.
            fields: columns with the values of which one must be there; None matches a missing value.
            only: a further condition, in SQL of our own.
            without: the path of a video that does not count.

        Raises:
            UsageError: the condition cannot be understood.
            RefusedError: 400, there is no such column.
            StorageError: the table cannot be read.
        """
        now = self.snapshot()
        held = self.held(now)
        with database.storage_errors(self.uri):
            wanted = condition(self._table, where, over[:-1])
            plain = len(wanted)
            wanted += "".join(f" AND {chosen(now, name, values)}" for name, values in (fields or {}).items())
            wanted += "" if only is None else f" AND {only}"
            if held is not None:
                all_rows = where is None and len(wanted) == plain
                return _searched(held, vector, k, over[:-1], None if all_rows else wanted, without)
            if without is not None:
                wanted += f" AND video <> {quoted(without)}"
            hits, all_seen = distinct_hits(self._table, vector, k, wanted, exact=now.exact)
        self._keep({(video_id(hit.video), hit.frame if over == "windows" else None): hit.thumbnail for hit in hits})
        return Searched(hits, all_seen, now.exact)

    def vector(self, name: str, frame: int | None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The embedding of a window, or of a whole video, and its row.

        Args:
            name: of the video.
            frame: the window's first frame; None for the whole.

        Raises:
            RefusedError: 404, there is none.
        """
        now = self.snapshot()
        held = self.held(now)
        if held is not None:
            kind, path = "video" if frame is None else "window", now.about(name)["video"]
            if (found := held.row(kind, path, frame)) is None:
                raise missing("window of this video")
            return found
        rows = self._rows(name, frame, ["video", "start", "end", "vector"])
        row: dict[str, Any] = rows.drop_columns(["vector"]).to_pylist()[0]
        return vectors_in(rows)[0], row

    def thumbnail(self, name: str, frame: int | None) -> bytes:
        """A small JPEG file of a window's, or a video's, middle frame.

        Raises:
            RefusedError: 404, there is none.
        """
        found = self._thumbnails.get((self.snapshot().version, name, frame))
        if found is None:
            found = self._picture(name, frame)
            self._keep({(name, frame): found})
        return found

    def windows(self, name: str, vector: NDArray[np.float32] | None) -> dict[str, list[Any]]:
        """The windows of a video in order of time, as columns; 'score' is their cosine with a vector, if there is one.

        Raises:
            RefusedError: 404, there is no such video.
        """
        path = self.snapshot().about(name)["video"]
        columns = ["frame", "start", "end", "cluster", *(["vector"] if vector is not None else [])]
        with database.storage_errors(self.uri):
            query = self._table.search().where(f"kind = 'window' AND video = {quoted(path)}").select(columns)
            rows = query.to_arrow().sort_by("frame")
        values: dict[str, list[Any]] = rows.select(columns[:4]).to_pydict()
        if vector is not None:
            values["score"] = np.clip(vectors_in(rows) @ vector, -1, 1).astype(float).tolist()
        return values

    def known(self, name: str) -> Video:
        """The table's facts of a video, for reading its file."""
        about = self.snapshot().about(name)
        facts = ("size", "mtime_ns", "health", "codec", "fps", "duration", "frames")
        return Video(path=about["video"], **{key: about[key] for key in facts})

    def _picture(self, name: str, frame: int | None) -> bytes:
        """A thumbnail from the store; in it, the row is found by memory where it can be."""
        now = self.snapshot()
        held = self.held(now)
        if held is not None:
            with database.storage_errors(self.uri):
                kind = "video" if frame is None else "window"
                kept = held.thumbnail(kind, now.about(name)["video"], frame)
            if kept is None:
                raise missing("window of this video")
            return kept
        picture: bytes = self._rows(name, frame, ["thumbnail"])["thumbnail"][0].as_py()
        return picture

    def _rows(self, name: str, frame: int | None, columns: list[str]) -> Any:
        path = self.snapshot().about(name)["video"]
        with database.storage_errors(self.uri):
            identity = quoted(f"{path}#{'' if frame is None else frame}")
            rows = self._table.search().where(f"id = {identity}").select(columns).limit(1).to_arrow()
        if not rows.num_rows:
            raise missing("window of this video")
        return rows

    def _keep(self, found: Mapping[tuple[str, int | None], bytes]) -> None:
        version = self.snapshot().version
        with self._lock:
            for (name, frame), picture in found.items():
                self._thumbnails[version, name, frame] = picture
            while len(self._thumbnails) > MOST_THUMBNAILS:
                del self._thumbnails[next(iter(self._thumbnails))]


def _searched(
    held: Held, vector: NDArray[np.float32], k: int, kind: str, where: str | None, without: str | None
) -> Searched:
    """The nearest hits, by memory."""
    exact = True

    def near(limit: int) -> list[Row]:
        nonlocal exact
        found = held.nearest(vector, limit, kind, where, without)
        exact = found.exact
        return list(held.kinds[kind].rows(found))

    rows, all_seen = distinct(near, k, "video")
    return Searched(hits_of(rows), all_seen, exact)


def chosen(now: Snapshot, name: str, values: Sequence[Any]) -> str:
    """The condition that a column has one of some values.

    Raises:
        RefusedError: 400, there is no such column, or a value is of another kind.
    """
    kind = now.columns.get(name)
    if kind is None:
        raise RefusedError(400, "usage", f"There is no column '{name}'.", f"The columns are: {', '.join(now.columns)}.")
    right = {"text": str, "number": int | float, "truth": bool}[kind]
    parts = []
    for value in values:
        if value is not None and (not isinstance(value, right) or (kind == "number" and isinstance(value, bool))):
            raise RefusedError(400, "usage", f"{name} is a {kind}, and {value!r:.80} is none.")
        if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "replace").decode() != value):
            raise RefusedError(400, "usage", f"A value of {name} holds characters that no text has.")
        literal = quoted(value) if isinstance(value, str) else json.dumps(value)
        parts.append(f"`{name}` IS NULL" if value is None else f"`{name}` = {literal}")
    return f"({' OR '.join(parts)})" if parts else "true"


def check_root(root: Path, *, given: bool, record: str = "table") -> None:
    """Refuses a folder that only a record names, and that holds more than videos: a stranger may have written it.

    Args:
        root: the folder.
        given: whether the user names it too.
        record: what names it.

    Raises:
        DataError: it is such a folder.
    """
    home = Path(os.path.expanduser("~"))
    wide = not root.is_absolute() or len(root.parts) < 2 or home.is_relative_to(root)
    if wide and not given:
        raise DataError(
            f"The {record} says that its videos lie in '{root}', which is more than a folder of videos.",
            f"If you made this {record}, give the folder yourself: kinema serve RUN --videos DIR.",
        )


def _taken(table: Any, root: Path) -> Snapshot:
    """Reads what a version of the table holds."""
    import pyarrow.types as kinds

    schema, rows = table.schema, table.count_rows()
    extra = list(COLUMNS.extra(schema))
    query = table.search().where("kind = 'video'").select([*_ABOUT, *extra])
    videos = query.to_arrow().sort_by("video")
    columns = {}
    for field in schema:
        if field.name in ("vector", "thumbnail", "facts", "model", "settings", "id", "mtime_ns"):
            continue
        if kinds.is_boolean(field.type):
            columns[field.name] = "truth"
        else:
            columns[field.name] = "text" if kinds.is_string(field.type) else "number"
    return Snapshot(
        version=table.version,
        root=root,
        rows=rows,
        windows=rows - videos.num_rows,
        centre=centre_of(table),
        exact=rows < EXACT_ROWS or not has_index(table),
        columns=columns,
        videos=videos,
        place={video_id(path): at for at, path in enumerate(videos["video"].to_pylist())},
    )
