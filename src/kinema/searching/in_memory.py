"""A version of a table of videos in memory: its vectors, to be searched there, and what a hit tells.

LanceDB stays the store: conditions and thumbnails are its own. What is held is of one version; a table that has changed
is held anew.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinema.core.errors import StorageError
from kinema.core.progress import Progress
from kinema.searching import database
from kinema.searching.filters import condition
from kinema.searching.layout import VIDEOS
from kinema.searching.schema import vectors_in
from kinema.searching.vectors import (
    LISTED_ROWS,
    SAMPLE,
    TRAINED,
    All,
    Array,
    Chosen,
    Lists,
    Near,
    Rows,
    Vectors,
    has_faiss,
    lists_for,
    trained,
)

TOLD = ("video", "start", "end", "frame", "label", "cluster", "cluster_name")
"""The columns that a hit tells, beside its thumbnail."""

MANY_CONDITIONS = 32
"""Conditions whose rows are remembered."""

BATCH = 8192
_REPEATED = ("video", "label", "cluster", "cluster_name")


@dataclass(frozen=True)
class Column:
    """A column, as numbers, or as the places of its values in a list of them.

    Args:
        numbers: [N].
        values: the list; None where the numbers are the values.
    """

    numbers: NDArray[Any]
    values: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, column: Any, *, repeated: bool) -> Column:
        """A column of Arrow.

        Args:
            column: in one chunk.
            repeated: whether values come often, or may be missing.
        """
        if not repeated:
            return cls(column.to_numpy())
        coded = column.dictionary_encode()
        values = coded.dictionary.to_pylist()
        return cls(coded.indices.fill_null(len(values)).to_numpy(), (*values, None))

    def take(self, rows: Rows) -> list[Any]:
        """The values of some rows."""
        numbers: list[Any] = self.numbers[rows].tolist()
        return numbers if self.values is None else [self.values[number] for number in numbers]

    @property
    def bytes(self) -> int:
        """Of memory, about."""
        return int(self.numbers.nbytes + 64 * len(self.values or ()))


class HeldRows:
    """The rows of one kind.

    Args:
        vectors: of them.
        columns: those of ``TOLD``, by their names.
        ids: uint64 [N], their row ids in this version of the table.
    """

    def __init__(self, vectors: Vectors, columns: Mapping[str, Column], ids: NDArray[np.uint64]) -> None:
        self.vectors, self.columns, self.ids = vectors, columns, ids
        videos = columns["video"]
        self._order = np.argsort(videos.numbers, kind="stable")
        self._sorted = videos.numbers[self._order]
        self._codes = {name: code for code, name in enumerate(videos.values or ())}

    def of_video(self, video: str) -> Rows:
        """The rows of a video, by its path; none where there is no such video."""
        code = self._codes.get(video)
        if code is None:
            return np.zeros(0, np.int64)
        begin, end = np.searchsorted(self._sorted, [code, code + 1])
        found: Rows = self._order[begin:end]
        return found

    def place(self, video: str, frame: int | None) -> int | None:
        """The row of a video, or of its window that begins at a frame; None where there is none."""
        rows = self.of_video(video)
        if frame is not None:
            rows = rows[self.columns["frame"].numbers[rows] == frame]
        return int(rows[0]) if len(rows) else None

    def rows(self, near: Near) -> list[dict[str, Any]]:
        """What hits tell, with their vectors and '_distance', which is 1 - cosine."""
        distances = (1.0 - near.scores.astype(np.float64)).tolist()
        columns = (column.take(near.rows) for column in self.columns.values())
        names = (*self.columns, "_distance", "vector", "thumbnail")
        values = zip(*columns, distances, self.vectors.take(near.rows), [b""] * len(distances), strict=True)
        return [dict(zip(names, each, strict=True)) for each in values]

    @property
    def bytes(self) -> int:
        """Of memory."""
        columns = sum(column.bytes for column in self.columns.values())
        return int(self.vectors.bytes + columns + self.ids.nbytes + self._order.nbytes + self._sorted.nbytes)


class Held:
    """One version of a table, in memory.

    Args:
        table: of LanceDB, at this version.
        version: of LanceDB.
        kinds: the rows of each kind, 'window' and 'video'.
        seconds: that reading and building took.
    """

    def __init__(self, table: Any, version: int, kinds: Mapping[str, HeldRows], seconds: float) -> None:
        self.version, self.kinds, self.seconds = version, kinds, seconds
        self._table = table
        self._chosen: OrderedDict[tuple[str, str], Chosen] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, vector: Array, limit: int, kind: str, where: str | None, without: str | None) -> Near:
        """The nearest rows of a kind.

        Args:
            vector: float32 [d], of unit length.
            limit: rows at most.
            kind: 'window' or 'video'.
            where: a condition, in SQL (:func:`kinema.searching.filters.condition`); None for none.
            without: the path of a video that does not count.

        Raises:
            StorageError: the table cannot be read.
        """
        held = self.kinds[kind]
        chosen = None if where is None else self.chosen(where, kind)
        own = held.of_video(without) if without is not None else np.zeros(0, np.int64)
        near = held.vectors.nearest(np.ascontiguousarray(vector, np.float32), limit + len(own), chosen)
        if len(own):
            keep = np.flatnonzero(~np.isin(near.rows, own))[:limit]
            near = Near(near.rows[keep], near.scores[keep], near.exact)
        return near

    def chosen(self, where: str, kind: str) -> Chosen:
        """The rows of a kind that a condition leaves; asked of the store once, and then remembered."""
        key = kind, where
        with self._lock:
            if key in self._chosen:
                self._chosen.move_to_end(key)
                return self._chosen[key]
        held = self.kinds[kind]
        ids = self._table.search().where(where).select(["_rowid"]).to_arrow()["_rowid"].to_numpy()
        rows = np.flatnonzero(np.isin(held.ids, ids))
        found = Chosen(rows, len(held.ids))
        with self._lock:
            self._chosen[key] = found
            while len(self._chosen) > MANY_CONDITIONS:
                self._chosen.popitem(last=False)
        return found

    def row(self, kind: str, video: str, frame: int | None) -> tuple[Array, dict[str, Any]] | None:
        """The vector of a video, or of its window that begins at a frame, and what is told of it; None for none."""
        held = self.kinds[kind]
        at = held.place(video, frame)
        if at is None:
            return None
        one = np.array([at])
        return held.vectors.take(one)[0], {name: column.take(one)[0] for name, column in held.columns.items()}

    def thumbnail(self, kind: str, video: str, frame: int | None) -> bytes | None:
        """The picture of a row, from the store; None where there is no such row."""
        held = self.kinds[kind]
        at = held.place(video, frame)
        if at is None:
            return None
        found = self._table.take_row_ids([int(held.ids[at])]).select(["thumbnail"]).to_arrow()
        picture: bytes = found["thumbnail"][0].as_py()
        return picture

    @property
    def bytes(self) -> int:
        """Of memory."""
        return sum(held.bytes for held in self.kinds.values())

    @property
    def recall(self) -> float | None:
        """Recall@10 of a search among windows, as it was measured when they were read; None where all are compared."""
        vectors = self.kinds[VIDEOS.part].vectors
        return vectors.recall if isinstance(vectors, Lists) else None

    @property
    def compared(self) -> float:
        """The share of the windows that a search compares."""
        vectors = self.kinds[VIDEOS.part].vectors
        return min(1.0, vectors.compared / max(1, len(vectors)))


def bytes_needed(table: Any) -> int:
    """Memory that a table takes when it is held, about, with what is needed while it is read."""
    # FAISS gives a list twice the room when it is full, so that a third of it may stay empty.
    return int(table.count_rows() * (1.5 * 4 * table.schema.field("vector").type.list_size + 120))


def hold(uri: str, version: int, *, threads: int, progress: Progress | None = None) -> Held:
    """Reads a version of a table of videos into memory.

    Args:
        uri: where it is.
        version: of LanceDB.
        threads: of FAISS, while lists are made.
        progress: is called with (rows done, rows).

    Raises:
        StorageError: the table cannot be read, or this version is gone.
    """
    began = time.monotonic()
    table = database.require_table(uri)
    with database.storage_errors(uri):
        table.checkout(version)
        counts = {kind: table.count_rows(condition(table, None, kind)) for kind in VIDEOS.kinds}
        listed = {kind for kind, count in counts.items() if count >= LISTED_ROWS and has_faiss()}
        total = sum(counts.values())
        passes = 2 if listed else 1
        read = _Read(progress, total * passes)
        makers = {
            kind: _listed(table, kind, counts[kind], threads, read) if kind in listed else _Matrix(counts[kind], table)
            for kind in counts
        }
        gathered: dict[str, list[Any]] = {kind: [] for kind in counts}
        for batch in _batches(table, [*TOLD, "kind", "vector"], read):
            kinds = batch["kind"].to_numpy(zero_copy_only=False)
            for kind, maker in makers.items():
                mine = batch.filter(pa.array(kinds == kind))
                if len(mine):
                    maker.add(vectors_in(mine))
                    gathered[kind].append(mine.select([*TOLD, "_rowid"]))
        if any(len(makers[kind]) != count for kind, count in counts.items()):
            raise StorageError(f"The table in '{uri}' was changed while it was read.")
        kinds_held = {kind: _held(maker.done(), gathered.pop(kind), table) for kind, maker in makers.items()}
    return Held(table, version, kinds_held, time.monotonic() - began)


class _Matrix:
    """Collects rows that are all to be compared."""

    def __init__(self, count: int, table: Any) -> None:
        self._vectors = np.empty((count, table.schema.field("vector").type.list_size), np.float32)
        self._there = 0

    def __len__(self) -> int:
        return self._there

    def add(self, vectors: Array) -> None:
        self._vectors[self._there : self._there + len(vectors)] = vectors[: len(self._vectors) - self._there]
        self._there += len(vectors)

    def done(self) -> Vectors:
        return All(self._vectors)


class _Listing:
    """Collects rows in lists."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    def __len__(self) -> int:
        return len(self._lists)

    def add(self, vectors: Array) -> None:
        self._lists.add(np.ascontiguousarray(vectors))

    def done(self) -> Vectors:
        self._lists.finish()
        return self._lists


