"""Finds what is nearest to a query, each stretch of a video once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import UsageError
from kinema.data.clips.reader import Model
from kinema.data.video.files import status
from kinema.data.video.manifest import Video
from kinema.searching import place
from kinema.searching.changes import root_of_table, shown
from kinema.searching.filters import condition
from kinema.searching.index import EXACT_ROWS, has_index, nearest
from kinema.searching.layout import VIDEOS, Layout, layout_of, quoted
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of, making_of, vectors_in
from kinema.searching.spaces import check_asks

Row = Mapping[str, Any]
MOST = 16_384
"""Rows that are looked at to find hits that are apart from one another; no more hits can be asked for."""

ALIKE = 0.99
"""Windows of one video of at least this cosine are one hit, wherever they lie."""

_COLUMNS = ["video", "start", "end", "frame", "thumbnail", "label", "cluster", "cluster_name"]


class AnyHit(Protocol):
    """A find: a stretch of a video, or a passage of a document."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        ...


SomeHit = TypeVar("SomeHit", bound=AnyHit)


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
class Found(Generic[SomeHit]):
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
    hits: tuple[SomeHit, ...]
    exact: bool
    rows: int
    root: Path
    notes: tuple[str, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"query": self.query, "hits": [hit.plain() for hit in self.hits], "seconds": self.seconds}


@dataclass(frozen=True)
class Opened:
    """A table that is searched.

    Args:
        table: of LanceDB.
        layout: what its rows are.
        where: which of them count, in SQL.
        rows: how many it has.
        root: the folder of what was embedded.
        exact: whether every row is compared.
        centre: the table's, float64 [d]; None for none.
    """

    table: Any
    layout: Layout
    where: str
    rows: int
    root: Path
    exact: bool
    centre: Tensor | None

    @classmethod
    def open(
        cls,
        uri: str,
        check: Callable[[Any], None],
        *,
        k: int,
        where: str | None,
        over: str | None,
        exact: bool | None,
    ) -> Opened:
        """A table, where it can be asked for so many hits under this condition.

        Args:
            uri: where it is.
            check: raises where the table is another encoder's.
            k: hits.
            where: the user's condition.
            over: what is compared; None for parts.
            exact: whether to compare every row; None to decide by their number.
        """
        if not 1 <= k <= MOST:
            raise UsageError(f"k is {k}; it must be from 1 to {MOST}.")
        table = place.need_table(uri)
        with place.telling(uri):
            check(table)
            layout = layout_of(table)
            wanted = condition(table, where, layout.kind(over))
            rows = table.count_rows()
            exactly = exact if exact is not None else rows < EXACT_ROWS or not has_index(table)
            return cls(table, layout, wanted, rows, root_of_table(table), exactly, centre_of(table))

    def without(self, whole: str | None) -> Opened:
        """The same but for the rows of one video or document."""
        if whole is None:
            return self
        return replace(self, where=f"{self.where} AND {self.layout.whole} <> {quoted(whole)}")

    def nearest(self, vector: NDArray[np.float32], k: int, columns: Sequence[str]) -> tuple[list[Row], tuple[str, ...]]:
        """The k nearest rows that are apart, with '_distance', and what a person should know of them.

        Args:
            vector: float32 [d], of unit length.
            k: hits.
            columns: of the rows.
        """
        rows, all_seen = apart_rows(
            self.table, vector, k, self.where, exact=self.exact, columns=columns, layout=self.layout
        )
        parts, wholes = self.layout.names
        hits = "stretches" if self.layout == VIDEOS else "of them apart from one another"
        note = f"The nearest {MOST} {parts} are {len(rows)} {hits}; --over {wholes} finds more {wholes}."
        return rows, () if all_seen else (note,)


