"""Finds the rows nearest to a query, without overlapping hits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import UsageError
from kinema.data.clips.reader import Model
from kinema.data.video.files import status
from kinema.data.video.manifest import Video
from kinema.searching import database
from kinema.searching.changes import printable, root_of_table
from kinema.searching.filters import condition
from kinema.searching.hits import MAX_HITS, TOLD, Found, Hit, Row, SomeHit, alike, distinct, hit_of, hits_of
from kinema.searching.index import EXACT_ROWS, has_index, nearest
from kinema.searching.layout import VIDEOS, Layout, layout_of, quoted
from kinema.searching.query import read_query
from kinema.searching.roots import Home, home_of
from kinema.searching.schema import centre_of, read_settings, vectors_in
from kinema.searching.spaces import check_same_space

_COLUMNS = [*TOLD]


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search a table, of videos, documents or tracklets.

    Args:
        k: hits.
        where: a condition on the table's columns, in SQL, or keys and values (:mod:`kinema.core.conditions`).
        over: what is compared with the query: the parts, as 'windows' or 'passages', or the wholes, as 'videos',
            'documents' or 'tracklets'; of pairs 'images' or 'texts'. None for the usual kind.
        others: leaves the query's own video, document or tracklet out.
        exact: whether to compare every row; None for exact search below ``EXACT_ROWS`` rows, or without an index.
        device: where to compute.
        videos: the folder of the table's files, where it has moved; see :mod:`kinema.searching.roots`.
        view: of a run of pairs, what the query is taken as: 'image' or 'text'; None to tell it by the query.
    """

    k: int = 10
    where: str | Mapping[str, str] | None = None
    over: str | None = None
    others: bool = False
    exact: bool | None = None
    device: str | None = None
    videos: str | Path | None = None
    view: str | None = None


@dataclass(frozen=True)
class OpenTable:
    """A table that is open for search.

    Args:
        uri: where it is.
        table: of LanceDB.
        layout: what its rows are.
        where: condition on the rows, in SQL.
        rows: number of rows of the kind that is compared.
        root: the folder of the videos or documents.
        exact: whether every row is compared.
        centre: the table's, float64 [d]; None for none.
    """

    uri: str
    table: Any
    layout: Layout
    where: str
    rows: int
    root: Path
    exact: bool
    centre: Tensor | None

    @classmethod
    def open(cls, uri: str, check: Callable[[Any], None], options: SearchOptions) -> OpenTable:
        """Opens a table and checks the settings of a search.

        Args:
            uri: where it is.
            check: raises an error where another encoder made the table.
            options: of the search.
        """
        if not 1 <= options.k <= MAX_HITS:
            raise UsageError(f"k is {options.k}; it must be from 1 to {MAX_HITS}.")
        table = database.require_table(uri)
        with database.storage_errors(uri):
            check(table)
            layout = layout_of(table)
            kind = layout.kind(options.over)
            wanted = condition(table, options.where, kind)
            rows, exact = table.count_rows(f"kind = '{kind}'"), options.exact
            exactly = exact if exact is not None else table.count_rows() < EXACT_ROWS or not has_index(table)
            return cls(uri, table, layout, wanted, rows, root_of_table(table), exactly, centre_of(table))

    def excluding(self, whole: str | None) -> OpenTable:
        """The same table without the rows of one video or document."""
        if whole is None:
            return self
        return replace(self, where=f"{self.where} AND {self.layout.whole} <> {quoted(whole)}")

    def nearest(self, vector: NDArray[np.float32], k: int, columns: Sequence[str]) -> tuple[list[Row], tuple[str, ...]]:
        """The k nearest distinct rows, with '_distance', and notes for the user.

        Args:
            vector: float32 [d], of unit length.
            k: hits.
            columns: of the rows.
        """
        rows, all_seen = distinct_rows(
            self.table, vector, k, self.where, exact=self.exact, columns=columns, layout=self.layout
        )
        parts, wholes = self.layout.names[0], self.layout.names[-1]
        hits = "stretches" if self.layout == VIDEOS else "of them apart from one another"
        note = f"The nearest {MAX_HITS} {parts} are {len(rows)} {hits}; --over {wholes} finds more {wholes}."
        return rows, () if all_seen else (note,)

    def found(
        self,
        query: object,
        vector: NDArray[np.float32],
        hit: Callable[[Row], SomeHit],
        *,
        k: int,
        columns: Sequence[str],
        home: Home,
        notes: Sequence[str],
        began: float,
    ) -> Found[SomeHit]:
        """The result of a search.

        Args:
            query: as text, for the result.
            vector: of the query, float32 [d], of unit length.
            hit: makes a hit of a row.
            k: hits.
            columns: of the rows.
            home: of the table's files.
            notes: for the user, before those of the search; empty ones are left out.
            began: start on the monotonic clock.
        """
        with database.storage_errors(self.uri):
            rows, more = self.nearest(vector, k, columns)
        near, unlike = alike(rows, k)
        hits = tuple(hit(row) for row in near)
        said = tuple(note for note in (*notes, *more, unlike) if note)
        return Found(str(query), hits, self.exact, self.rows, home.root, said, time.monotonic() - began)


