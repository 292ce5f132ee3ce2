"""The report as Markdown: the answer and the tables, for an issue, a wiki or a paper's notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinema.core.files import write_text
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report, blocks
from kinema.reporting.supervised import over_reference
from kinema.reporting.tables import metric_order
from kinema.reporting.wording import (
    DASH,
    HOW_COMPARED,
    encoder_name,
    metric_name,
    metric_value,
    metric_with_spread,
    percent,
    protocol_heading,
    seeds_told,
    signed_points,
    view_name,
)


def markdown(report: Report) -> str:
    """The answer, what one must know beside it, and one table for each setting in which figures were measured."""
    told = report.headline
    parts = [f"# {_text(report.title)}", f"**{_text(told.short)}.** {_text(told.sentence)}"]
    parts += [_text(told.basis)] if told.basis else []
    parts += ["\n".join(f"- {_text(note)}" for note in told.notes)] if told.notes else []
    parts += [advice] if (advice := _advice(report)) else []
    parts += [_table(block, report) for block in blocks(report.groups)]
    parts.append(f"Made by kinema {report.version} on {report.made}.")
    return "\n\n".join(parts) + "\n"


def write_markdown(report: Report, path: Path) -> None:
    """Writes the report as Markdown, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, markdown(report))


def _advice(report: Report) -> str:
    """Which encoder to keep, why, and what to do next."""
    told = report.advice
    if not told.sentence:
        return ""
    parts = ["## Which one should I keep?", _text(told.sentence), HOW_COMPARED, _list(told.lines)]
    parts += ["Next:", _list(told.steps)] if told.steps else []
    return "\n\n".join(part for part in parts if part)


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {_text(item)}" for item in items)


def _table(block: Sequence[Group], report: Report) -> str:
    """A line a recipe and selection of queries; of several seeds the mean, and each seed's figures below."""
    metrics = sorted({name for group in block for figure in group.figures for name in figure.metrics}, key=metric_order)
    first = block[0]
    over = any(over_reference(g, block, g.main.selection, report.runs, report.rows) for g in block)
    head = ["Encoder", "View", "Queries", *(metric_name(name) for name in metrics), "95 % interval"]
    head += ["Over supervised at equal labels"] * over + ["Seeds"]
    lines = [_line(head), _line(["---"] * len(head))]
    for group in block:
        for figure in group.figures:
            low, high = figure.interval or (None, None)
            interval = DASH if figure.interval is None else f"{percent(low)} to {percent(high)}"
            cells = [_name(group), view_name(group.view), f"{figure.selection or 'all'}: {figure.queries:,}"]
            cells += [metric_with_spread(m, figure.metrics.get(m), figure.deviation.get(m)) for m in metrics]
            cells += [interval, *([_over(group, block, figure.selection, report)] * over), seeds_told(figure.seeds)]
            lines.append(_line(cells))
    seeds = _list([told for group in block if (told := _seeds(group, metrics[0] if metrics else ""))])
    commits = ", ".join(sorted({commit for group in block for commit in group.commits}))
    whence = f"Manifest {first.digest[:12]}; {first.windows + '; ' if first.windows else ''}commit {commits}."
    heading = f"## {protocol_heading(first.protocol, first.preset)}"
    return "\n\n".join(part for part in (heading, "\n".join(lines), seeds, _text(whence)) if part)


def _name(group: Group) -> str:
    return encoder_name(group.encoder, group.protocol) + (f" ({group.variant})" if group.variant else "")


def _over(group: Group, block: Sequence[Group], selection: str, report: Report) -> str:
    difference = over_reference(group, block, selection, report.runs, report.rows)
    return DASH if difference is None else signed_points(difference.low, difference.high)


def _seeds(group: Group, metric: str) -> str:
    """Each seed's main figure; nothing where there is one seed."""
    figure = group.main
    if len(figure.seeds) < 2:
        return ""
    each = zip(figure.seeds, figure.each.get(metric, ()), strict=False)
    told = "; ".join(f"seed {seed}: {metric_value(metric, value)}" for seed, value in each)
    return f"{_name(group)}, {view_name(group.view)}, {metric_name(metric)}: {told}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _text(text: str) -> str:
    """Text of others that neither breaks a line nor becomes markup."""
    plain = " ".join(text.replace("\u00a0", " ").split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#" else c for c in plain)
