"""The record of a measurement."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_SURE = ("interval", "chance")
"""Details of a result that say how sure its main figure is."""


@dataclass(frozen=True, repr=False)
class Result:
    """The outcome of one protocol: figures never travel without what they were measured on.

    Args:
        protocol: 'retrieval', 'knn', 'linear', 'few-label', 'mining', 'cross-modal'.
        preset: the named settings of the protocol, for instance 'coclr', 'k20-t0.07' or '10%'.
        metrics: named figures, fractions of 1, but for ranks ('median_rank').
        encoder: what was measured: 'random', 'infonce', 'coclr', 'cpr', or a method's name.
        view: the view that the encoder sees; of two that are compared, 'rgb to motion' where the first is the query.
        data: the data set as the user named it, with the selection of queries and gallery.
        digest: the manifest's digest.
        queries: how many queries there were.
        gallery: how many items they were ranked against, or trained on.
        seed: the run's seed.
        commit: the version of kinema's source, or its release where there is no repository.
        seconds: how long it took.
        details: what the page shows beside the figures (per-class figures, neighbours, settings).
    """

    protocol: str
    preset: str
    metrics: Mapping[str, float]
    encoder: str
    view: str
    data: str
    digest: str
    queries: int
    gallery: int
    seed: int
    commit: str
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selection(self) -> str:
        """Which of the data were queries and gallery; empty where there is but one way."""
        return str(self.details.get("selection", ""))

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={_figure(value)}" for name, value in self.metrics.items())
        return f"Result({self.protocol!r}, {self.preset!r}, {self.encoder!r}, view={self.view!r}, {figures})"

    def __str__(self) -> str:
        return str(Results([self]))

    def _repr_html_(self) -> str:
        return Results([self])._repr_html_()


class Results(list[Result]):
    """What ``kinema.evaluate`` gives: a list of results, shown as one short table, in a notebook as HTML."""

    def __str__(self) -> str:
        rows = _rows(self)
        if not rows:
            return "no results"
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)

    __repr__ = __str__

    def __add__(self, more: list[Any]) -> Results:  # type: ignore[override]
        return Results([*self, *more])

    def _repr_html_(self) -> str:
        if not self:
            return "no results"
        head, *rows = ([html.escape(cell) for cell in row] for row in _rows(self))
        top = "".join(f"<th>{cell}</th>" for cell in head)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _rows(results: Sequence[Result]) -> list[list[str]]:
    """A table of results, its head first: what was measured, and every figure that one of them has."""
    names = list(dict.fromkeys(name for result in results for name in result.metrics))
    sure = [name for name in _SURE if any(name in result.details for result in results)]
    said = any(result.selection for result in results)
    head = ["encoder", "view", "protocol", *(["selection"] if said else []), *names, *sure]
    rows = [head] if results else []
    for result in results:
        row = [result.encoder, result.view, f"{result.protocol} ({result.preset})"]
        row += [result.selection] if said else []
        row += [_figure(result.metrics[name]) if name in result.metrics else "" for name in names]
        rows.append(row + [_sure(result.details.get(name)) for name in sure])
    return rows


def _sure(value: Any) -> str:
    """How sure a figure is: an interval, or what chance would have."""
    if isinstance(value, float):
        return _figure(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"{_figure(value[0])} to {_figure(value[1])}"
    return ""


def _figure(value: float) -> str:
    return f"{value:.3f}"
