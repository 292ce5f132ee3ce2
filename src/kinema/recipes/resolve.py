"""What a pretraining settles before a video is decoded: its recipe, and all that can be refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from kinema.core.errors import CheckpointError, DataError, UsageError
from kinema.core.method import TrainingContext
from kinema.data import Manifest, exports_motion, heard
from kinema.methods import CPRConfig
from kinema.recipes.changes import changed
from kinema.recipes.compose import composed
from kinema.recipes.methods import method_entry
from kinema.recipes.plan import Plan
from kinema.recipes.presets import preset as preset_plan
from kinema.training.phase import transform_of
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method, check_weights


def settled(
    method: str | Recipe | Plan,
    manifest: Manifest,
    preset: str,
    settings: Mapping[str, Any],
    console: Console | None = None,
) -> tuple[Recipe, TrainingContext]:
    """The recipe of a new run on these videos, and what its methods may know of them.

    Args:
        method: a method's name; or a plan or recipe.
        manifest: the videos that are trained on.
        preset: the plan that a named method starts from.
        settings: fields of the plan that change.
        console: where it is told that another guide takes the place of motion vectors.

    Raises:
        KinemaError: the settings, the weights to start from and the videos contradict one another.
    """
    recipe = _recipe_of(method, preset, manifest, settings, console)
    context = buildable(recipe, audible(recipe, manifest)[0])
    check_weights(recipe, context)
    return recipe, context


def audible(recipe: Recipe, manifest: Manifest) -> tuple[Manifest, Mapping[str, str]]:
    """The videos that a recipe can be trained on: where a method hears, those with a sound; and why not the others.

    Raises:
        DataError: none can be heard, or only one.
    """
    if not recipe.hears:
        return manifest, {}
    chosen, silent = heard(manifest)
    if len(chosen) < 2:
        raise DataError(
            f"Only one of the {len(manifest)} videos can be heard; telling videos apart needs at least 2.",
            "`kinema scan` says which have a sound.",
        )
    return chosen, silent


def buildable(recipe: Recipe, manifest: Manifest) -> TrainingContext:
    """What the methods may know of the videos, once every phase was built with it: what cannot be says so now."""
    context = TrainingContext(videos=len(manifest), classes=len(manifest.classes()))
    for phase in recipe.phases:
        transform_of(build_method(recipe, phase, context), recipe, phase)
    return context


def check_resume(run: RunFolder, manifest: Manifest, method: str | Recipe | Plan, settings: Mapping[str, Any]) -> None:
    """Refuses to go on with a run by another method, with other settings or on other videos.

    Raises:
        CheckpointError: the run was begun with another method, or on videos that have changed since.
        UsageError: settings were given beside the run's own.
    """
    recipe, told = run.read("recipe.json"), run.read("environment.json")
    if isinstance(method, str) and recipe.get("name") != method:
        raise CheckpointError(
            f"The run '{run.path}' was begun with the method '{recipe.get('name')}', not '{method}'.",
            "Resume it with its own method, or train into a new folder.",
        )
    if settings:
        raise UsageError(
            f"A run goes on with its own settings; {', '.join(settings)} cannot be changed.",
            "Leave the settings out beside --resume, or train into a new folder.",
        )
    if told.get("manifest_digest") != manifest.digest:
        raise CheckpointError(
            f"The videos have changed since the run '{run.path}' was begun ({told.get('videos')} then, "
            f"{len(manifest)} now, or other files, labels or sizes).",
            "Resume with the data as it was, or train into a new folder.",
        )


def _recipe_of(
    method: str | Recipe | Plan, preset: str, manifest: Manifest, settings: Mapping[str, Any], console: Console | None
) -> Recipe:
    if isinstance(method, Recipe):
        if settings:
            raise UsageError(f"A recipe is used as it is; {', '.join(settings)} cannot be set beside it.")
        return method
    if isinstance(method, str) and not method_entry(method).alone:
        raise UsageError(
            f"'{method}' learns nothing by itself: a constant would satisfy it.",
            f"Put it beside another method: kinema pretrain moco VIDEOS --out RUN --beside {method}",
        )
    given = dict(settings)
    named = {name: given.pop(name) for name in ("transforms", "base", "beside") if name in given}
    plan = changed(preset_plan(preset, method) if isinstance(method, str) else method, given)
    plan = composed(plan, preset, **named, keep_temporal="temporal" in given)
    chosen = settings.get("method_settings", {}).get("guide")
    if isinstance(plan.method, CPRConfig) and plan.method.guide == "motion" and chosen is None:
        silent = sorted({v.codec for v in manifest.videos if not exports_motion(v.codec)})
        if silent and isinstance(method, str):
            if console is not None:
                told = (
                    f"Motion vectors cannot be read from {', '.join(silent)}; the residual (frame difference) guides."
                )
                console.print(told, highlight=False)
            plan = replace(plan, method=replace(plan.method, guide="residual"))
    return plan.recipe()
