"""What was read, as plain values and as a table that a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.text import Text

from kinema.core.printing import Table
from kinema.data.documents.table import HEALTHS, Document, Documents

_FIRST = 20
_QUANTILES = {"least": 0.0, "tenth": 0.1, "median": 0.5, "nine_tenths": 0.9, "most": 1.0}


def documents_json(table: Documents, seconds: float) -> dict[str, Any]:
    """The reading as one JSON object.

    Args:
        table: what was read.
        seconds: how long it took.

    Returns:
        ``documents`` and the counts of each health; ``problems``, for each health but 'ok' its ``count`` and the
        ``first`` twenty with id and reason; ``words`` and ``characters`` of the usable documents, in all and as
        quantiles (least, tenth, median, nine_tenths, most); ``labels`` and ``splits`` with their counts; the number of
        ``sources``; ``encoding``, ``digest`` and ``seconds``.
    """
    usable = table.usable().rows
    return {
        "documents": len(table),
        **_counts(table),
        "problems": {
            health: {"count": len(rows), "first": [{"id": row.id, "reason": row.reason} for row in rows[:_FIRST]]}
            for health, rows in _problems(table).items()
        },
        "words": _quantiles([row.words for row in usable]),
        "characters": _quantiles([row.characters for row in usable]),
        "labels": dict(Counter(row.label for row in usable if row.label is not None).most_common()),
        "splits": dict(Counter(row.split for row in usable if row.split is not None).most_common()),
        "sources": len({row.source for row in usable}),
        "encoding": table.encoding,
        "digest": table.digest,
        "seconds": seconds,
    }


def documents_table(table: Documents, first: int = _FIRST) -> Group:
    """A summary, and below it the documents that cannot be used, each with its reason.

    Args:
        table: what was read.
        first: how many of those are listed.
    """
    usable = table.usable().rows
    summary = Table(title=Text(f"{len(table)} documents in {table.root}"), title_justify="left", show_header=False)
    summary.add_row("health", ", ".join(f"{count} {name}" for name, count in _counts(table).items() if count) or "none")
    for name, values in (("words", [row.words for row in usable]), ("characters", [row.characters for row in usable])):
        if values:
            low, middle, high = (int(value) for value in np.quantile(values, (0, 0.5, 1), method="lower"))
            shape = f"{low:,} to {high:,} a document, the median {middle:,}"
            summary.add_row(name, f"{sum(values):,} in all, {shape}")
    summary.add_row("sources", f"{len({row.source for row in usable}):,}")
    labels = Counter(row.label for row in usable if row.label is not None)
    summary.add_row("classes", Text(_named(labels)))
    summary.add_row("splits", Text(_named(Counter(row.split for row in usable if row.split is not None))))
    broken = [row for rows in _problems(table).values() for row in rows]
    if not broken:
        return Group(summary)
    listed = Table("document", "health", "reason", title="Left out", title_justify="left")
    for row in broken[:first]:
        listed.add_row(Text(row.id), row.health, Text(row.reason))
    if len(broken) > first:
        listed.caption = f"and {len(broken) - first} more; -o TABLE writes all of them"
    return Group(summary, listed)


def _counts(table: Documents) -> dict[str, int]:
    found = Counter(row.health for row in table.rows)
    return {health: found.get(health, 0) for health in HEALTHS}  # type: ignore[call-overload]


def _problems(table: Documents) -> dict[str, list[Document]]:
    """The documents of each health but 'ok' of which there are any, the worst first."""
    grouped = {health: [row for row in table.rows if row.health == health] for health in reversed(HEALTHS[1:])}
    return {health: rows for health, rows in grouped.items() if rows}


def _quantiles(values: Sequence[int]) -> dict[str, int]:
    if not values:
        return {"total": 0}
    found = np.quantile(values, list(_QUANTILES.values()), method="lower")
    return {"total": sum(values), **{name: int(value) for name, value in zip(_QUANTILES, found, strict=True)}}


def _named(values: Counter[str], most: int = 6) -> str:
    named = ", ".join(f"{name} ({count})" for name, count in values.most_common(most))
    return named + (f" and {len(values) - most} others" if len(values) > most else "") if named else "none"
