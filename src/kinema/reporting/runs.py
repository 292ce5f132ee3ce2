"""What was run, on what, and how long it took: the runs side by side."""

from __future__ import annotations

from collections.abc import Callable

from kinema.reporting.budget import trained_in
from kinema.reporting.markup import Child, Markup, join, tag
from kinema.reporting.report import PhaseRecord, Report, RunRecord
from kinema.reporting.wording import DASH, duration, view_name


def what_was_run(report: Report) -> Markup:
    """The section: one column a run, one line a fact."""
    runs = report.runs
    units = list(dict.fromkeys(_unit(run, report) for run in runs))
    unit = units[0] if len(units) == 1 else "items"
    facts: list[tuple[str, Callable[[RunRecord], Child]]] = [
        ("State", _state),
        ("Method", lambda run: str(run.recipe.get("name") or DASH)),
        ("Data", lambda run: str(run.environment.get("data") or DASH)),
        (f"{unit[:1].upper()}{unit[1:]}, classes", lambda run: _size(run, _unit(run, report))),
        ("Time", lambda run: duration(run.status.get("seconds"))),
        ("Phases", lambda run: tag("ol", [_phase(phase) for phase in run.phases], class_="phases")),
        ("Device", _device),
        ("Seed", lambda run: str(run.environment.get("seed", run.recipe.get("seed", DASH)))),
        ("Commit", lambda run: tag("code", str(run.environment.get("commit") or DASH))),
        ("Versions", _versions),
    ]
    corner = tag("td", tag("span", "Fact", class_="unseen"))
    head = tag("tr", corner, [tag("th", tag("span", run.name, class_="long"), scope="col") for run in runs])
    body = [tag("tr", tag("th", name, scope="row"), [tag("td", tell(run)) for run in runs]) for name, tell in facts]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="facts")
    lead = f"Every encoder started from random numbers and saw the {unit} without their labels, unless it says "
    lead += "“supervised”. Labels serve to measure, afterwards."
    scroll = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="What was run")
    return tag("section", tag("h2", "What was run"), tag("p", lead), scroll)


def _unit(run: RunRecord, report: Report) -> str:
    """What a run learnt from, in the plural."""
    return trained_in(run.recipe, report.vocabulary).unit


def _state(run: RunRecord) -> Markup:
    mark = {"done": "✓", "failed": "✗", "interrupted": "‖", "running": "…"}.get(run.state, "?")
    error = run.status.get("error")
    state = tag("span", f"{mark} {run.state}", class_=f"state {run.state if run.state.isalpha() else 'unknown'}")
    return join([state, tag("span", f": {error}")] if error else [state])


def _size(run: RunRecord, unit: str) -> str:
    """How many items and classes a run learnt from; environment.json counts items by their unit."""
    count, classes = run.environment.get(unit, run.environment.get("videos")), run.environment.get("classes")
    size = DASH if count is None else f"{count:,}" if isinstance(count, int) else str(count)
    if classes is None:
        return size
    return f"{size} {unit}, " + (f"{classes} classes" if classes else "no labels")


def _phase(phase: PhaseRecord) -> Markup:
    guide = f", guided by {view_name(phase.guide)}" if phase.guide else ""
    epochs = (
        f"{phase.epochs} epochs" if phase.state == "done" else f"{phase.epochs_done} of {phase.epochs or '?'} epochs"
    )
    about = f"{view_name(phase.view) or 'view not known'}{guide}; {epochs}, {duration(phase.seconds)}"
    state = tag("strong", f" ({phase.state})") if phase.state != "done" else None
    return tag("li", tag("span", phase.name, class_="long"), state, tag("small", about))


def _device(run: RunRecord) -> str:
    machine = run.environment
    threads = f", {machine['threads']} threads" if machine.get("threads") else ""
    return f"{machine.get('device') or DASH}{threads}"


def _versions(run: RunRecord) -> str:
    names = ("kinema", "torch", "python")
    return ", ".join(f"{name} {run.environment[name]}" for name in names if run.environment.get(name)) or DASH
