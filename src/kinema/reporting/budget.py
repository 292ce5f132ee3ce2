"""For how many epochs a view was trained, phases of other runs that it started from included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinema.core.errors import RunError
from kinema.training.run_folder import RunFolder

DEEPEST = 64
"""Phases that are followed back; more are a circle."""


def phases_of(recipe: dict[str, Any], view: str | None = None) -> list[dict[str, Any]]:
    """The recipe's phases, all or those that train one view; of joined methods the settings of the first."""
    planned = [phase for phase in recipe.get("phases") or () if isinstance(phase.get("method"), dict)]
    phases = [{**phase, "method": _leading(phase["method"])} for phase in planned]
    return [phase for phase in phases if view in (None, phase["method"].get("view"))]


def _leading(method: dict[str, Any]) -> dict[str, Any]:
    first = method.get("method")
    return first if isinstance(first, dict) else method


def epochs_of(run: Path, recipe: dict[str, Any], encoder: str, view: str) -> int | None:
    """Epochs that went into an encoder; 0 for the untrained one, None where a run on the way is not there.

    Args:
        run: the run's folder; phases of other runs are named relative to it.
        recipe: its recipe.json.
        encoder: what was measured; 'infonce' in a run that mines means the phases before the mining.
        view: the view that the encoder sees.
    """
    if encoder == "random":
        return 0
    phases = [phase for phase in phases_of(recipe, view) if encoder != "infonce" or "stages" not in phase["method"]]
    total, phase = 0, phases[-1] if phases else None
    for _ in range(DEEPEST):
        if phase is None:
            return None
        total += int(phase.get("epochs") or 0)
        source = (phase.get("start") or {}).get(view)
        if source is None:
            return total or None
        run, recipe, phase = _earlier(run, recipe, str(source))
    return None


def _earlier(run: Path, recipe: dict[str, Any], source: str) -> tuple[Path, dict[str, Any], dict[str, Any] | None]:
    """The phase of that name in the recipe, or the one in the folder RUN/phases/NN-NAME of another run."""
    here = next((phase for phase in phases_of(recipe) if phase.get("name") == source), None)
    if here is not None:
        return run, recipe, here
    folder = run / source
    try:
        other = RunFolder.open(folder.parent.parent)
        recipe = other.read("recipe.json")
    except RunError:
        return run, recipe, None
    name = folder.name.partition("-")[2]
    return other.path, recipe, next((phase for phase in phases_of(recipe) if phase.get("name") == name), None)
