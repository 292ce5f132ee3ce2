"""Checks the user's ``--where``: one condition in the SQL of LanceDB, which cannot escape its brackets.

What a condition may be made of is in :mod:`kinema.searching.grammar`.
"""

from __future__ import annotations

import re
from typing import Any

from kinema.core.errors import KinemaError, UsageError
from kinema.searching import database, grammar
from kinema.searching.columns import has_codes
from kinema.searching.layout import DOCUMENTS, PAIRS, TRACKLETS, VIDEOS, layout_of

MAX_LENGTH, MAX_DEPTH = 10_000, grammar.MAX_DEPTH
"""Characters of a condition, and nested brackets, at most."""

_INNER = ("vector", "thumbnail", "id", "kind", "facts", "model", "settings", "mtime_ns")
"""Columns that are there for the program, and are not named to a person."""

_EXAMPLE = "For instance: --where \"label = 'walk' AND duration > 2\"."
_TEXT_EXAMPLE = "For instance: --where \"label = 'news' AND words > 20\"."
_TRACKLET_EXAMPLE = "For instance: --where \"camera = '2' AND frames > 8\"."
_PAIR_EXAMPLE = "For instance: --where \"source = 'talk.mp4' AND text LIKE '%bar%'\"."
_EXAMPLES = {VIDEOS: _EXAMPLE, DOCUMENTS: _TEXT_EXAMPLE, TRACKLETS: _TRACKLET_EXAMPLE, PAIRS: _PAIR_EXAMPLE}


def condition(table: Any, where: str | None, kind: str) -> str:
    """A condition for rows of one kind that also satisfy the user's condition.

    Args:
        table: of LanceDB, for its columns.
        where: the user's condition, or None.
        kind: 'window' or 'video', 'passage' or 'document', 'tracklet', 'image' or 'text'.

    Raises:
        UsageError: it is not a valid condition for this table; names the columns.
    """
    own = f"kind = '{kind}'"
    if where is None:
        return own
    _check_text(where)
    # A line of its own, so that a comment at its end does not comment out the bracket.
    joined = f"{own} AND (\n{where}\n)"
    try:
        table.search().where(joined).select(["id"]).limit(1).to_arrow()
    except KinemaError:
        raise
    except Exception as error:
        hidden = (*_INNER, *(["code"] if has_codes(table.schema) else []))
        columns = [name for name in table.schema.names if name not in hidden]
        raise UsageError(
            f'--where "{where[:200]}" cannot be asked of this table: {_without_fields(database.error_text(error))}.',
            f"{_EXAMPLES[layout_of(table)]} The columns are: {', '.join(columns)}.",
        ) from error
    return joined


def _without_fields(text: str) -> str:
    """LanceDB's message without its list of all columns, of which some are for the program alone."""
    return re.sub(r"\.? *Valid fields are .*", "", text)


def _check_text(where: str) -> None:
    """Raises an error for text that would close the brackets around it."""
    option = f'--where "{where[:200].encode("utf-8", "backslashreplace").decode()}"'
    if len(where) > MAX_LENGTH or not where.strip():
        raise UsageError(f"--where has {len(where)} characters; it may have 1 to {MAX_LENGTH}.", _EXAMPLE)
    if "\0" in where or where.encode("utf-8", "replace").decode() != where:
        raise UsageError(f"{option} holds characters that no text has.", _EXAMPLE)
    depth, inside = 0, ""
    for at, letter in enumerate(where):
        if inside:
            inside = "" if letter == inside else inside
        elif letter in "'\"`":
            inside = letter
        elif letter == ";" or where[at : at + 2] in ("--", "/*"):
            raise UsageError(f"{option} is more than one condition: it holds '{where[at : at + 2].strip()}'.", _EXAMPLE)
        else:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if not 0 <= depth <= MAX_DEPTH:
                what = "closes a bracket that it did not open" if depth < 0 else f"nests more than {MAX_DEPTH} brackets"
                raise UsageError(f"{option} {what}.", _EXAMPLE)
    if inside or depth:
        what = f"a quotation mark ({inside})" if inside else "a bracket"
        raise UsageError(f"{option} leaves {what} open.", _EXAMPLE)
    try:
        grammar.check(where)
    except grammar.GrammarError as error:
        raise UsageError(f"{option} {error}.", _EXAMPLE) from error
