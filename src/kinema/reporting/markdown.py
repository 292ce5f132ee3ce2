"""The report as Markdown: the answer and the tables, for an issue, a wiki or a paper's notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinema.core.files import write_text
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.paired import paired
from kinema.reporting.places import without_places
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report, blocks
from kinema.reporting.supervised import over_reference
from kinema.reporting.tables import metric_order
from kinema.reporting.wording import (
    DASH,
    HOW_COMPARED,
    difference_bounds,
    metric_value,
    metric_with_spread,
    protocol_heading,
    seed_list,
    source,
    view_name,
)


def markdown(report: Report) -> str:
    """The answer, what one must know beside it, and one table for each setting in which figures were measured."""
    report = without_places(report)
    answer = report.headline
    parts = [f"# {_text(report.title)}", f"**{_text(answer.short)}.** {_text(answer.sentence)}"]
    parts += [_text(answer.basis)] if answer.basis else []
    parts += ["\n".join(f"- {_text(note)}" for note in answer.notes)] if answer.notes else []
    parts += [advice] if (advice := _advice(report)) else []
    parts += [_table(block, report) for block in blocks(report.groups)]
    parts += _differences(report)
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
    advice = report.advice
    if not advice.sentence:
        return ""
    parts = ["## Which one should I keep?", _text(advice.sentence), HOW_COMPARED, _list(advice.lines)]
    parts += ["Next:", _list(advice.steps)] if advice.steps else []
    return "\n\n".join(part for part in parts if part)


def _differences(report: Report) -> list[str]:
    """What was compared seed by seed, a table for each setting; and what has one seed."""
    found = paired(report)
    parts = [f"## {found.heading}", found.how] if found.tables else []
    for table in found.tables:
        for selection, kept in ((table.selection, table.lines), *table.further):
            lines = [_line(table.heads), _line(["---"] * len(table.heads))]
            for line in kept:
                each = ", ".join(value for _, value in line.each)
                cells = [line.encoder, line.against, line.value, line.interval, each, line.seeds, line.verdict]
                lines.append(_line(cells))
            parts += [f"### {_text(table.title + (f', {selection}' if selection else ''))}", "\n".join(lines)]
    return [*parts, *([_text(found.of_one_seed)] if found.of_one_seed else [])]


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {_text(item)}" for item in items)


def _table(block: Sequence[Group], report: Report) -> str:
    """A line a recipe and selection of queries; of several seeds the mean, and each seed's figures below."""
    vocabulary, first = report.vocabulary, block[0]
    metrics = {name: vocabulary.metric(name, first.protocol) for name in metric_order(block, vocabulary)}
    main = vocabulary.metric(vocabulary.main(first.protocol, metrics) or "", first.protocol)
    over = any(over_reference(g, block, g.main.selection, report.runs, report.rows, vocabulary) for g in block)
    head = ["Encoder", "View", "Queries", *(metric.title for metric in metrics.values()), "95 % interval"]
    head += ["Over supervised at equal labels"] * over + ["Seeds"]
    lines = [_line(head), _line(["---"] * len(head))]
    for group in block:
        for figure in group.figures:
            interval = DASH
            if figure.interval is not None:
                interval = " to ".join(metric_value(main, bound) for bound in figure.interval)
            cells = [
                _name(group, vocabulary),
                view_name(group.view),
                f"{figure.selection or 'all'}: {figure.queries:,}",
            ]
            cells += [
                metric_with_spread(metric, figure.metrics.get(name), figure.deviation.get(name))
                for name, metric in metrics.items()
            ]
            cells += [interval, *([_over(group, block, figure.selection, report)] * over), seed_list(figure.seeds)]
            lines.append(_line(cells))
    seeds = _list([line for group in block if (line := _seeds(group, next(iter(metrics), ""), vocabulary))])
    commits = source(commit for group in block for commit in group.commits)
    origin = "; ".join(part for part in (f"Manifest {first.digest[:12]}", first.windows, commits) if part) + "."
    heading = f"## {protocol_heading(vocabulary.protocol(first.protocol), first.preset)}"
    return "\n\n".join(part for part in (heading, "\n".join(lines), seeds, _text(origin)) if part)


def _name(group: Group, vocabulary: Vocabulary) -> str:
    return vocabulary.title(group.encoder, group.protocol) + (f" ({group.variant})" if group.variant else "")


def _over(group: Group, block: Sequence[Group], selection: str, report: Report) -> str:
    vocabulary = report.vocabulary
    difference = over_reference(group, block, selection, report.runs, report.rows, vocabulary)
    metric = vocabulary.metric(vocabulary.protocol(group.protocol).main, group.protocol)
    return DASH if difference is None else difference_bounds(metric, *difference.lead_bounds)


def _seeds(group: Group, name: str, vocabulary: Vocabulary) -> str:
    """Each seed's main figure; nothing where there is one seed."""
    figure = group.main
    if len(figure.seeds) < 2:
        return ""
    metric = vocabulary.metric(name, group.protocol)
    each = zip(figure.seeds, figure.each.get(name, ()), strict=False)
    values = "; ".join(f"seed {seed}: {metric_value(metric, value)}" for seed, value in each)
    return f"{_name(group, vocabulary)}, {view_name(group.view)}, {metric.title}: {values}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _text(text: str) -> str:
    """Text of others that neither breaks a line nor becomes markup."""
    plain = " ".join(text.replace("\u00a0", " ").split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#" else c for c in plain)
