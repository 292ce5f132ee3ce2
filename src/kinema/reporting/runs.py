"""What was run, and from how much it learnt: the runs side by side."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.core.plurals import counted
from kinema.reporting.budget import trained_in
from kinema.reporting.report import Report, RunRecord
from kinema.reporting.wording import DASH, join


@dataclass(frozen=True)
class Runs:
    """The section of runs.

    Args:
        unit: what they learnt from, in the plural.
        sizes: how much of it, by the run's name.
        learns_from: what some of them were told beside it, for instance 'their answers'; empty for no labels at all.
    """

    unit: str
    sizes: dict[str, str]
    learns_from: str = ""


def what_was_run(report: Report) -> Runs:
    """What the runs learnt from; ``report.runs`` has all else that the page says of them."""
    trained = {run.name: trained_in(run.recipe, report.vocabulary) for run in report.runs}
    units = {name: entry.unit for name, entry in trained.items()}
    unit = next(iter(units.values())) if len(set(units.values())) == 1 else "items"
    labels = dict.fromkeys(entry.learns_from for entry in trained.values() if entry.learns_from)
    return Runs(unit, {run.name: _size(run, units[run.name]) for run in report.runs}, join(labels))


def _size(run: RunRecord, unit: str) -> str:
    """How many items and classes a run learnt from; environment.json counts items by their unit."""
    count, classes = run.environment.get(unit, run.environment.get("videos")), run.environment.get("classes")
    size = DASH if count is None else f"{count:,}" if isinstance(count, int) else str(count)
    if classes is None:
        return size
    size = counted(count, unit) if isinstance(count, int) else f"{size} {unit}"
    return f"{size}, {counted(classes, 'classes') if isinstance(classes, int) and classes else 'no labels'}"
