"""Finds what is nearest to a query, each stretch of a video once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import UsageError
from kinema.data.clips.reader import Model
from kinema.data.video.files import status
from kinema.data.video.manifest import Video
from kinema.searching import place
from kinema.searching.changes import root_of_table, shown
from kinema.searching.filters import condition
from kinema.searching.index import EXACT_ROWS, has_index, nearest
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of, making_of, quoted, vectors_in
from kinema.searching.spaces import check_asks

MOST = 16_384
"""Rows that are looked at to find hits that are apart from one another; no more hits can be asked for."""

ALIKE = 0.99
"""Windows of one video of at least this cosine are one hit, wherever they lie."""

_COLUMNS = ["video", "start", "end", "frame", "vector", "thumbnail", "label", "cluster", "cluster_name"]


@dataclass(frozen=True)
class Hit:
    """One find.

    Args:
        video: its path below the folder that was embedded.
        start: when it begins, in seconds from the video's first frame.
        end: when it ends.
        score: the cosine between it and the query, 1 for the same.
        label: its class, or None.
        cluster: the number of its cluster, or None.
        cluster_name: what a person called that, or None.
        frame: its first frame.
        thumbnail: a small JPEG file of its middle frame.
    """

    video: str
    start: float
    end: float
    score: float
    label: str | None = None
    cluster: int | None = None
    cluster_name: str | None = None
    frame: int = 0
    thumbnail: bytes = field(default=b"", repr=False)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"video": self.video, "start": self.start, "end": self.end, "score": self.score}


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Args:
        query: what was asked, a stretch with the seconds that were really read.
        hits: the nearest first.
        exact: whether every row was compared.
        rows: how many there were to compare, before any condition.
        root: the folder that the hits' paths lie below.
        notes: what a person should know of it.
        seconds: how long it took, the reading of the query included.
    """

    query: str
    hits: tuple[Hit, ...]
    exact: bool
    rows: int
    root: Path
    notes: tuple[str, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"query": self.query, "hits": [hit.plain() for hit in self.hits], "seconds": self.seconds}


def find(
    model: Model,
    uri: str,
    asked: str | Path,
    *,
    k: int = 10,
    where: str | None = None,
    over: Literal["windows", "videos"] = "windows",
    others: bool = False,
    exact: bool | None = None,
    device: str | None = None,
) -> Found:
    """Searches a table.

    Args:
        model: the encoder that made it; of a table of projections, the same run's encoder of any view.
        uri: where it is.
        asked: see :func:`kinema.searching.query.read_query`.
        k: hits.
        where: a condition on the table's columns, in SQL.
        over: what is compared with the query: windows, or whole videos.
        others: leaves the query's own video out.
        exact: whether to compare every row; by default below ``EXACT_ROWS`` rows, or where there is no index.
        device: where to compute.

    Raises:
        UsageError: k, the condition or the query cannot be understood.
        DataError: there is no table, it is another encoder's, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    if not 1 <= k <= MOST:
        raise UsageError(f"k is {k}; it must be from 1 to {MOST}.")
    if over not in ("windows", "videos"):
        raise UsageError(f"There is nothing called '{over}' to compare with.", "Choose windows or videos.")
    table = place.need_table(uri)
    with place.telling(uri):
        made = making_of(table, uri)
        check_asks(made, model, uri)
        wanted = condition(table, where, over[:-1])
        rows, root = table.count_rows(), root_of_table(table)
        exactly = exact if exact is not None else rows < EXACT_ROWS or not has_index(table)
        centre = centre_of(table)
    told: dict[str, Any] = {"centre": centre, "space": made.space, "device": device}
    query = read_query(model, asked, known=lambda file: _known(table, uri, file, root), **told)
    own = _below(query.file, root) if others else None
    wanted += "" if own is None else f" AND video <> {quoted(own)}"
    with place.telling(uri):
        hits, all_seen = apart(table, query.vector, k, wanted, exact=exactly)
    notes = [query.note] if query.note else []
    if not all_seen:
        notes.append(f"The nearest {MOST} windows are {len(hits)} stretches; --over videos finds more videos.")
    return Found(str(query), hits, exactly, rows, root, tuple(notes), time.monotonic() - began)


def apart(table: Any, vector: NDArray[np.float32], k: int, where: str, *, exact: bool) -> tuple[tuple[Hit, ...], bool]:
    """The k nearest hits that are apart, and whether there was no reason to look further.

    Args:
        table: of LanceDB.
        vector: float32 [d], of unit length.
        k: hits, at most ``MOST``.
        where: which rows count, in SQL (:func:`kinema.searching.filters.condition`).
        exact: whether every row is compared.
    """
    limit = min(MOST, max(64, 4 * k))
    while True:
        rows = nearest(table, vector, limit, exact=exact, where=where, columns=_COLUMNS)
        held = [row | {"vector": each} for row, each in zip(_plain(rows), vectors_in(rows), strict=True)]
        chosen = grouped(held, k)
        if len(chosen) == k or rows.num_rows < limit or limit == MOST:
            hits = tuple(_hit(row) for row in chosen)
            return hits, len(chosen) == k or rows.num_rows < limit
        limit = min(MOST, 4 * limit)


def grouped(rows: Sequence[Mapping[str, Any]], k: int, alike: float = ALIKE) -> list[Mapping[str, Any]]:
    """The first k rows of which none overlaps, or nearly equals, an earlier one of its video.

    Args:
        rows: with 'video', 'start', 'end' and 'vector' (of unit length), the nearest first.
        k: how many.
        alike: the cosine from which two windows of a video count as equal.
    """
    chosen: list[Mapping[str, Any]] = []
    by_video: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        earlier = by_video.setdefault(row["video"], [])
        if any(
            (row["start"] < other["end"] and other["start"] < row["end"])
            or float(row["vector"] @ other["vector"]) >= alike
            for other in earlier
        ):
            continue
        earlier.append(row)
        chosen.append(row)
        if len(chosen) == k:
            break
    return chosen


def _plain(rows: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = rows.drop_columns(["vector"]).to_pylist()
    return told


def _hit(row: Mapping[str, Any]) -> Hit:
    score = min(1.0, max(-1.0, 1.0 - row["_distance"]))
    return Hit(score=score, **{name: row[name] for name in _COLUMNS if name != "vector"})


def _known(table: Any, uri: str, file: Path, root: Path) -> Video | None:
    """What the table knows of a file that is as it was when it was embedded; None of others."""
    name = _below(file, root)
    if name is None or shown(name) != name:
        return None
    columns = ["size", "mtime_ns", "health", "codec", "fps", "duration", "frames"]
    with place.telling(uri):
        rows = table.search().where(f"kind = 'video' AND video = {quoted(name)}").select(columns).limit(1).to_arrow()
    told = rows.to_pylist()
    if not told or (told[0]["size"], told[0]["mtime_ns"]) != status(file):
        return None
    return Video(path=name, **told[0])


def _below(file: Path, root: Path) -> str | None:
    """A file's path as the table has it; None where it is not one of its videos."""
    try:
        return file.resolve().relative_to(root).as_posix()
    except ValueError:
        return None