def find(model: Model, uri: str, query: str | Path, options: SearchOptions) -> Found[Hit]:
    """Searches a table of videos.

    Args:
        model: the encoder that made it; of a table of projections, the same run's encoder of any view.
        uri: where it is.
        query: see :func:`kinema.searching.query.read_query`.
        options: of the search.

    Raises:
        UsageError: k, the condition or the query is invalid.
        DataError: there is no table, it is another encoder's or of documents, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    VIDEOS.kind(options.over)
    opened = OpenTable.open(uri, lambda table: check_same_space(read_settings(table, uri), model, uri), options)
    with database.storage_errors(uri):
        home = home_of(opened.table, uri, options.videos)
    parsed = read_query(
        model,
        query,
        known=lambda file: _known(opened.table, uri, file, home),
        centre=opened.centre,
        space=read_settings(opened.table, uri).space,
        device=options.device,
    )
    with database.storage_errors(uri):
        own = home.name_of(opened.table, parsed.file) if options.others else None
    moved = away(home) if options.others and own is None and not home.there else ""
    return opened.excluding(own).found(
        parsed,
        parsed.vector,
        hit_of,
        k=options.k,
        columns=_COLUMNS,
        home=home,
        notes=(moved, parsed.note),
        began=began,
    )


def away(home: Home) -> str:
    """That the query's own video or document could not be looked for, in words."""
    return (
        f"The table's files were in '{home.root}', and there is no such folder now. None of them ends like the query's "
        "path and has its size, so nothing was left out; --videos FOLDER says where they are."
    )


def distinct_hits(
    table: Any, vector: NDArray[np.float32], k: int, where: str, *, exact: bool
) -> tuple[tuple[Hit, ...], bool]:
    """The k nearest distinct stretches of videos; see :func:`distinct_rows`."""
    rows, all_seen = distinct_rows(table, vector, k, where, exact=exact, columns=_COLUMNS, layout=VIDEOS)
    return hits_of(rows), all_seen


def distinct_rows(
    table: Any,
    vector: NDArray[np.float32],
    k: int,
    where: str,
    *,
    exact: bool,
    columns: Sequence[str],
    layout: Layout,
) -> tuple[list[Row], bool]:
    """The k nearest distinct rows, with '_distance', and whether no further search could find more.

    Args:
        table: of LanceDB.
        vector: float32 [d], of unit length.
        k: hits, at most ``MAX_HITS``.
        where: condition on the rows, in SQL (:func:`kinema.searching.filters.condition`).
        exact: whether every row is compared.
        columns: of the rows; they include that of the video or document, 'start' and 'end'.
        layout: of the table.
    """

    def near(limit: int) -> list[Row]:
        rows = nearest(table, vector, limit, exact=exact, where=where, columns=[*columns, "vector"])
        return [row | {"vector": each} for row, each in zip(_plain(rows), vectors_in(rows), strict=True)]

    return distinct(near, k, layout.whole)


def _plain(rows: Any) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = rows.drop_columns(["vector"]).to_pylist()
    return values


def _known(table: Any, uri: str, file: Path, home: Home) -> Video | None:
    """The table's facts of a file that has not changed since it was embedded; None for others."""
    with database.storage_errors(uri):
        name = home.name_of(table, file)
    if name is None or printable(name) != name:
        return None
    columns = ["size", "mtime_ns", "health", "codec", "fps", "duration", "frames"]
    with database.storage_errors(uri):
        rows = table.search().where(f"kind = 'video' AND video = {quoted(name)}").select(columns).limit(1).to_arrow()
    facts = rows.to_pylist()
    if not facts or (facts[0]["size"], facts[0]["mtime_ns"]) != status(file):
        return None
    return Video(path=name, **facts[0])
