"""Keeps the names of clusters when a table is replaced.

Names are a column of the rows, which a new table would lose. So before a table is replaced, the cluster and name of
every row are saved in a table of their own, and restored for new rows with the same id. ``kinema cluster`` then assigns
the names to new clusters by these rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SAVED = "names"
_COLUMNS = ["id", "cluster", "cluster_name"]


def save_names(database: Any, table: Any) -> None:
    """Saves the clusters and names of a table's rows, if any cluster has a name.

    Names saved by an earlier update that was interrupted are kept.
    """
    if SAVED in database.list_tables(limit=1000).tables:
        return
    if not {"id", "cluster", "cluster_name"} <= set(table.schema.names) or not table.count_rows(
        "cluster_name IS NOT NULL"
    ):
        return
    rows = table.search().where("cluster IS NOT NULL").select(_COLUMNS).to_arrow()
    database.create_table(SAVED, data=rows, mode="overwrite")


def saved_names(database: Any) -> Mapping[str, tuple[int, str | None]]:
    """The saved clusters and names, by row id; empty for none."""
    if SAVED not in database.list_tables(limit=1000).tables:
        return {}
    rows = database.open_table(SAVED).to_arrow().to_pydict()
    return dict(zip(rows["id"], zip(rows["cluster"], rows["cluster_name"], strict=True), strict=True))


def restore_names(rows: Sequence[dict[str, Any]], saved: Mapping[str, tuple[int, str | None]]) -> list[dict[str, Any]]:
    """The rows with their saved clusters and names."""
    return [row | dict(zip(_COLUMNS[1:], saved[row["id"]], strict=True)) if row["id"] in saved else row for row in rows]


def drop_saved_names(database: Any) -> None:
    """Deletes the saved names once they are in the table."""
    if SAVED in database.list_tables(limit=1000).tables:
        database.drop_table(SAVED)
