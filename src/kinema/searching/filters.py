"""What a user may write after ``--where``: one condition in the SQL of LanceDB, and nothing that ends or escapes it."""

from __future__ import annotations

from typing import Any

from kinema.core.errors import KinemaError, UsageError
from kinema.searching import place
from kinema.searching.layout import VIDEOS, layout_of

LONGEST, DEEPEST = 10_000, 50
"""Characters of a condition, and brackets within brackets."""

_EXAMPLE = "For instance: --where \"label = 'walk' AND duration > 2\"."
_TEXT_EXAMPLE = "For instance: --where \"label = 'news' AND words > 20\"."


def condition(table: Any, where: str | None, kind: str) -> str:
    """The condition for rows of one kind that satisfy the user's.

    Args:
        table: of LanceDB, for its columns.
        where: the user's condition, or None.
        kind: 'window' or 'video', 'passage' or 'document'.

    Raises:
        UsageError: it is no condition, or not on this table; names the columns.
    """
    own = f"kind = '{kind}'"
    if where is None:
        return own
    _check_text(where)
    # A line of its own, so that whatever follows the condition is inside the brackets and no condition.
    joined = f"{own} AND (\n{where}\n)"
    try:
        table.search().where(joined).select(["id"]).limit(1).to_arrow()
    except KinemaError:
        raise
    except Exception as error:
        columns = [name for name in table.schema.names if name not in ("vector", "thumbnail")]
        raise UsageError(
            f'--where "{where[:200]}" cannot be asked of this table: {place.plain(error)}.',
            f"{_EXAMPLE if layout_of(table) == VIDEOS else _TEXT_EXAMPLE} The columns are: {', '.join(columns)}.",
        ) from error
    return joined


def _check_text(where: str) -> None:
    """Refuses what would leave the brackets that the condition is put in."""
    said = f'--where "{where[:200].encode("utf-8", "backslashreplace").decode()}"'
    if len(where) > LONGEST or not where.strip():
        raise UsageError(f"--where has {len(where)} characters; it may have 1 to {LONGEST}.", _EXAMPLE)
    if "\0" in where or where.encode("utf-8", "replace").decode() != where:
        raise UsageError(f"{said} holds characters that no text has.", _EXAMPLE)
    depth, inside = 0, ""
    for at, letter in enumerate(where):
        if inside:
            inside = "" if letter == inside else inside
        elif letter in "'\"`":
            inside = letter
        elif letter == ";" or where[at : at + 2] in ("--", "/*"):
            raise UsageError(f"{said} is more than one condition: it holds '{where[at : at + 2].strip()}'.", _EXAMPLE)
        else:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if not 0 <= depth <= DEEPEST:
                what = "closes a bracket that it did not open" if depth < 0 else f"nests more than {DEEPEST} brackets"
                raise UsageError(f"{said} {what}.", _EXAMPLE)
    if inside or depth:
        what = f"a quotation mark ({inside})" if inside else "a bracket"
        raise UsageError(f"{said} leaves {what} open.", _EXAMPLE)
