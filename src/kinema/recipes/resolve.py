"""What is decided before any data are read: the recipe of a run, and all that can be refused at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from kinema.core.contracts import Table
from kinema.core.errors import UsageError
from kinema.core.method import TrainingContext
from kinema.core.printing import show
from kinema.core.progress import Shown, watched
from kinema.recipes.changes import changed
from kinema.recipes.compose import composed
from kinema.recipes.following import set_by_hand, sizes_line
from kinema.recipes.plan import Plan
from kinema.recipes.table import entry_of, leading, method_entry
from kinema.recipes.table import preset as preset_plan
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method

log = logging.getLogger(__name__)

ON_TOP = ("transforms", "base", "beside")
"""Settings that name what is put on top of a method."""


def resolved(
    method: str | Recipe | Plan,
    data: Any,
    preset: str,
    settings: Mapping[str, Any],
    console: Shown = None,
) -> Recipe:
    """The recipe of a new run on these data; see :func:`planned`."""
    plan = planned(method, data, preset, settings, console)
    return plan if isinstance(plan, Recipe) else plan.recipe()


def planned(
    method: str | Recipe | Plan,
    data: Any,
    preset: str,
    settings: Mapping[str, Any],
    console: Shown = None,
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
        if note and (seen := watched(console)) is not None:
            show(seen, note)
    fit = entry_of(leading(plan.method)).fit
    plan = plan if fit is None else fit(plan, data(plan.data))
    by_hand = set_by_hand(leading(plan.method), settings, named=isinstance(method, str))
    return followed(plan, lambda: _learnable(plan, data(plan.data)), by_hand, console)


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


def followed(plan: Plan, rows: Callable[[], int], by_hand: Collection[str], console: Shown = None) -> Plan:
    """A plan whose sizes follow the set, where nobody set them; what changes is said.

    Args:
        plan: as it would be of a set that is large enough.
        rows: how many rows are trained on; only asked where a size may follow.
        by_hand: settings of the method that a person set.
        console: shows the line; None logs it.

    Raises:
        ConfigError: what a person set cannot be had of so few rows, with what can.
    """
    follow = entry_of(leading(plan.method)).follow
    if follow is None or leading(plan.method) is not plan.method:
        return plan
    number = rows()
    fitted = follow(plan, number, by_hand)
    if note := sizes_line(plan.method, fitted.method, number):
        log.warning("%s", note) if (seen := watched(console)) is None else show(seen, note)
    return fitted


def _learnable(plan: Plan, table: Table) -> int:
    """How many rows are learnt from, as far as the table says."""
    span = plan.data.clip.span if getattr(plan.data, "short_videos", "") == "skip" else 0  # type: ignore[attr-defined]
    return sum(getattr(row, "frames", span) >= span for row in table.rows)


def context_of(recipe: Recipe, table: Table) -> TrainingContext:
    """What the methods may know of the rows, once every phase was built with it: what cannot be says so now."""
    context = TrainingContext(rows=len(table), classes=len(table.classes()))
    for phase in recipe.phases:
        recipe.data.check(phase.needs)
        build_method(recipe, phase, context)
    return context
