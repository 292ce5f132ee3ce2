"""Nearest rows of a large table without looking at all of them, and how many of them are found.

Below ``EXACT_ROWS`` every search looks at every row, and is exact. Above, an index proposes candidates, which are then
compared by their whole vectors; its recall is measured on rows of the table itself, against the exact search.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from kinema.core.errors import DataError, UsageError
from kinema.searching.layout import layout_of

EXACT_ROWS = 100_000
"""Tables below this are searched exactly."""

IndexKind = Literal["auto", "ivf-pq", "hnsw", "none"]
PARTITION, PROBES = 8192, 20
"""Rows of a partition of the index, which LanceDB takes too; partitions that are looked into at least."""

SAMPLE, NEAREST, LEAST = 100, 10, 1000
"""Queries by which recall is measured, and how many of the nearest; the rows that an index needs to be trained."""

CANDIDATES, EACH = 1000, 10
"""Rows proposed by an index that are compared by their whole vectors, at least; and at least so many for each that is
wanted. With 200 of them the ten nearest among a thousand that are nearly as near were missed one time in three."""


@dataclass(frozen=True)
class Index:
    """What searches a large table.

    Args:
        kind: 'ivf-pq' or 'hnsw'.
        recall: of the ten nearest by exact search, the share that it finds, on the average of ``queries`` rows.
        queries: rows of the table that were asked for.
    """

    kind: str
    recall: float
    queries: int

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"kind": self.kind, "recall@10": self.recall, "queries": self.queries}


def has_index(table: Any) -> str:
    """The kind of index that a table has; empty where it has none."""
    kinds = [each.index_type for each in table.list_indices() if list(each.columns) == ["vector"]]
    return {"IvfPq": "ivf-pq", "IvfHnswSq": "hnsw"}.get(kinds[0], kinds[0]) if kinds else ""


def tidy(table: Any) -> None:
    """Joins small files, brings indexes up to date, and lets go of versions that nobody has read for a day."""
    table.optimize(cleanup_older_than=timedelta(days=1))


def renew_index(table: Any, kind: IndexKind, *, exact_rows: int = EXACT_ROWS) -> Index | None:
    """Gives a large table an index, keeps the one it has, or takes it away.

    Args:
        table: of LanceDB.
        kind: 'auto' is 'ivf-pq' from ``exact_rows`` on, unless there is another, and none below; 'ivf-pq' and 'hnsw'
            make one whatever the size; 'none' takes it away.
        exact_rows: where 'auto' begins.

    Returns:
        The index and its recall; None where there is none.

    Raises:
        UsageError: there is no such kind.
        DataError: too few rows for the index that was asked for.
    """
    if kind not in ("auto", "ivf-pq", "hnsw", "none"):
        raise UsageError(f"There is no index '{kind}'.", "Choose one of: auto, ivf-pq, hnsw, none.")
    there, rows = has_index(table), table.count_rows()
    wanted = kind if kind != "auto" else (there or "ivf-pq") if rows >= exact_rows else "none"
    if wanted == "none":
        for each in table.list_indices():
            table.drop_index(each.name)
        return None
    if rows < LEAST:
        raise DataError(f"An index needs {LEAST} rows, and the table has {rows}.", "Search it exactly: --index none.")
    if there != wanted:
        _build(table, wanted, rows)
    _index_conditions(table)
    recall, queries = _recall(table)
    return Index(wanted, recall, queries)


def _partitions(rows: int) -> int:
    return max(1, rows // PARTITION)


def _build(table: Any, kind: str, rows: int) -> None:
    from lancedb.index import HnswSq, IvfPq

    if kind == "hnsw":
        config: Any = HnswSq(distance_type="cosine")
    else:
        dim = table.schema.field("vector").type.list_size
        parts = max(part for part in range(1, max(1, dim // 16) + 1) if dim % part == 0)
        config = IvfPq(distance_type="cosine", num_partitions=_partitions(rows), num_sub_vectors=parts)
    table.create_index("vector", config=config, replace=True)


def _index_conditions(table: Any) -> None:
    """Indexes for conditions on ``kind`` and ``video`` (or ``document``), where there are none yet.

    None for ``id``: rows are merged by it, and merging by a column that has an index has lost updates in LanceDB
    (https://github.com/lancedb/lancedb/issues/3177).
    """
    from lancedb.index import Bitmap, BTree

    there = {name for each in table.list_indices() for name in each.columns}
    for name, config in (("kind", Bitmap()), (layout_of(table).whole, BTree())):
        if name not in there:
            table.create_index(name, config=config)


def nearest(table: Any, vector: Any, limit: int, *, exact: bool, where: str, columns: list[str]) -> Any:
    """The nearest rows by cosine, the nearest first, as an Arrow table with '_distance', which is 1 - cosine.

    Args:
        table: of LanceDB.
        vector: float32 [d].
        limit: how many.
        exact: whether to look at every row.
        where: which rows count, in SQL.
        columns: what to tell of them.
    """
    query = table.search(vector, vector_column_name="vector").distance_type("cosine").where(where, prefilter=True)
    query = query.select([*columns, "_distance"]).limit(limit)
    if exact:
        return query.bypass_vector_index().to_arrow()
    probes = max(PROBES, _partitions(table.count_rows()) // 10)
    return query.nprobes(probes).refine_factor(max(EACH, -(-CANDIDATES // limit))).to_arrow()


def _recall(table: Any) -> tuple[float, int]:
    """Of the ten nearest of some windows or passages of the table, the share that its index finds."""
    where = f"kind = '{layout_of(table).part}'"
    rows = table.count_rows(where)
    draw = random.Random(0)
    found, asked = 0, 0
    for at in sorted(draw.sample(range(rows), min(SAMPLE, rows))):
        row = table.search().where(where).select(["vector"]).offset(at).limit(1).to_arrow()
        vector = row["vector"][0].values.to_numpy()
        exact, quick = (
            set(nearest(table, vector, NEAREST, exact=way, where=where, columns=["id"])["id"].to_pylist())
            for way in (True, False)
        )
        found += len(exact & quick)
        asked += len(exact)
    return found / max(1, asked), min(SAMPLE, rows)
