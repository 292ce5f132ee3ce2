"""Hits: the nearest rows that neither overlap nor repeat one another; without LanceDB and torch, which take seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Row = Mapping[str, Any]
MAX_HITS = 16_384
"""The most rows that are read to find distinct hits, and so the largest k."""

DUPLICATE_COSINE = 0.99
"""Windows of one video with at least this cosine count as one hit, even if they do not overlap."""

TOLD = ("video", "start", "end", "frame", "thumbnail", "label", "cluster", "cluster_name")
"""The columns of a row that a hit tells."""


class AnyHit(Protocol):
    """A hit: a stretch of a video, or a passage of a document."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        ...


SomeHit = TypeVar("SomeHit", bound=AnyHit)


@dataclass(frozen=True)
class Hit:
    """One hit.

    Args:
        video: its path, relative to the folder that was embedded.
        start: in seconds from the video's first frame.
        end: likewise.
        score: cosine similarity to the query.
        label: its class, or None.
        cluster: the number of its cluster, or None.
        cluster_name: the name that a user gave it, or None.
        frame: its first frame.
        thumbnail: JPEG file of its middle frame.
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
    """The result of a search.

    Args:
        query: the query; of a stretch, with the seconds that were read.
        hits: nearest first.
        exact: whether every row was compared.
        rows: rows of the table of the kind that is compared, windows for instance, before any condition.
        root: the folder that the hits' paths are relative to.
        notes: for the user.
        seconds: duration, with reading the query.
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


def hit_of(row: Row) -> Hit:
    """A row of a window or a video as a hit; it has the columns of ``TOLD``, and '_distance'."""
    return Hit(score=score_of(row), **{name: row[name] for name in TOLD})


def hits_of(rows: Iterable[Row]) -> tuple[Hit, ...]:
    """Rows of windows or videos as hits; they have the columns of :class:`Hit`, and '_distance'."""
    return tuple(hit_of(row) for row in rows)


def alike(rows: Sequence[Row], k: int) -> tuple[list[Row], str]:
    """The rows that are like the query, whose cosine is not below 0; and what to tell of the others, or nothing."""
    near = [row for row in rows if 1 - row["_distance"] >= 0]
    few = f"Only {len(near)} of {k} are hits: " if near else "There is no hit: "
    return near, f"{few}all else has a score below 0, which is no likeness." if len(near) < len(rows) else ""


def distinct(near: Callable[[int], list[Row]], k: int, whole: str) -> tuple[list[Row], bool]:
    """The k nearest distinct rows, and whether no further search could find more.

    Args:
        near: gives so many of the nearest rows, nearest first, or all that there are; see :func:`suppress_overlaps`.
        k: hits, at most ``MAX_HITS``.
        whole: the column with the video or document.
    """
    limit = min(MAX_HITS, max(64, 4 * k))
    while True:
        candidates = near(limit)
        chosen = suppress_overlaps(candidates, k, whole=whole)
        if len(chosen) == k or len(candidates) < limit or limit == MAX_HITS:
            return chosen, len(chosen) == k or len(candidates) < limit
        limit = min(MAX_HITS, 4 * limit)


def suppress_overlaps(
    rows: Sequence[Row], k: int, duplicate: float = DUPLICATE_COSINE, whole: str = "video"
) -> list[Row]:
    """Non-maximum suppression: the first k rows that neither overlap nor duplicate an earlier one of their whole.

    Args:
        rows: with the columns ``whole``, 'start', 'end' and 'vector' (of unit length), nearest first.
        k: number of rows.
        duplicate: the cosine from which two rows of one video or document are duplicates.
        whole: the column with the video or document.
    """
    chosen: list[Row] = []
    by_whole: dict[str, list[Row]] = {}
    for row in rows:
        earlier = by_whole.setdefault(row[whole], [])
        if any(
            (row["start"] < other["end"] and other["start"] < row["end"])
            or float(row["vector"] @ other["vector"]) >= duplicate
            for other in earlier
        ):
            continue
        earlier.append(row)
        chosen.append(row)
        if len(chosen) == k:
            break
    return chosen


def score_of(row: Row) -> float:
    """The cosine of a row of :func:`distinct_rows`."""
    return min(1.0, max(-1.0, 1.0 - float(row["_distance"])))
