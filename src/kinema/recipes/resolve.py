"""What is decided before any data are read: the recipe of a run, and all that can be refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from kinema.core.contracts import Table
from kinema.core.errors import UsageError
from kinema.core.method import TrainingContext
from kinema.core.printing import show
from kinema.recipes.changes import changed
from kinema.recipes.compose import composed
from kinema.recipes.plan import Plan
from kinema.recipes.table import entry_of, leading, method_entry
from kinema.recipes.table import preset as preset_plan
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method

ON_TOP = ("transforms", "base", "beside")
"""Settings that name what is put on top of a method."""


def resolved(
    method: str | Recipe | Plan,
    data: Any,
    preset: str,
    settings: Mapping[str, Any],
    console: Console | None = None,
) -> Recipe:
    """The recipe of a new run on these data; see :func:`planned`."""
    plan = planned(method, data, preset, settings, console)
    return plan if isinstance(plan, Recipe) else plan.recipe()


def planned(
    method: str | Recipe | Plan,
    data: Any,
    preset: str,
    settings: Mapping[str, Any],
    console: Console | None = None,
) -> Plan | Recipe:
    """The plan of a new run on these data; a recipe where one is given.

    Args:
        method: a method's name; or a plan or recipe.
        data: what gives the table that is trained on, once the settings of data are known: called with them.
        preset: the plan that a named method starts from.
        settings: fields of the plan that change.
        console: shows the message that a plan was adapted to the data.

    Raises:
        KinemaError: the settings contradict one another or the data.
    """
    if isinstance(method, Recipe):
        if settings:
            raise UsageError(f"A recipe is used as it is; {', '.join(settings)} cannot be set beside it.")
        return method
    plan = as_asked(method, preset, settings)
    adapt = entry_of(leading(plan.method)).adapt
    if adapt is not None and isinstance(method, str) and "guide" not in settings.get("method_settings", {}):
        plan, note = adapt(plan, data(plan.data))
        if note and console is not None:
            show(console, note)
    fit = entry_of(leading(plan.method)).fit
    return plan if fit is None else fit(plan, data(plan.data))


def as_asked(method: str | Plan, preset: str, settings: Mapping[str, Any]) -> Plan:
    """The plan that was asked for, before it is made to fit the data; see :func:`planned`."""
    if isinstance(method, str) and not method_entry(method).alone:
        raise UsageError(
            f"'{method}' learns nothing by itself: a constant would satisfy it.",
            f"Put it beside another method: kinema pretrain moco VIDEOS --out RUN --beside {method}",
        )
    given = dict(settings)
    named = {name: given.pop(name) for name in ON_TOP if name in given}
    first = preset_plan(preset, method) if isinstance(method, str) else method
    plan = changed(first, given)
    if isinstance(method, str) and plan.weights and plan.encoder == first.encoder:
        plan = replace(plan, encoder=plan.encoder.replaced_by(plan.weights))
    return composed(plan, preset, **named, keep_temporal="temporal" in given)


def context_of(recipe: Recipe, table: Table) -> TrainingContext:
    """What the methods may know of the rows, once every phase was built with it: what cannot be says so now."""
    context = TrainingContext(rows=len(table), classes=len(table.classes()))
    for phase in recipe.phases:
        recipe.data.check(phase.needs)
        build_method(recipe, phase, context)
    return context
