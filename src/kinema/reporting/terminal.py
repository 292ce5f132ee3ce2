"""The report for the terminal, and its rows for a program."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.text import Text

from kinema.core.printing import Table, plain
from kinema.core.protocol import Metric
from kinema.reporting.paired import HEADING, paired
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report, blocks
from kinema.reporting.tables import metric_order
from kinema.reporting.wording import DASH, SPACE, commit_of, figure_bounds, metric_with_spread, view_name


def rows(report: Report) -> list[dict[str, Any]]:
    """The results of the headline's protocol, one row for each encoder, view, run and preset.

    ``metrics`` are those of the main selection of queries, ``selections`` those of all; an unknown one is None, and so
    is ``commit`` where a release of kinema measured.
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
            "commit": commit_of(row.commit) or None,
        }
        for row in report.leading_rows()
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
    sentences = (report.headline.sentence, report.advice.sentence)
    return Text("\n".join(text for text in sentences if text))


def differences(report: Report) -> Table | None:
    """The differences in the headline's view and by its protocol, seed by seed; None where there are none.

    What the page says of each seed, of other views and of further selections of queries has no room here.
    """
    view = report.headline.view
    tables = [
        (table, lines)
        for table in paired(report).tables
        if report.leading
        and table.protocol == report.leading.name
        and (lines := [line for line in table.lines if line.views == (view, view)])
    ]
    if not tables:
        return None
    drawn = Table(box=box.SIMPLE, title_justify="left", title_style="bold", pad_edge=False, title=HEADING)
    for name in ("encoder", "against"):
        drawn.add_column(name, overflow="fold", min_width=9)
    drawn.add_column(tables[0][0].heads[2], justify="right")
    drawn.add_column("95\u00a0%", justify="right", no_wrap=True)
    drawn.add_column("seeds", justify="right", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    for table, lines in tables:
        if len(tables) > 1:
            drawn.add_section()
            drawn.add_row(plain(table.title, "italic"))
        for line in lines:
            names = [name.replace(f" on {view_name(view)}", "") for name in (line.encoder, line.against)]
            cells = [*names, line.value, line.interval, str(len(line.each)), line.verdict]
            drawn.add_row(*(plain(cell) for cell in cells))
    return drawn


def table(report: Report) -> Table:
    """The results of the headline's protocol as a table, a line a recipe.

    Other presets and other data stand below, under a head.
    """
    drawn = Table(
        box=box.SIMPLE,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    drawn.title = report.headline.short
    leading = report.leading
    measured = blocks([group for group in report.groups if leading and group.protocol == leading.name])
    if leading is None or not measured:
        drawn.add_column(report.headline.verdict)
        for note in report.headline.notes:
            drawn.add_row(note)
        return drawn
    every = [group for block in measured for group in block]
    metrics = {name: report.vocabulary.metric(name, leading.name) for name in metric_order(every, report.vocabulary)}
    several = (
        len({group.view for group in every}) > 1,
        any(len(group.seeds) > 1 for group in every),
        len({(group.settings, group.encoder, group.view) for group in every}) < len(every),
    )
    if several[0] and several[1]:
        metrics = dict(list(metrics.items())[:NARROW])
    elif leading.floors and len(metrics) > 2 * NARROW:
        kept = [*list(metrics)[:NARROW], *list(leading.floors)[:1]]
        metrics = {name: metrics[name] for name in kept if name in metrics}
    heads = [metric.title + (" %" if metric.share else "") for metric in metrics.values()]
    columns = [("encoder", "left"), *((head, "right") for head in heads), ("95\u00a0%", "right")]
    columns += [("view", "left")] if several[0] else []
    columns += [("seeds", "right")] if several[1] else []
    for name, justify in columns:
        words = name in ("encoder", "view")
        drawn.add_column(name, justify="right" if justify == "right" else "left", no_wrap=not words, overflow="fold")
        drawn.columns[-1].min_width = {"encoder": 9, "view": 7}.get(name)
    if several[2]:
        drawn.add_column("run", overflow="fold")
    for block in measured:
        if len(measured) > 1:
            drawn.add_section()
            drawn.add_row(plain(_head(block[0]), "italic"))
        for group in block:
            drawn.add_row(*_cells(group, metrics, several, report))
    return drawn


def _head(group: Group) -> str:
    return f"preset {group.preset}, {group.main.data}" if group.preset else group.main.data


def _cells(group: Group, metrics: dict[str, Metric], several: tuple[bool, bool, bool], report: Report) -> list[Text]:
    """One line's cells; of several seeds the first metric has its spread, for which the others have no room."""
    figure = group.main
    first, bold = next(iter(metrics), ""), group.encoder == report.headline.candidate
    values = [
        metric_with_spread(metric, figure.metrics.get(name), figure.deviation.get(name) if name == first else None)
        for name, metric in metrics.items()
    ]
    values = [value.removesuffix(f"{SPACE}%").replace(SPACE, " ") for value in values]
    low_high = figure.interval
    main = report.vocabulary.metric(report.vocabulary.protocol(group.protocol).main, group.protocol)
    bounds = figure_bounds(main, *low_high) if low_high else DASH
    cells = [report.vocabulary.short(group.encoder), *values, bounds]
    cells += [view_name(group.view)] if several[0] else []
    cells += [str(len(group.seeds))] if several[1] else []
    cells += [", ".join(group.runs)] if several[2] else []
    return [plain(cell, "bold" if bold else "") for cell in cells]
