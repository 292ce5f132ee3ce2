"""Names that a person gave to clusters, and how they outlive a table that is made anew.

They are a column of the rows. A table that is made anew would lose them; so, before it goes, every row's cluster and
its name are set aside in a table of their own, and each new row of the same video and first frame takes them over.
``kinema cluster`` then follows the names by the rows that bear them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ASIDE = "names"
_COLUMNS = ["id", "cluster", "cluster_name"]


def set_aside(database: Any, table: Any) -> None:
    """Keeps what the rows of a table are called, if any is called anything.

    What an earlier renewal set aside, and was stopped before it could use it up, is kept as it is.
    """
    if ASIDE in database.list_tables(limit=1000).tables:
        return
    if not {"id", "cluster", "cluster_name"} <= set(table.schema.names) or not table.count_rows(
        "cluster_name IS NOT NULL"
    ):
        return
    held = table.search().where("cluster IS NOT NULL").select(_COLUMNS).to_arrow()
    database.create_table(ASIDE, data=held, mode="overwrite")


def set_aside_names(database: Any) -> Mapping[str, tuple[int, str | None]]:
    """What was set aside, by row; empty where nothing was."""
    if ASIDE not in database.list_tables(limit=1000).tables:
        return {}
    held = database.open_table(ASIDE).to_arrow().to_pydict()
    return dict(zip(held["id"], zip(held["cluster"], held["cluster_name"], strict=True), strict=True))


def carry(rows: Sequence[dict[str, Any]], held: Mapping[str, tuple[int, str | None]]) -> list[dict[str, Any]]:
    """The rows with the cluster and name that the same rows of the former table had."""
    return [row | dict(zip(_COLUMNS[1:], held[row["id"]], strict=True)) if row["id"] in held else row for row in rows]


def forget(database: Any) -> None:
    """Takes away what was set aside, once it is in the table."""
    if ASIDE in database.list_tables(limit=1000).tables:
        database.drop_table(ASIDE)
