"""How training went: the loss of every run, what was mined, and whether the representation kept its directions."""

from __future__ import annotations

from collections.abc import Sequence

from kinema.reporting.charts import LINES, Series, line_chart
from kinema.reporting.markup import Markup, tag
from kinema.reporting.report import PhaseRecord, Report


def curves(report: Report) -> Markup:
    """The section of curves: the loss of each run, and what was mined in all of them."""
    phases = [(run.name, phase) for run in report.runs for phase in run.phases if phase.curve]
    if not phases:
        return tag(
            "section", tag("h2", "How training went"), tag("p", "No epoch has ended yet, so there are no curves.")
        )
    charts = []
    for run in report.runs:
        mine = [phase for phase in run.phases if phase.curve]
        title = "Loss" if len(report.runs) == 1 else f"Loss, {run.name}"
        charts += _charts(title, [(phase.name, phase) for phase in mine], "loss", "nats")
    named = [(phase.name if len(report.runs) == 1 else f"{run}: {phase.name}", phase) for run, phase in phases]
    mined = [(name, phase) for name, phase in named if any("mining_precision" in row for row in phase.curve)]
    charts += _charts(
        "Mining precision", mined, "mining_precision", "share of mined clips that are of the same class", True
    )
    told = "median over classes of the share of a class that is mined"
    charts += _charts("Class mining recall", mined, "class_mining_recall_median", told, True)
    charts += _charts(
        "Effective rank", named, "effective_rank", "directions that the projections use; near 1 means collapse"
    )
    about = "Losses of different methods are not comparable with each other; only whether each one falls and settles."
    lead = [tag("p", about)]
    if not mined:
        lead.append(
            tag(
                "p",
                "No phase here has mining figures: nothing was mined, or the videos carry no labels to judge it by.",
            )
        )
    return tag("section", tag("h2", "How training went"), lead, tag("div", charts, class_="panels"))


def _charts(
    title: str, phases: Sequence[tuple[str, PhaseRecord]], key: str, unit: str, percents: bool = False
) -> list[Markup]:
    """As many charts as it takes to keep the lines of each apart."""
    lines = [
        Series(name, tuple((row["epoch"] or 0.0, row.get(key)) for row in phase.curve))
        for name, phase in phases
        if any(row.get(key) is not None for row in phase.curve)
    ]
    parts = [lines[n : n + LINES] for n in range(0, len(lines), LINES)]
    return [
        line_chart(
            f"{title} ({n} of {len(parts)})" if len(parts) > 1 else title, part, unit, percents=percents, zero=percents
        )
        for n, part in enumerate(parts, 1)
    ]
