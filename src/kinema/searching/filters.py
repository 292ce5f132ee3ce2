"""Checks the user's ``--where`` for a table, and makes it SQL for LanceDB, which cannot escape its brackets.

What a condition may be made of is in :mod:`kinema.core.conditions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from kinema.core.conditions import CONDITION, MAX_DEPTH, MAX_LENGTH, check, check_kinds, chosen, example
from kinema.core.errors import KinemaError, UsageError
from kinema.searching import database
from kinema.searching.columns import has_codes

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "condition"]

INNER = ("id", "kind", "facts", "model", "settings", "mtime_ns")
"""Columns that are there for the program, and are not named to a person."""


def condition(table: Any, where: str | Mapping[str, str] | None, kind: str) -> str:
    """A condition for rows of one kind that also satisfy the user's condition.

    Args:
        table: of LanceDB, for its columns.
        where: the user's condition, KEY=VALUE, or both as :func:`kinema.core.conditions.chosen` gives them; or None.
        kind: 'window' or 'video', 'passage' or 'document', 'tracklet', 'image' or 'text'.

    Raises:
        UsageError: it is not a valid condition for this table; names the columns.
    """
    own = f"kind = '{kind}'"
    if where is None:
        return own
    asked = chosen([where], "--where") if isinstance(where, str) else where
    node = check(asked[CONDITION]) if CONDITION in asked else None
    hidden = ("vector", "thumbnail", *(["code"] if has_codes(table.schema) else []))
    kinds = {field.name: _kind(field.type) for field in table.schema if field.name not in hidden}
    if node is not None:
        check_kinds(node, kinds, f'--where "{asked[CONDITION][:200]}"', INNER)
    user = " AND ".join(
        f"(\n{value}\n)" if key == CONDITION else _equal(key, value, kinds) for key, value in asked.items()
    )
    # A line of its own, so that a comment at its end does not comment out the bracket.
    joined = f"{own} AND (\n{user}\n)"
    try:
        table.search().where(joined).select(["id"]).limit(1).to_arrow()
    except KinemaError:
        raise
    except Exception as error:
        columns = [name for name in kinds if name not in INNER]
        raise UsageError(
            f'--where "{user[:200]}" cannot be asked of this table: {_without_fields(database.error_text(error))}.',
            f"{example()} The columns are: {', '.join(columns)}.",
        ) from error
    return joined


def _without_fields(text: str) -> str:
    """LanceDB's message without its list of all columns, of which some are for the program alone."""
    return re.sub(r"\.? *Valid fields are .*", "", text)


def _kind(held: pa.DataType) -> str:
    """What a column holds, as a condition's check names it."""
    if pa.types.is_string(held) or pa.types.is_large_string(held):
        return "text"
    if pa.types.is_integer(held) or pa.types.is_floating(held):
        return "number"
    return "truth" if pa.types.is_boolean(held) else "any"


def _equal(key: str, value: str, kinds: Mapping[str, str]) -> str:
    """KEY=VALUE as a condition: a text, or a number where the column holds numbers.

    Raises:
        UsageError: there is no such column, or it holds numbers and the value is none.
    """
    quoted = "'" + value.replace("'", "''") + "'"
    name = "`" + key.replace("`", "``") + "`"
    written = f"{name} = {value if kinds.get(key) in ('number', 'truth') else quoted}"
    check_kinds(check(written), kinds, f'--where "{key}={value}"', INNER)
    return written
