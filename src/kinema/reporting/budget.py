"""For how many epochs a view was trained, phases of other runs that it started from included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinema.core.errors import RunError
from kinema.core.vocabulary import EncoderEntry, Vocabulary
from kinema.reporting.run_files import OpenRun

DEEPEST = 64
"""Phases that are followed back; more are a circle."""


def phases_of(recipe: dict[str, Any], view: str | None = None) -> list[dict[str, Any]]:
    """The recipe's phases, all or those that train one view; of joined methods the settings of the first."""
    planned = [phase for phase in recipe.get("phases") or () if isinstance(phase.get("method"), dict)]
    phases = [{**phase, "method": _leading(phase["method"])} for phase in planned]
    return [phase for phase in phases if view in (None, phase["method"].get("view", recipe.get("view")))]


def _leading(method: dict[str, Any]) -> dict[str, Any]:
    first = method.get("method")
    return first if isinstance(first, dict) else method


def trained_in(recipe: dict[str, Any], vocabulary: Vocabulary) -> EncoderEntry:
    """What a recipe trains, as the vocabulary knows it: the entry of its first phase's method."""
    names = [str(phase["method"].get("name") or "") for phase in phases_of(recipe)]
    return vocabulary.of_method(names[0] if names else "")


def own_phase(
    recipe: dict[str, Any], encoder: str, vocabulary: Vocabulary, view: str | None = None
) -> dict[str, Any] | None:
    """The last phase of the method that trains an encoder; where the recipe has none of it, the last phase."""
    phases = phases_of(recipe, view)
    own = [phase for phase in phases if phase["method"].get("name") == vocabulary.method_of(encoder)]
    return next(reversed(own or phases), None)


def epochs_of(
    run: Path, recipe: dict[str, Any], encoder: str, view: str, *, vocabulary: Vocabulary, open_run: OpenRun
) -> int | None:
    """Epochs that went into an encoder; 0 for the untrained one, None where a run on the way is not there.

    Args:
        run: the run's folder; phases of other runs are named relative to it.
        recipe: its recipe.json.
        encoder: what was measured; in a run of several methods, phases after the encoder's own do not count.
        view: the view that the encoder sees; of encoders side by side, 'a+b', the epochs of each count.
        vocabulary: says which method trains the encoder.
        open_run: opens the other runs.
    """
    if vocabulary.is_untrained(encoder):
        return 0
    if len(views := view.split("+")) > 1:
        each = [epochs_of(run, recipe, encoder, own, vocabulary=vocabulary, open_run=open_run) for own in views]
        return None if None in each else sum(count for count in each if count is not None)
    total, phase = 0, own_phase(recipe, encoder, vocabulary, view)
    for _ in range(DEEPEST):
        if phase is None:
            return None
        total += int(phase.get("epochs") or 0)
        source = (phase.get("start") or {}).get(view)
        if source is None:
            return total or None
        run, recipe, phase = _earlier(run, recipe, str(source), open_run)
    return None


def _earlier(
    run: Path, recipe: dict[str, Any], source: str, open_run: OpenRun
) -> tuple[Path, dict[str, Any], dict[str, Any] | None]:
    """The phase of that name in the recipe, or the one in the folder RUN/phases/NN-NAME of another run."""
    here = next((phase for phase in phases_of(recipe) if phase.get("name") == source), None)
    if here is not None:
        return run, recipe, here
    folder = run / source
    try:
        other = open_run(folder.parent.parent)
        recipe = other.read("recipe.json")
    except RunError:
        return run, recipe, None
    name = folder.name.partition("-")[2]
    return other.path, recipe, next((phase for phase in phases_of(recipe) if phase.get("name") == name), None)
