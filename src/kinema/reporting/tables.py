"""The measured figures as tables, a line a recipe. What was measured under other settings stands in other tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kinema.core.plurals import counted
from kinema.core.protocol import Metric, Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.charts import Bar, interval_bar
from kinema.reporting.pooled import Group, Pooled, main_selection
from kinema.reporting.report import Report, blocks
from kinema.reporting.supervised import over_reference
from kinema.reporting.wording import (
    DASH,
    difference_bounds,
    figure_bounds,
    metric_value,
    metric_with_spread,
    natural,
    signed_difference,
    source,
    view_name,
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table of results.

    Args:
        text: what is written.
        small: what is written below it.
        kind: its classes in page.css.
        title: what is shown on hover.
        bar: a drawing of the figure and its interval.
    """

    text: str
    small: str = ""
    kind: str = ""
    title: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class Table:
    """The results under one setting of one protocol.

    Args:
        protocol: that measured them.
        preset: its settings.
        heads: of the columns, the encoder's first.
        lines: the groups, and the cells of each beside the encoder's.
        caption: what the figures were measured on.
    """

    protocol: Protocol[Any]
    preset: str
    heads: tuple[str, ...]
    lines: tuple[tuple[Group, tuple[Cell, ...]], ...]
    caption: str


Column = tuple[str, Callable[[Group], Cell]]


def results(report: Report) -> tuple[Table, ...]:
    """The tables, one for each setting of each protocol."""
    return tuple(_table(block, report) for block in blocks(report.groups))


def _table(block: Sequence[Group], report: Report) -> Table:
    columns = _columns(block, report)
    return Table(
        report.vocabulary.protocol(block[0].protocol),
        block[0].preset,
        ("Encoder", *(head for head, _ in columns)),
        tuple((group, tuple(cell(group) for _, cell in columns)) for group in block),
        _caption(block),
    )


def _columns(block: Sequence[Group], report: Report) -> list[Column]:
    """The main selection's metrics; the first metric of every further selection; where groups differ, whence."""
    main = main_selection(block)
    vocabulary, protocol = report.vocabulary, block[0].protocol
    metrics = metric_order(block, vocabulary) or [vocabulary.protocol(protocol).main]
    first = metrics[0]
    written = {name: vocabulary.metric(name, protocol) for name in metrics}
    others = list(dict.fromkeys(f.selection for group in block for f in group.figures if f.selection != main))
    columns: list[Column] = []
    if len({group.view for group in block}) > 1:
        columns.append(("View", lambda group: Cell(view_name(group.view))))
    head = written[first].title
    columns.append((head, lambda group: _value(group, main, first, written[first], "number main")))
    held = [f for group in block if (f := group.at(main))]
    if first == vocabulary.main(protocol, metrics) and any(f.interval for f in held):
        top = min(1.0, max(0.1, *(bound for f in held for bound in _reach(f, first))))
        columns.append(("95 % interval", lambda group: _interval(group.at(main), first, written[first], top)))
    if any(over_reference(group, block, main, report.runs, report.rows, vocabulary) for group in block):
        columns.append(("Over supervised at equal labels", lambda group: _over(group, block, main, report)))
    columns += [_column(written[name].title, main, name, written[name]) for name in metrics[1:]]
    columns += [_column(f"{head}, {_selection(name)}", name, first, written[first]) for name in others]
    if len({seed for group in block for seed in group.seeds}) > 1:
        columns.append(("Seeds", _seeds))
    if len({group.commits for group in block}) > 1:
        columns.append(("Made by", lambda group: Cell(source(group.commits) or DASH, kind="small")))
    if len({group.runs for group in block}) > 1:
        columns.append(("Run", lambda group: Cell(", ".join(group.runs), kind="long small")))
    return columns


def _column(head: str, selection: str, name: str, metric: Metric) -> Column:
    return head, lambda group: _value(group, selection, name, metric)


def metric_order(block: Sequence[Group], vocabulary: Vocabulary) -> list[str]:
    """The metrics of a table: as its protocol lists them, then by name."""
    protocol = vocabulary.protocol(block[0].protocol)
    names = {name for group in block for figure in group.figures for name in figure.metrics}
    return sorted(names, key=lambda name: (protocol.place(name), natural(name)))


