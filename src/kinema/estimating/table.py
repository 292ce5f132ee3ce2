"""An estimate for a person."""

from __future__ import annotations

from rich import box
from rich.console import Group

from kinema.core.cost import CacheEstimate
from kinema.core.printing import Table
from kinema.estimating.records import Estimate, PhaseEstimate

CACHE = {
    "there": "made before",
    "to be made": "to be made once",
    "too large": "more than --cache_gib allows, so clips are read from the files",
}


def table(estimate: Estimate) -> Group:
    """The phases, their memory, and the whole."""
    where = (
        f"{estimate.videos} {estimate.rows}, batches of {estimate.batch_size}, {estimate.device}, {estimate.precision}"
    )
    phases = _table(f"{estimate.method} on {estimate.data}: {where}", "phase", "trains", "trained", "of parameters")
    for name in ("steps", "a step", "in all"):
        phases.add_column(name, justify="right")
    memory = _table("Memory", "phase", "parameters", "gradients", "optimiser", "buffers", "activations", "in all")
    for phase in estimate.phases:
        phases.add_row(*_row(phase))
        memory.add_row(phase.name, *map(size, phase.trial.memory.plain().values()))
    whole = Table(box=None, show_header=False, pad_edge=False)
    whole.add_row(f"cached {estimate.rows}", _cache(estimate.cache))
    whole.add_row("the whole", f"{estimate.steps} steps, about {duration(estimate.seconds)}")
    whole.add_row("nothing was written", "")
    notes = Table(box=None, show_header=False, pad_edge=False)
    for note in estimate.notes():
        notes.add_row("·", note)
    return Group(phases, memory, whole, "", notes)


def _table(title: str, *columns: str) -> Table:
    """A table whose first two columns are words."""
    made = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number == 0 or name == "trains" else "right", overflow="fold")
    return made


def _row(phase: PhaseEstimate) -> tuple[str, ...]:
    steps = f"{phase.epochs} x {phase.steps_per_epoch} = {phase.steps}"
    parameters = (f"{phase.trained:,}", f"{phase.parameters:,}")
    times = (duration(phase.trial.seconds), duration(phase.seconds))
    return (phase.name, ", ".join(phase.trains), *parameters, steps, *times)


def _cache(cache: CacheEstimate) -> str:
    cost = f"{size(cache.bytes)}, {CACHE[cache.state]}"
    return f"{cost}, about {duration(cache.seconds)}" if cache.state == "to be made" else cost


def size(count: float) -> str:
    """Bytes for a person: '1.2 GB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """Seconds for a person: '1.2 h'."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 48 * 3600)):
        if seconds < most:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 86400:.3g} days"
