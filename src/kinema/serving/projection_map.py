"""The archive as points of a plane: near points are similar, as far as two directions can show it.

The plane is that of the first two principal components, which is the same at every start and takes no more than a
moment; it is made in the background when the server starts, so that it is there when it is asked for. Of more than
``MOST`` windows whole videos are drawn, and of more videos evenly spaced ones.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import KinemaError
from kinema.searching import database
from kinema.searching.layout import quoted
from kinema.searching.schema import vectors_in
from kinema.serving.archive import Archive, Over, video_id
from kinema.serving.failures import RefusedError

MOST = 20_000
"""Points that are drawn at most; also what keeps the choice by a lasso, a list of rows, small enough to search by."""


@dataclass(frozen=True)
class Chart:
    """Points, a row of the table each.

    Args:
        version: of the table.
        over: what a point is: 'windows' or 'videos'.
        ids: of the rows.
        place: float64 [N, 2], from 0 to 1.
        columns: 'video' (names in requests), 'frame', 'start', 'end', 'label' and 'cluster' of each.
        explained: how much of the variance the two directions hold.
        total: rows there are, of which perhaps only some are drawn.
    """

    version: int
    over: Over
    ids: tuple[str, ...]
    place: NDArray[np.float64]
    columns: dict[str, list[Any]]
    explained: float
    total: int


class Charts:
    """The chart of a table's current version, made when it is first needed.

    Args:
        archive: the table.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._chart: Chart | None = None

    def prepare(self) -> None:
        """Makes the chart in the background; what goes wrong is told to whoever asks for it."""

        def make() -> None:
            with contextlib.suppress(KinemaError):
                self.now()

        threading.Thread(target=make, name="kinema-map", daemon=True).start()

    def now(self) -> Chart:
        """The chart.

        Raises:
            StorageError: the table cannot be read.
        """
        with self._lock:
            now = self._archive.snapshot()
            if self._chart is None or self._chart.version != now.version:
                over: Over = "windows" if now.windows <= MOST else "videos"
                with database.storage_errors(self._archive.uri):
                    self._chart = _chart_of(self._archive.table, now.version, over)
            return self._chart

    def inside(self, version: int, polygon: list[tuple[float, float]]) -> tuple[Over, list[str]]:
        """The kind of the chart's points, and the rows of those within a lasso.

        Args:
            version: of the table whose chart was drawn.
            polygon: corners, in the chart's units.

        Raises:
            RefusedError: 409, the table is another by now.
        """
        chart = self.now()
        if version != chart.version:
            raise RefusedError(
                409, "changed", "The archive was renewed since the map was drawn.", "Draw the lasso again."
            )
        found = within(chart.place, np.asarray(polygon, dtype=np.float64))
        return chart.over, [chart.ids[at] for at in np.flatnonzero(found).tolist()]

    def within(self, version: int, polygon: list[tuple[float, float]], over: Over) -> str:
        """The condition, in SQL, that a row is within a lasso, or its video where points and rows differ in kind.

        Args:
            version: of the table whose chart was drawn.
            polygon: corners, in the chart's units.
            over: the rows that are searched.

        Raises:
            RefusedError: 409, the table is another by now.
        """
        drawn, ids = self.inside(version, polygon)
        if drawn == over:
            column, values = "id", ids
        else:
            column, values = "video", sorted({each.rpartition("#")[0] for each in ids})
        return f"{column} IN ({', '.join(quoted(each) for each in values)})" if values else "false"


def within(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points are within a polygon: those whose ray to the right crosses its edge an odd number of times.

    Args:
        points: [N, 2].
        polygon: [M, 2], its corners; the last is joined to the first.

    Returns:
        bool [N].
    """
    x, y = points[:, 0], points[:, 1]
    inside = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def plane(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Places rows in the unit square by their first two principal components; and the variance these hold, of 1.

    Args:
        vectors: [N, d].

    Returns:
        float64 [N, 2], both axes to one scale, the middle of what is there in the middle; and the share.
    """
    placed = np.zeros((len(vectors), 2))
    share = 0.0
    parts = min(2, *vectors.shape)
    if len(vectors) > 1 and parts:
        centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        # d x d: of thousands of rows the quickest way
        spread, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
        main = directions[:, ::-1][:, :parts]
        main *= np.where(main[np.abs(main).argmax(axis=0), range(parts)] < 0, -1.0, 1.0)
        placed[:, :parts] = centred @ main.astype(np.float32)
        total = float(spread.sum())
        share = min(1.0, float(spread[::-1][:parts].sum()) / total) if total > 0 else 0.0
    if not len(vectors):
        return placed, share
    low, high = placed.min(axis=0), placed.max(axis=0)
    scale = float((high - low).max())
    unit: NDArray[np.float64] = (placed - (low + high) / 2) / (scale if scale > 0 else 1.0) + 0.5
    return unit, share


def _chart_of(table: Any, version: int, over: Over) -> Chart:
    columns = ["id", "video", "frame", "start", "end", "label", "cluster", "vector"]
    rows = table.search().where(f"kind = '{over[:-1]}'").select(columns).to_arrow().sort_by("id")
    total = rows.num_rows
    if total > MOST:
        rows = rows.take(np.linspace(0, total - 1, MOST).round().astype(np.int64))
    where, share = plane(vectors_in(rows))
    values = rows.select(columns[1:-1]).to_pydict()
    names: dict[str, str] = {}
    values["video"] = [names.setdefault(path, video_id(path)) for path in values["video"]]
    return Chart(version, over, tuple(rows["id"].to_pylist()), where, values, share, total)