def _caption(block: Sequence[Group]) -> str:
    """What the table's figures were measured on, as far as all agree; columns have the rest."""
    group, main = block[0], main_selection(block)
    basis = "; ".join(dict.fromkeys(f"{f.data}: {_counts(f)}" for g in block if (f := g.at(main))))
    labelled = sorted({f.labelled for g in block if (f := g.at(main)) and f.labelled is not None})
    several = " or ".join(f"{number:,}" for number in labelled[:-1]) + " or " if len(labelled) > 1 else ""
    basis += f", {several}{counted(labelled[-1], 'labelled videos')}" if labelled else ""
    settings = [f"Protocol {group.protocol}", f"preset {group.preset or DASH}"]
    settings += [group.windows] if group.windows else []
    settings += [view_name(group.view)] if len({g.view for g in block}) == 1 else []
    seeds, commits = {seed for g in block for seed in g.seeds}, {commit for g in block for commit in g.commits}
    settings += [f"seed {seed}" for seed in seeds] if len(seeds) == 1 else []
    settings += [source(commits)] if len(commits) == 1 and source(commits) else []
    queries = f" Queries: {_selection(main)}, where the column does not name others." if main else ""
    return f"{basis}.{queries} {', '.join(settings)}; manifest {group.digest[:12]}."


def _counts(figure: Pooled) -> str:
    queries = counted(figure.queries, "queries")
    return f"{queries} against {figure.gallery:,}" if figure.gallery else queries


def _selection(name: str) -> str:
    key, equals, value = name.partition("=")
    return f"{value} {key}" if equals and "=" not in value and "," not in value else name or "all queries"


def _seeds(group: Group) -> Cell:
    """The seed, or how many and which."""
    numbers = ", ".join(map(str, group.seeds))
    return Cell(str(len(group.seeds)), numbers, "number") if len(group.seeds) > 1 else Cell(numbers, kind="number")


def _value(group: Group, selection: str, name: str, metric: Metric, kind: str = "number") -> Cell:
    """One figure; what it was measured on, and each seed's, are shown on hover."""
    figure = group.at(selection)
    if figure is None:
        return Cell(DASH, kind=kind)
    each = zip(figure.seeds, figure.each.get(name, ()), strict=False)
    seeds = "; ".join(f"seed {seed}: {metric_value(metric, value)}" for seed, value in each)
    whence = f"{seeds}; " if len(figure.seeds) > 1 else ""
    whence += f"{group.protocol}, preset {group.preset or DASH}, {figure.data}, {figure.selection or 'all queries'}, "
    whence += f"seed {figure.seeds[0]}, " if len(figure.seeds) == 1 else ""
    whence += f"{source(group.commits)}{source(group.commits) and ', '}{_counts(figure)}"
    text = metric_with_spread(metric, figure.metrics.get(name), figure.deviation.get(name))
    return Cell(text, kind=kind, title=whence)


def _reach(figure: Pooled, name: str) -> list[float]:
    """How far a bar, its whisker and its dots reach."""
    known = [figure.metrics.get(name), *figure.each.get(name, ()), *(figure.interval or ())]
    return [value for value in known if value is not None]


def _interval(figure: Pooled | None, name: str, metric: Metric, top: float) -> Cell:
    value = None if figure is None else figure.metrics.get(name)
    if figure is None or value is None:
        return Cell(DASH)
    low_high = figure.interval
    bounds = figure_bounds(metric, *low_high) + (" %" if metric.share else "") if low_high else "no interval"
    bar = interval_bar(value, low_high, figure.chance, top, figure.each.get(name, ()))
    return Cell("", bounds, "bars", bar=bar)


def _over(group: Group, block: Sequence[Group], selection: str, report: Report) -> Cell:
    """How far an encoder is ahead of the supervised reference, with the interval of the difference."""
    difference = over_reference(group, block, selection, report.runs, report.rows, report.vocabulary)
    if difference is None:
        return Cell(DASH, kind="number")
    verdict = "more than the noise" if difference.larger else "within the noise"
    metric = report.vocabulary.metric(report.vocabulary.protocol(group.protocol).main, group.protocol)
    bounds = f"{difference_bounds(metric, *difference.lead_bounds)}; {verdict}"
    text = signed_difference(metric, difference.lead) + (" points" if metric.share else "")
    return Cell(text, bounds, "over", f"95 % interval of the lead, {difference.how}")
