"""How training went: the loss of every run, figures that were tracked, and the rank of the representation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinema.core.plurals import counted
from kinema.core.protocol import Protocol
from kinema.reporting.budget import trained_in
from kinema.reporting.charts import LINES, Chart, Series, line_chart
from kinema.reporting.report import PhaseRecord, Report, RunRecord
from kinema.reporting.seeds import recipe_of


@dataclass(frozen=True)
class Curves:
    """The section of curves.

    Args:
        charts: none before an epoch has ended.
        pooled: whether a line may be of several seeds.
        untracked: what protocols say whose figures training did not measure.
    """

    charts: tuple[Chart, ...] = ()
    pooled: bool = False
    untracked: tuple[str, ...] = ()


def curves(report: Report) -> Curves:
    """The loss of each recipe, and the tracked figures of all of them."""
    recipes = _recipes(report)
    phases = [(name, phase, lines) for name, each in recipes.items() for phase, lines in each.items()]
    if not phases:
        return Curves()
    charts = []
    for name, each in recipes.items():
        charts += _charts("Loss" if len(recipes) == 1 else f"Loss, {name}", list(each.items()), "loss", "nats")
    named = [(phase if len(recipes) == 1 else f"{name}: {phase}", lines) for name, phase, lines in phases]
    untracked = []
    for protocol in _tracked(report):
        measured = [(name, lines) for name, lines in named if _has(lines[0], protocol)]
        for tracked in protocol.tracked:
            share = report.vocabulary.metric(tracked.metric, protocol.name).share
            charts += _charts(tracked.title, measured, tracked.metric, tracked.unit, share)
        untracked += [] if measured or not protocol.untracked else [protocol.untracked]
    charts += _charts(
        "Effective rank", named, "effective_rank", "directions that a batch's projections use; near 1 means collapse"
    )
    return Curves(tuple(charts), len(recipes) < len(report.runs), tuple(untracked))


def _tracked(report: Report) -> list[Protocol[Any]]:
    """The protocols whose figures training measures too, for the modality that was trained on."""
    modalities = {trained_in(run.recipe, report.vocabulary).modality for run in report.runs}
    protocols = report.vocabulary.protocols.values()
    return [each for each in protocols if each.tracked and each.modality in modalities]


def _has(phase: PhaseRecord, protocol: Protocol[Any]) -> bool:
    """Whether training measured the protocol's first figure in a phase."""
    return any(protocol.tracked[0].metric in row for row in phase.curve)


def _recipes(report: Report) -> dict[str, dict[str, list[PhaseRecord]]]:
    """The phases of each recipe by name, in each of them one a seed; a recipe goes by its first run's name."""
    found: dict[str, list[RunRecord]] = {}
    for run in report.runs:
        if any(phase.curve for phase in run.phases):
            found.setdefault(recipe_of(run), []).append(run)
    by_name: dict[str, dict[str, list[PhaseRecord]]] = {}
    for runs in found.values():
        name = runs[0].name + (f" and {counted(len(runs) - 1, 'more seeds')}" if len(runs) > 1 else "")
        phases = by_name.setdefault(name, {})
        for phase in (phase for run in runs for phase in run.phases if phase.curve):
            phases.setdefault(phase.name, []).append(phase)
    return by_name


def _charts(
    title: str, phases: Sequence[tuple[str, list[PhaseRecord]]], key: str, unit: str, percents: bool = False
) -> list[Chart]:
    """As many charts as it takes to keep the lines of each apart."""
    lines = [
        _series(name, seeds, key)
        for name, seeds in phases
        if any(row.get(key) is not None for phase in seeds for row in phase.curve)
    ]
    parts = [lines[n : n + LINES] for n in range(0, len(lines), LINES)]
    charts = [
        line_chart(
            f"{title} ({n} of {len(parts)})" if len(parts) > 1 else title, part, unit, percents=percents, zero=percents
        )
        for n, part in enumerate(parts, 1)
    ]
    return [chart for chart in charts if chart is not None]


def _series(name: str, seeds: list[PhaseRecord], key: str) -> Series:
    """One line; where several seeds came to an epoch, their mean and its standard deviation."""
    found: dict[float, list[float | None]] = {}
    for phase in seeds:
        for row in phase.curve:
            found.setdefault(row["epoch"] or 0.0, []).append(row.get(key))
    known = {epoch: [value for value in values if value is not None] for epoch, values in sorted(found.items())}
    whole = {epoch: len(values) == len(found[epoch]) for epoch, values in known.items()}
    return Series(
        name,
        tuple((epoch, statistics.fmean(values) if whole[epoch] else None) for epoch, values in known.items()),
        tuple(
            statistics.stdev(values) if len(values) > 1 and whole[epoch] else None for epoch, values in known.items()
        ),
    )
