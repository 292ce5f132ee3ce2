"""Approximate nearest-neighbour search of large tables, and its recall.

Below ``EXACT_ROWS`` rows a search compares every row, and is exact. Above, an index proposes candidates, which are then
ranked by their full vectors; its recall is measured on rows of the table, against exact search.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from kinema.core.errors import DataError, UsageError
from kinema.searching.columns import has_codes
from kinema.searching.layout import layout_of

EXACT_ROWS = 100_000
"""Tables below this are searched exactly."""

IndexKind = Literal["auto", "ivf-pq", "hnsw", "none"]
PARTITION, PROBES = 8192, 20
"""Rows per partition of the index, as LanceDB's default; the fewest partitions to probe."""

SAMPLE, NEAREST, MIN_ROWS = 100, 10, 1000
"""Queries that recall is measured with, and neighbours of each; the fewest rows to train an index."""

CANDIDATES, CANDIDATES_PER_HIT = 1000, 10
"""The fewest candidates of an index that are ranked by their full vectors, in all and per hit. With 200 in all, a third
of the ten nearest were missed among a thousand rows at nearly the same distance."""


GRACE = timedelta(seconds=10)
"""For how long versions that are replaced stay for those who read them, beside the last good one."""


@dataclass(frozen=True)
class Index:
    """The index of a large table.

    Args:
        kind: 'ivf-pq' or 'hnsw'.
        recall: recall@10 against exact search, the mean over ``queries`` rows.
        queries: rows of the table that it was measured with.
    """

    kind: str
    recall: float
    queries: int

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": self.kind, "recall@10": self.recall, "queries": self.queries}


def has_index(table: Any) -> str:
    """The kind of a table's index; empty where it has none."""
    kinds = [each.index_type for each in table.list_indices() if list(each.columns) == ["vector"]]
    return {"IvfPq": "ivf-pq", "IvfHnswSq": "hnsw"}.get(kinds[0], kinds[0]) if kinds else ""


def compact(table: Any, before: int | None) -> None:
    """Merges small files, updates indexes, and deletes what no version from the last good one on needs.

    Whoever still reads an older version, as a search may for a moment, finds that of ``before``. The caller holds the
    table's lock, so that files without a version are leftovers of a process that was killed.

    Args:
        table: of LanceDB.
        before: the version that the update began with, which is kept; None for a new table.
    """
    made = next((each["timestamp"] for each in table.list_versions() if each["version"] == before), None)
    age = timedelta() if made is None else max(datetime.now(made.tzinfo) - made, timedelta())
    table.optimize(cleanup_older_than=age + GRACE, delete_unverified=True)


def update_index(table: Any, kind: IndexKind, *, exact_rows: int = EXACT_ROWS) -> Index | None:
    """Creates, keeps or drops a table's index.

    Args:
        table: of LanceDB.
        kind: 'auto' keeps an index or creates 'ivf-pq' from ``exact_rows`` rows on, and drops it below; 'ivf-pq' and
            'hnsw' create one at any size; 'none' drops it.
        exact_rows: rows from which 'auto' uses an index.

    Returns:
        The index and its recall; None where there is none.

    Raises:
        UsageError: there is no such kind.
        DataError: too few rows for this index.
    """
    if kind not in ("auto", "ivf-pq", "hnsw", "none"):
        raise UsageError(f"There is no index '{kind}'.", "Choose one of: auto, ivf-pq, hnsw, none.")
    if has_codes(table.schema) and kind in ("auto", "none"):
        return None
    if "vector" not in table.schema.names:
        raise UsageError(f"A table of codes has no index '{kind}': all codes are compared.", "Leave --index out.")
    existing, rows = has_index(table), table.count_rows()
    wanted = kind if kind != "auto" else (existing or "ivf-pq") if rows >= exact_rows else "none"
    if wanted == "none":
        for each in table.list_indices():
            table.drop_index(each.name)
        return None
    if rows < MIN_ROWS:
        raise DataError(
            f"An index needs {MIN_ROWS} rows, and the table has {rows}.", "Search it exactly: --index none."
        )
    if existing != wanted:
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
    """Indexes the columns ``kind`` and ``video`` (or ``document``) for conditions, where that is missing.

    ``id`` gets no index: rows are merged by it, and merging by an indexed column has lost updates in LanceDB
    (https://github.com/lancedb/lancedb/issues/3177).
    """
    from lancedb.index import Bitmap, BTree

    indexed = {name for each in table.list_indices() for name in each.columns}
    for name, config in (("kind", Bitmap()), (layout_of(table).whole, BTree())):
        if name not in indexed:
            table.create_index(name, config=config)


def nearest(table: Any, vector: Any, limit: int, *, exact: bool, where: str, columns: list[str]) -> Any:
    """The nearest rows by cosine, nearest first, as an Arrow table with '_distance', which is 1 - cosine.

    Args:
        table: of LanceDB.
        vector: float32 [d].
        limit: number of rows.
        exact: whether to compare every row.
        where: condition on the rows, in SQL.
        columns: to return.
    """
    query = table.search(vector, vector_column_name="vector").distance_type("cosine").where(where, prefilter=True)
    query = query.select([*columns, "_distance"]).limit(limit)
    if exact:
        return query.bypass_vector_index().to_arrow()
    probes = max(PROBES, _partitions(table.count_rows()) // 10)
    return query.nprobes(probes).refine_factor(max(CANDIDATES_PER_HIT, -(-CANDIDATES // limit))).to_arrow()


def _recall(table: Any) -> tuple[float, int]:
    """Recall@10 of the index, over a sample of windows or passages, and the number of queries."""
    layout = layout_of(table)
    where = f"kind = '{layout.part}'" if layout.whole in layout.kinds else layout.each
    rows = table.count_rows(where)
    draw = random.Random(0)
    found, expected = 0, 0
    for at in sorted(draw.sample(range(rows), min(SAMPLE, rows))):
        row = table.search().where(where).select(["vector"]).offset(at).limit(1).to_arrow()
        vector = row["vector"][0].values.to_numpy()
        exact, quick = (
            set(nearest(table, vector, NEAREST, exact=way, where=where, columns=["id"])["id"].to_pylist())
            for way in (True, False)
        )
        found += len(exact & quick)
        expected += len(exact)
    return found / max(1, expected), min(SAMPLE, rows)
