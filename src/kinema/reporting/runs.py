"""What was run, and from how much it learnt: the runs side by side."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.reporting.budget import trained_in
from kinema.reporting.report import Report, RunRecord
from kinema.reporting.wording import DASH


@dataclass(frozen=True)
class Runs:
    """The section of runs: what they learnt from, in the plural, and how much of it, by the run's name."""

    unit: str
    sizes: dict[str, str]


def what_was_run(report: Report) -> Runs:
    """What the runs learnt from; ``report.runs`` has all else that the page says of them."""
    units = {run.name: trained_in(run.recipe, report.vocabulary).unit for run in report.runs}
    unit = next(iter(units.values())) if len(set(units.values())) == 1 else "items"
    return Runs(unit, {run.name: _size(run, units[run.name]) for run in report.runs})


def _size(run: RunRecord, unit: str) -> str:
    """How many items and classes a run learnt from; environment.json counts items by their unit."""
    count, classes = run.environment.get(unit, run.environment.get("videos")), run.environment.get("classes")
    size = DASH if count is None else f"{count:,}" if isinstance(count, int) else str(count)
    if classes is None:
        return size
    return f"{size} {unit}, " + (f"{classes} classes" if classes else "no labels")
