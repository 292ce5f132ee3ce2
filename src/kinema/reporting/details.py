"""What a person needs who wants to do it again: provenance, phases, recipes, environments, commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from kinema.core.protocol import Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.budget import trained_in
from kinema.reporting.estimates import FEWEST
from kinema.reporting.report import Figure, Report, Row, RunRecord
from kinema.reporting.wording import evaluate_command, metric_value


@dataclass(frozen=True)
class Commands:
    """What to type to do a run again; ``whole`` says whether the command of its training was kept."""

    run: str
    lines: tuple[str, ...]
    whole: bool


@dataclass(frozen=True)
class Origin:
    """Where a figure comes from: its row, the figures on one selection of queries, and the main one as written."""

    row: Row
    figure: Figure
    main: str


@dataclass(frozen=True)
class Details:
    """The section of folded details.

    Args:
        commands: of each run.
        origins: of each figure.
        compared: the names of the figures that encoders are compared by.
        fewest: queries that two must answer differently before a difference counts.
    """

    commands: tuple[Commands, ...]
    origins: tuple[Origin, ...]
    compared: tuple[str, ...]
    fewest: int = FEWEST


def details(report: Report) -> Details:
    """Commands, the origin of every figure, and how figures are compared."""
    vocabulary = report.vocabulary
    modality = trained_in(report.runs[0].recipe, vocabulary).modality
    judged = [each for each in vocabulary.protocols.values() if each.judged and each.modality == modality]
    return Details(
        tuple(_commands(run, report.leading) for run in report.runs),
        tuple(_origin(row, figure, vocabulary) for row in report.rows for figure in row.figures),
        tuple(dict.fromkeys(vocabulary.metric(each.main, each.name).name for each in judged)),
    )


def _commands(run: RunRecord, leading: Protocol[Any] | None) -> Commands:
    """The commands, as far as the run recorded them."""
    command = run.environment.get("command") or run.status.get("command")
    lines = [shlex.join(map(str, command)) if isinstance(command, list) else str(command)] if command else []
    lines += [evaluate_command(leading, run.path, run.environment.get("data"))] if leading else []
    return Commands(run.name, (*lines, shlex.join(["kinema", "report", run.path])), bool(command))


def _origin(row: Row, figure: Figure, vocabulary: Vocabulary) -> Origin:
    name = vocabulary.main(row.protocol, figure.metrics) or next(iter(figure.metrics), "")
    metric = vocabulary.metric(name, row.protocol)
    return Origin(row, figure, f"{metric.title} {metric_value(metric, figure.metrics.get(name))}")