def find(
    model: Model,
    uri: str,
    asked: str | Path,
    *,
    k: int = 10,
    where: str | None = None,
    over: str | None = None,
    others: bool = False,
    exact: bool | None = None,
    device: str | None = None,
) -> Found[Hit]:
    """Searches a table of videos.

    Args:
        model: the encoder that made it; of a table of projections, the same run's encoder of any view.
        uri: where it is.
        asked: see :func:`kinema.searching.query.read_query`.
        k: hits.
        where: a condition on the table's columns, in SQL.
        over: what is compared with the query: 'windows', or 'videos' as wholes; None for windows.
        others: leaves the query's own video out.
        exact: whether to compare every row; by default below ``EXACT_ROWS`` rows, or where there is no index.
        device: where to compute.

    Raises:
        UsageError: k, the condition or the query cannot be understood.
        DataError: there is no table, it is another encoder's or of documents, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    VIDEOS.kind(over)
    opened = Opened.open(
        uri, lambda table: check_asks(making_of(table, uri), model, uri), k=k, where=where, over=over, exact=exact
    )
    query = read_query(
        model,
        asked,
        known=lambda file: _known(opened.table, uri, file, opened.root),
        centre=opened.centre,
        space=making_of(opened.table, uri).space,
        device=device,
    )
    opened = opened.without(_below(query.file, opened.root) if others else None)
    with place.telling(uri):
        rows, notes = opened.nearest(query.vector, k, _COLUMNS)
    hits = tuple(_hit(row) for row in rows)
    told = (query.note, *notes) if query.note else notes
    return Found(str(query), hits, opened.exact, opened.rows, opened.root, told, time.monotonic() - began)


def apart(table: Any, vector: NDArray[np.float32], k: int, where: str, *, exact: bool) -> tuple[tuple[Hit, ...], bool]:
    """The k nearest stretches of videos that are apart; see :func:`apart_rows`."""
    rows, all_seen = apart_rows(table, vector, k, where, exact=exact, columns=_COLUMNS, layout=VIDEOS)
    return tuple(_hit(row) for row in rows), all_seen


def apart_rows(
    table: Any,
    vector: NDArray[np.float32],
    k: int,
    where: str,
    *,
    exact: bool,
    columns: Sequence[str],
    layout: Layout,
) -> tuple[list[Row], bool]:
    """The k nearest rows that are apart, with '_distance', and whether there was no reason to look further.

    Args:
        table: of LanceDB.
        vector: float32 [d], of unit length.
        k: hits, at most ``MOST``.
        where: which rows count, in SQL (:func:`kinema.searching.filters.condition`).
        exact: whether every row is compared.
        columns: of the rows; the whole's, 'start' and 'end' among them.
        layout: of the table.
    """
    limit = min(MOST, max(64, 4 * k))
    while True:
        rows = nearest(table, vector, limit, exact=exact, where=where, columns=[*columns, "vector"])
        held = [row | {"vector": each} for row, each in zip(_plain(rows), vectors_in(rows), strict=True)]
        chosen = grouped(held, k, whole=layout.whole)
        if len(chosen) == k or rows.num_rows < limit or limit == MOST:
            return chosen, len(chosen) == k or rows.num_rows < limit
        limit = min(MOST, 4 * limit)


def grouped(rows: Sequence[Row], k: int, alike: float = ALIKE, whole: str = "video") -> list[Row]:
    """The first k rows of which none overlaps, or nearly equals, an earlier one of its video or document.

    Args:
        rows: with the whole's column, 'start', 'end' and 'vector' (of unit length), the nearest first.
        k: how many.
        alike: the cosine from which two rows of one whole count as equal.
        whole: the column.
    """
    chosen: list[Row] = []
    by_whole: dict[str, list[Row]] = {}
    for row in rows:
        earlier = by_whole.setdefault(row[whole], [])
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


def score_of(row: Row) -> float:
    """The cosine of a row of :func:`apart_rows`."""
    return min(1.0, max(-1.0, 1.0 - float(row["_distance"])))


def _plain(rows: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = rows.drop_columns(["vector"]).to_pylist()
    return told


def _hit(row: Row) -> Hit:
    return Hit(score=score_of(row), **{name: row[name] for name in _COLUMNS})


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