class _Read:
    """Counts rows for the progress."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def rows(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _batches(table: Any, columns: list[str], read: _Read) -> Iterator[Any]:
    """A table's rows with their ids, some at a time."""
    query = table.search().select(columns).with_row_id(True)
    for batch in query.to_batches(batch_size=BATCH):
        yield pa.Table.from_batches([batch])
        read.rows(batch.num_rows)


def _listed(table: Any, kind: str, count: int, threads: int, read: _Read) -> _Listing:
    """Trained lists, by rows that are evenly spaced."""
    lists = lists_for(count)
    wanted = np.unique(np.linspace(0, count - 1, min(count, TRAINED * lists)).astype(np.int64))
    parts, at = [], 0
    for batch in _batches(table, ["kind", "vector"], read):
        mine = np.flatnonzero(batch["kind"].to_numpy(zero_copy_only=False) == kind)
        begin, end = np.searchsorted(wanted, [at, at + len(mine)])
        parts.append(vectors_in(batch.take(pa.array(mine[wanted[begin:end] - at]))))
        at += len(mine)
    sample = np.ascontiguousarray(np.concatenate(parts))
    some = np.unique(np.linspace(0, len(sample) - 1, min(len(sample), 2 * SAMPLE)).astype(np.int64))
    return _Listing(Lists(trained(sample, lists, threads), sample[some], wanted[some]))


def _held(vectors: Vectors, parts: list[Any], table: Any) -> HeldRows:
    """The rows of one kind, with texts that are repeated held once."""
    empty = pa.schema([table.schema.field(name) for name in TOLD] + [pa.field("_rowid", pa.uint64())]).empty_table()
    rows = pa.concat_tables(
        [empty.replace_schema_metadata(None), *(each.replace_schema_metadata(None) for each in parts)]
    )
    columns = {name: Column.of(rows[name].combine_chunks(), repeated=name in _REPEATED) for name in TOLD}
    return HeldRows(vectors, columns, rows["_rowid"].to_numpy())
