"""Keeps the names of clusters while the rows that bear them are away.

Names are a column of the rows. Before rows are deleted, or a table is replaced, their clusters and names are saved in a
table of their own; they are restored when rows with the same ids come back, however much later. ``kinema cluster``
renumbers clusters, so it takes the numbers out of what is saved; a row that comes back then joins the cluster that
bears its name, or a cluster of its own where none does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SAVED = "names"
_COLUMNS = ["id", "cluster", "cluster_name"]
_NAMED = "cluster_name IS NOT NULL"

Names = Mapping[str, tuple[int | None, str | None]]
"""Cluster and name of rows, by id; no cluster where the table was clustered anew since."""


def save_names(database: Any, table: Any, where: str | None = None) -> None:
    """Saves the clusters and names of rows, beside those saved earlier.

    Args:
        database: a connection of LanceDB.
        table: the rows.
        where: which of them: those with names are saved. None for all with clusters, if any cluster has a name.
    """
    if not set(_COLUMNS) <= set(table.schema.names):
        return
    if where is not None:
        query = table.search().where(f"({where}) AND {_NAMED}")
    elif table.count_rows(_NAMED):
        query = table.search().where("cluster IS NOT NULL")
    else:
        return
    rows = query.select(_COLUMNS).to_arrow()
    if not rows.num_rows:
        return
    if _has_saved(database):
        merge = database.open_table(SAVED).merge_insert("id")
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)
    else:
        database.create_table(SAVED, data=rows)


def saved_names(database: Any, table: Any) -> Names:
    """The saved clusters and names, as rows that come back get them; empty for none.

    Args:
        database: a connection of LanceDB.
        table: to which they come back.
    """
    if not _has_saved(database):
        return {}
    rows = database.open_table(SAVED).to_arrow().to_pydict()
    if all(number is not None for number in rows["cluster"]):
        numbers: dict[str, int] = {}
    else:
        there = table.search().where("cluster IS NOT NULL").select(_COLUMNS).to_arrow().to_pydict()
        numbers = {name: number for name, number in zip(there["cluster_name"], there["cluster"], strict=True) if name}
        following = 1 + max(
            [*there["cluster"], *(number for number in rows["cluster"] if number is not None)], default=-1
        )
        for name in sorted({name for name in rows["cluster_name"] if name} - numbers.keys()):
            numbers[name], following = following, following + 1
    saved: dict[str, tuple[int | None, str | None]] = {}
    for each, number, name in zip(rows["id"], rows["cluster"], rows["cluster_name"], strict=True):
        saved[each] = (numbers.get(name) if number is None else number, name)
    return saved


def restore_names(rows: Sequence[dict[str, Any]], saved: Names) -> list[dict[str, Any]]:
    """The rows with their saved clusters and names."""
    return [row | dict(zip(_COLUMNS[1:], saved[row["id"]], strict=True)) if row["id"] in saved else row for row in rows]


def drop_saved_names(database: Any, table: Any) -> None:
    """Deletes the saved names that are in the table again; those of rows that are away stay.

    Args:
        database: a connection of LanceDB.
        table: the rows that are there.
    """
    if not _has_saved(database):
        return
    rows = database.open_table(SAVED).to_arrow()
    there = set(table.search().select(["id"]).to_arrow()["id"].to_pylist())
    away = [each not in there for each in rows["id"].to_pylist()]
    kept = rows.filter(away)
    if all(name is None for name in kept["cluster_name"].to_pylist()):
        database.drop_table(SAVED)
    elif not all(away):
        database.create_table(SAVED, data=kept, mode="overwrite")


def forget_numbers(database: Any) -> None:
    """Takes the numbers of clusters out of what is saved, because the table is clustered anew."""
    if _has_saved(database):
        database.open_table(SAVED).update(where="cluster IS NOT NULL", values={"cluster": None})


def rename(database: Any, number: int, name: str | None) -> None:
    """Names a cluster among what is saved; None takes the name away.

    Args:
        database: a connection of LanceDB.
        number: of the cluster, as the table has it now.
        name: the new one.
    """
    if _has_saved(database):
        database.open_table(SAVED).update(where=f"cluster = {int(number)}", values={"cluster_name": name})


def _has_saved(database: Any) -> bool:
    return SAVED in database.list_tables(limit=1000).tables
