"""The report for the terminal, and its rows for a program."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kinema.reporting.pooled import Group
from kinema.reporting.report import Report, blocks
from kinema.reporting.wording import DASH, SPACE, metric_name, metric_with_spread, natural, short_name, view_name


def rows(report: Report) -> list[dict[str, Any]]:
    """The retrieval results, one row for each encoder, view, run and preset; metrics are fractions of 1 or None.

    ``metrics`` are those of the main selection of queries, ``selections`` those of all.
    """
    return [
        {
            "encoder": row.encoder,
            "view": row.view,
            "metrics": dict(row.main.metrics),
            "selection": row.main.selection,
            "interval": list(row.main.interval) if row.main.interval else None,
            "selections": {figure.selection: dict(figure.metrics) for figure in row.figures},
            "protocol": row.protocol,
            "preset": row.preset,
            "data": row.main.data,
            "run": row.runs[0],
            "runs": list(row.runs),
            "seed": row.seed,
            "commit": row.commit,
        }
        for row in report.retrieval()
    ]


def recipes(report: Report) -> list[dict[str, Any]]:
    """Everything that was measured, one row a recipe under one protocol and preset, over its seeds.

    ``metrics`` are the means on the main selection of queries, ``deviation`` their standard deviations over the seeds
    (None of a single one), ``each`` every seed's figures in the order of ``seeds``; ``interval`` is over queries and
    seeds.
    """
    return [
        {
            "protocol": group.protocol,
            "preset": group.preset,
            "encoder": group.encoder,
            "variant": group.variant,
            "view": group.view,
            "seeds": list(group.main.seeds),
            "runs": list(group.runs),
            "metrics": dict(group.main.metrics),
            "deviation": dict(group.main.deviation),
            "each": {name: list(values) for name, values in group.main.each.items()},
            "interval": list(group.main.interval) if group.main.interval else None,
            "selection": group.main.selection,
            "data": group.main.data,
            "labelled": group.main.labelled,
        }
        for group in report.groups
    ]


NARROW = 3
"""Metrics that a terminal of eighty columns has room for beside views and seeds; the page has them all."""


def words(report: Report) -> Text:
    """What the figures say, and which encoder to keep."""
    said = (report.headline.sentence, report.advice.sentence)
    return Text("\n".join(text for text in said if text))


def table(report: Report) -> Table:
    """The retrieval results as a table, a line a recipe; other presets and other data stand below, under a head."""
    told = Table(
        box=box.SIMPLE,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    told.title = escape(report.headline.short)
    measured = blocks([group for group in report.groups if group.protocol == "retrieval"])
    if not measured:
        told.add_column("not evaluated")
        for note in report.headline.notes:
            told.add_row(escape(note))
        return told
    every = [group for block in measured for group in block]
    metrics = sorted({name for group in every for name in group.main.metrics}, key=natural)
    several = (
        len({group.view for group in every}) > 1,
        any(len(group.seeds) > 1 for group in every),
        len({(group.settings, group.encoder, group.view) for group in every}) < len(every),
    )
    if several[0] and several[1]:
        del metrics[NARROW:]
    columns = [("encoder", "left"), *((f"{metric_name(name)} %", "right") for name in metrics), ("95\u00a0%", "right")]
    columns += [("view", "left")] if several[0] else []
    columns += [("seeds", "right")] if several[1] else []
    for name, justify in columns:
        words = name in ("encoder", "view")
        told.add_column(name, justify="right" if justify == "right" else "left", no_wrap=not words, overflow="fold")
        told.columns[-1].min_width = {"encoder": 9, "view": 7}.get(name)
    if several[2]:
        told.add_column("run", overflow="fold")
    for block in measured:
        if len(measured) > 1:
            told.add_section()
            told.add_row(f"[italic]{escape(_head(block[0]))}[/]")
        for group in block:
            told.add_row(*_cells(group, metrics, several, group.encoder == report.headline.candidate))
    return told


def _head(group: Group) -> str:
    return f"preset {group.preset}, {group.main.data}" if group.preset else group.main.data


def _cells(group: Group, metrics: list[str], several: tuple[bool, bool, bool], bold: bool) -> list[str]:
    """One line's cells; of several seeds the first metric has its spread, for which the others have no room."""
    figure = group.main
    spread = {name: figure.deviation.get(name) if name == metrics[0] else None for name in metrics}
    values = [metric_with_spread(name, figure.metrics.get(name), spread[name]) for name in metrics]
    values = [value.removesuffix(f"{SPACE}%").replace(SPACE, " ") for value in values]
    low_high = figure.interval
    bounds = f"{100 * low_high[0]:.1f}{DASH}{100 * low_high[1]:.1f}" if low_high else DASH
    cells = [short_name(group.encoder), *values, bounds]
    cells += [view_name(group.view)] if several[0] else []
    cells += [str(len(group.seeds))] if several[1] else []
    cells += [", ".join(group.runs)] if several[2] else []
    return [f"[bold]{escape(cell)}[/]" if bold else escape(cell) for cell in cells]
