"""Methods on top of one another, by name: transforms on any base, a base under CPR, a loss beside another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.method import MethodConfig
from kinema.recipes.cpr import infonce_of
from kinema.recipes.disturbances import transforms_named
from kinema.recipes.plan import Plan, like
from kinema.recipes.table import METHODS, entry_of, leading
from kinema.recipes.table import preset as preset_plan


def composed(
    plan: Plan,
    preset: str,
    *,
    transforms: Sequence[str] = (),
    base: str | MethodConfig | None = None,
    beside: Sequence[str | MethodConfig] = (),
    keep_temporal: bool = False,
) -> Plan:
    """A plan with more on top of it.

    Args:
        plan: what it is put on.
        preset: the name of the preset that methods named here take their settings from; a method without it, from its
            last one.
        transforms: names of disturbances (``recipes.disturbances.TRANSFORMS``), beside those the plan has.
        base: what CPR's first phase is for the view of the run; settings as they are, or a name. A named one takes
            queue, temperature, momentum and head from CPR, and the plan its share of clips in two windows.
        beside: methods whose losses are added to the plan's; settings as they are, or names, which take the view and
            the head of the plan's method.
        keep_temporal: leave the plan's ``temporal`` as it is in any case.

    Raises:
        UsageError: there is no such name, or it cannot stand there.
    """
    if transforms:
        plan = _with_transforms(plan, transforms)
    if base is not None:
        plan = _with_base(plan, preset, base, keep_temporal)
    others = tuple(_beside(plan, preset, each) if isinstance(each, str) else each for each in beside)
    return replace(plan, beside=(*plan.beside, *others))


def _with_transforms(plan: Plan, names: Sequence[str]) -> Plan:
    transform: Any = getattr(plan.data, "transform", None)
    if transform is None:
        raise UsageError(f"Transforms are of clips, and the data are {plan.data.unit}.", "Leave --transforms out.")
    disturb = tuple(dict.fromkeys((*transform.disturb, *transforms_named(names))))
    return plan.with_data(transform=replace(transform, disturb=disturb))


def _with_base(plan: Plan, preset: str, base: str | MethodConfig, keep_temporal: bool) -> Plan:
    if not entry_of(leading(plan.method)).takes_base:
        takers = [name for name, entry in METHODS.items() if entry.takes_base]
        raise UsageError(
            f"Only {', '.join(takers)} is trained on top of a base.", f"Leave --base out, or pretrain {takers[0]}."
        )
    if not isinstance(base, str):
        return replace(plan, base=base)
    known = [name for name, entry in METHODS.items() if entry.alone and entry.base]
    if base not in known:
        raise UsageError(f"'{base}' cannot be the base of cpr.", f"Choose one of: {', '.join(known)}.")
    named = preset_plan(_or_last(preset, base), base)
    given = infonce_of(plan.method, plan.method.view, plan.schedule)
    fitted = like(named.method, given, ("view", "queue", "temperature", "momentum", "negatives_from", "head"))
    plan = replace(plan, base=fitted)
    return plan if keep_temporal else plan.with_data(temporal=named.data.temporal)  # type: ignore[attr-defined]


def _or_last(preset: str, name: str) -> str:
    """The preset, or where the method has none of that name its last one: the largest."""
    presets = METHODS[name].presets
    return preset if preset in presets else list(presets)[-1]


def _beside(plan: Plan, preset: str, name: str) -> MethodConfig:
    known = [name for name, entry in METHODS.items() if entry.beside]
    if name not in known:
        raise UsageError(f"'{name}' cannot stand beside another method.", f"Choose from: {', '.join(known)}.")
    config: Any = preset_plan(_or_last(preset, name), name).method
    fitted: MethodConfig = like(config, plan.method, ("view", "head"))
    return fitted
