"""How training went: the loss of every run, what was mined, and whether the representation kept its directions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from kinema.reporting.charts import LINES, Series, line_chart
from kinema.reporting.markup import Markup, tag
from kinema.reporting.report import PhaseRecord, Report, RunRecord
from kinema.reporting.seeds import recipe_of


def curves(report: Report) -> Markup:
    """The section of curves: the loss of each recipe, and what was mined in all of them."""
    recipes = _recipes(report)
    phases = [(name, phase, lines) for name, each in recipes.items() for phase, lines in each.items()]
    if not phases:
        return tag(
            "section", tag("h2", "How training went"), tag("p", "No epoch has ended yet, so there are no curves.")
        )
    charts = []
    for name, each in recipes.items():
        charts += _charts("Loss" if len(recipes) == 1 else f"Loss, {name}", list(each.items()), "loss", "nats")
    named = [(phase if len(recipes) == 1 else f"{name}: {phase}", lines) for name, phase, lines in phases]
    mined = [(name, lines) for name, lines in named if any("mining_precision" in row for row in lines[0].curve)]
    charts += _charts(
        "Mining precision", mined, "mining_precision", "share of mined clips that are of the same class", True
    )
    told = "median over classes of the share of a class that is mined"
    charts += _charts("Class mining recall", mined, "class_mining_recall_median", told, True)
    charts += _charts(
        "Effective rank", named, "effective_rank", "directions that the projections use; near 1 means collapse"
    )
    about = "Losses of different methods are not comparable with each other; only whether each one falls and settles."
    if len(recipes) < len(report.runs):
        about += " Runs that differ only in their seed are one line: their mean, the bar their standard deviation."
    lead = [tag("p", about)]
    if not mined:
        lead.append(
            tag(
                "p",
                "No phase here has mining figures: nothing was mined, or the videos carry no labels to judge it by.",
            )
        )
    return tag("section", tag("h2", "How training went"), lead, tag("div", charts, class_="panels"))


def _recipes(report: Report) -> dict[str, dict[str, list[PhaseRecord]]]:
    """The phases of each recipe by name, in each of them one a seed; a recipe goes by its first run's name."""
    found: dict[str, list[RunRecord]] = {}
    for run in report.runs:
        if any(phase.curve for phase in run.phases):
            found.setdefault(recipe_of(run), []).append(run)
    told: dict[str, dict[str, list[PhaseRecord]]] = {}
    for runs in found.values():
        name = runs[0].name + (f" and {len(runs) - 1} more seed{'s' * (len(runs) > 2)}" if len(runs) > 1 else "")
        phases = told.setdefault(name, {})
        for phase in (phase for run in runs for phase in run.phases if phase.curve):
            phases.setdefault(phase.name, []).append(phase)
    return told


def _charts(
    title: str, phases: Sequence[tuple[str, list[PhaseRecord]]], key: str, unit: str, percents: bool = False
) -> list[Markup]:
    """As many charts as it takes to keep the lines of each apart."""
    lines = [
        _series(name, seeds, key)
        for name, seeds in phases
        if any(row.get(key) is not None for phase in seeds for row in phase.curve)
    ]
    parts = [lines[n : n + LINES] for n in range(0, len(lines), LINES)]
    return [
        line_chart(
            f"{title} ({n} of {len(parts)})" if len(parts) > 1 else title, part, unit, percents=percents, zero=percents
        )
        for n, part in enumerate(parts, 1)
    ]


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
