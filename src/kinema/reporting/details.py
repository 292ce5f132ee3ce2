"""What a person needs who wants to do it again: provenance, phases, recipes, environments, commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

from kinema.core.protocol import Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.budget import trained_in
from kinema.reporting.estimates import FEWEST
from kinema.reporting.markup import Child, Markup, tag
from kinema.reporting.report import Figure, PhaseRecord, Report, Row, RunRecord
from kinema.reporting.wording import (
    DASH,
    duration,
    evaluate_command,
    metric_value,
    number,
    percent,
    view_name,
)


def details(report: Report) -> Markup:
    """The section of folded details."""
    parts = [
        _fold("How to do it again", [_again(run, report.leading) for run in report.runs]),
        _fold("Where every figure comes from", [_provenance(report)]) if report.rows else Markup(""),
        _fold("Phases", [_phases(report)]),
        *(_fold(f"Recipe of {run.name}", [_json(run.recipe)]) for run in report.runs),
        *(
            _fold(f"Environment of {run.name}", [_json({**run.environment, "status": run.status})])
            for run in report.runs
        ),
        _fold("How the verdict is reached", [tag("p", text) for text in _verdict(report)]),
    ]
    return tag("section", tag("h2", "Details"), parts)


COMPARED = (
    "Compared is the main figure, {}, on the main selection of queries: the one that most encoders were "
    "measured on, then the largest. Each figure has a 95 % interval from a bootstrap over its queries. Where two were "
    "asked the same queries and every answer was kept, their difference is bootstrapped over the queries, in pairs. "
    "Where answers are missing, its interval squares and adds the distances to the two figures’ bounds (Zou and Donner "
    "2008), as if the two were independent: if anything, too careful. The sentences say which it was.",
    "Runs that differ only in their seed are averaged, and their spread (Student’s t) is added to the interval. Of "
    "several baselines the strongest counts. A difference is larger than the uncertainty, or the noise, if its "
    f"interval leaves out zero and, compared by the same queries, at least {FEWEST} of them were answered differently.",
    "Every comparison stands by itself, with one chance in twenty to call luck a difference: of many encoders, one may "
    "well look ahead by luck. The highest figure of many is also a little too high, having been chosen by it.",
)


def _verdict(report: Report) -> tuple[str, ...]:
    """How figures are compared, with the names of the main ones."""
    vocabulary = report.vocabulary
    modality = trained_in(report.runs[0].recipe, vocabulary).modality
    judged = [each for each in vocabulary.protocols.values() if each.judged and each.modality == modality]
    names = dict.fromkeys(vocabulary.metric(each.main, each.name).name for each in judged)
    first, *rest = COMPARED
    return (first.format(" or ".join(names)), *rest)


def _fold(summary: str, inside: list[Markup]) -> Markup:
    return tag("details", tag("summary", tag("span", summary, class_="long")), inside)


def _json(value: Any) -> Markup:
    return tag("pre", tag("code", json.dumps(value, indent=2, ensure_ascii=False)), tabindex=0)


def _again(run: RunRecord, leading: Protocol[Any] | None) -> Markup:
    """The commands, as far as the run recorded them."""
    command = run.environment.get("command") or run.status.get("command")
    lines = [shlex.join(map(str, command)) if isinstance(command, list) else str(command)] if command else []
    lines += [evaluate_command(leading, run.path, run.environment.get("data"))] if leading else []
    lines += [shlex.join(["kinema", "report", run.path])]
    missing = (
        "" if command else "The run kept no command line of its training; its recipe, below, holds every setting. "
    )
    return tag(
        "div",
        tag("p", f"{run.name}: {'' if command else missing}"),
        tag("pre", tag("code", "\n".join(lines)), tabindex=0),
    )


def _provenance(report: Report) -> Markup:
    head = "Encoder, View, Protocol, Preset, Selection, Data, Queries, Gallery, Main figure, Seed, Commit, Manifest, "
    head += "Run, Time"
    body = [_origin(row, figure, report.vocabulary) for row in report.rows for figure in row.figures]
    return _table(head.split(", "), body, "Where every figure comes from")


def _origin(row: Row, figure: Figure, vocabulary: Vocabulary) -> list[Child]:
    name = vocabulary.main(row.protocol, figure.metrics) or next(iter(figure.metrics), "")
    metric = vocabulary.metric(name, row.protocol)
    main = f"{metric.title} {metric_value(metric, figure.metrics.get(name))}"
    cells: list[Child] = [vocabulary.title(row.encoder, row.protocol), view_name(row.view), row.protocol, row.preset]
    cells += [figure.selection or "all", figure.data, figure.queries, figure.gallery, main, row.seed, row.commit]
    return [*cells, row.digest[:12], ", ".join(row.runs), duration(figure.seconds)]


def _phases(report: Report) -> Markup:
    head = "Run, Phase, Method, View, Guide, State, Epochs, Clips, Time, Clips a second, Waiting for data, Last loss, "
    head += "Effective rank"
    body = [_phase(run, phase) for run in report.runs for phase in run.phases]
    return _table(head.split(", "), body, "Phases") if body else tag("p", "No phase was begun.")


def _phase(run: RunRecord, phase: PhaseRecord) -> list[Child]:
    last = phase.curve[-1] if phase.curve else {}
    guide = view_name(phase.guide) if phase.guide else DASH
    cells: list[Child] = [run.name, phase.name, phase.method, view_name(phase.view), guide, phase.state]
    cells += [f"{phase.epochs_done} of {phase.epochs or '?'}", DASH if phase.clips is None else f"{phase.clips:,}"]
    cells += [duration(phase.seconds), number(last.get("clips_per_second")), percent(last.get("data_wait"))]
    return [*cells, number(last.get("loss")), number(last.get("effective_rank"))]


def _table(head: Iterable[str], body: list[list[Child]], label: str) -> Markup:
    top = tag("tr", [tag("th", name, scope="col") for name in head])
    rows = [tag("tr", tag("th", cells[0], scope="row"), [tag("td", cell) for cell in cells[1:]]) for cells in body]
    table = tag("table", tag("thead", top), tag("tbody", rows), class_="small")
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)
