"""The report for the terminal, and its rows for a program."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from kinema.reporting.report import Report, Row, blocks
from kinema.reporting.wording import DASH, SPACE, metric_name, natural, percent, short_name, view_name


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


def table(report: Report) -> Table:
    """The retrieval results as a table; those under another preset or on other data stand below, under a head."""
    told = Table(
        box=box.SIMPLE,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="",
        pad_edge=False,
    )
    told.title, told.caption = escape(report.headline.short), escape(report.headline.sentence)
    measured = blocks(report.retrieval())
    if not measured:
        told.add_column("not evaluated")
        for note in report.headline.notes:
            told.add_row(escape(note))
        return told
    metrics = sorted({name for block in measured for row in block for name in row.main.metrics}, key=natural)
    columns = [("encoder", "left"), *((f"{metric_name(name)} %", "right") for name in metrics), ("95\u00a0%", "right")]
    every = [row for block in measured for row in block]
    several = (
        len({row.view for row in every}) > 1,
        len({(row.settings, row.encoder, row.view) for row in every}) < len(every),
    )
    columns += [("view", "left")] if several[0] else []
    for name, justify in columns:
        words = name in ("encoder", "view")
        told.add_column(name, justify="right" if justify == "right" else "left", no_wrap=not words, overflow="fold")
        told.columns[-1].min_width = {"encoder": 9, "view": 7}.get(name)
    if several[1]:
        told.add_column("run", overflow="fold")
    for block in measured:
        if len(measured) > 1:
            told.add_section()
            told.add_row(f"[italic]{escape(_head(block[0]))}[/]")
        for row in block:
            told.add_row(*_cells(row, metrics, several, row.encoder == report.headline.candidate))
    return told


def _head(row: Row) -> str:
    return f"preset {row.preset}, {row.main.data}" if row.preset else row.main.data


def _cells(row: Row, metrics: list[str], several: tuple[bool, bool], bold: bool) -> list[str]:
    interval = row.main.interval
    values = [percent(row.main.metrics.get(name)).removesuffix(f"{SPACE}%") for name in metrics]
    bounds = f"{100 * interval[0]:.1f}{DASH}{100 * interval[1]:.1f}" if interval else DASH
    cells = [short_name(row.encoder), *values, bounds]
    cells += [view_name(row.view)] if several[0] else []
    cells += [", ".join(row.runs)] if several[1] else []
    return [f"[bold]{escape(cell)}[/]" if bold else escape(cell) for cell in cells]
