"""The report as Markdown: the answer and the tables, for an issue, a wiki or a paper's notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinema.core.files import write_text
from kinema.reporting.report import Report, Row, blocks
from kinema.reporting.wording import (
    DASH,
    encoder_name,
    metric_name,
    metric_value,
    natural,
    percent,
    protocol_heading,
    view_name,
)


def markdown(report: Report) -> str:
    """The answer, what one must know beside it, and one table for each setting in which figures were measured."""
    told = report.headline
    parts = [f"# {_text(report.title)}", f"**{_text(told.short)}.** {_text(told.sentence)}"]
    parts += [_text(told.basis)] if told.basis else []
    parts += ["\n".join(f"- {_text(note)}" for note in told.notes)] if told.notes else []
    parts += [_table(block) for block in blocks(report.rows)]
    parts.append(f"Made by kinema {report.version} on {report.made}.")
    return "\n\n".join(parts) + "\n"


def write_markdown(report: Report, path: Path) -> None:
    """Writes the report as Markdown, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, markdown(report))


def _table(block: Sequence[Row]) -> str:
    """A line an encoder and selection of queries."""
    metrics = sorted({name for row in block for figure in row.figures for name in figure.metrics}, key=natural)
    row = block[0]
    heading = f"## {protocol_heading(row.protocol, row.preset)}"
    head = ["Encoder", "View", "Queries", *(metric_name(name) for name in metrics), "95 % interval", "Seed"]
    lines = [_line(head), _line(["---"] * len(head))]
    for each in block:
        for figure in each.figures:
            low, high = figure.interval or (None, None)
            interval = DASH if figure.interval is None else f"{percent(low)} to {percent(high)}"
            name = encoder_name(each.encoder) + (f" ({each.variant})" if each.variant else "")
            asked = f"{figure.selection or 'all'}: {figure.queries:,}"
            values = [metric_value(name, figure.metrics.get(name)) for name in metrics]
            lines.append(_line([name, view_name(each.view), asked, *values, interval, str(each.seed)]))
    whence = f"Manifest {row.digest[:12]}; {row.windows + '; ' if row.windows else ''}commit {row.commit}."
    return "\n\n".join([heading, "\n".join(lines), _text(whence)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _text(text: str) -> str:
    """Text of others that neither breaks a line nor becomes markup."""
    plain = " ".join(text.replace("\u00a0", " ").split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#" else c for c in plain)
