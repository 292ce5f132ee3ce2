"""A plan with some of its settings changed, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from kinema.core.errors import UsageError
from kinema.recipes.plan import Plan


def changed(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """A plan with some settings changed.

    Args:
        plan: where to start.
        settings: new values of fields of the plan or of its data; for a part of the plan, a mapping of what changes
            in it or a new part.

    Raises:
        UsageError: there is no such setting; the message lists those there are.
        ConfigError: a value that cannot be.
    """
    named = {"method" if name == "method_settings" else name: value for name, value in settings.items()}
    of_data = {name: named.pop(name) for name in list(named) if name in fields_of_data(plan)}
    unknown = [name for name in named if name not in Plan.__dataclass_fields__]
    if unknown:
        known = [*Plan.__dataclass_fields__, *fields_of_data(plan)]
        raise UsageError(f"A plan has no setting '{unknown[0]}'.", f"Set one of: {', '.join(known)}.")
    plan_with: Plan = _changed(plan, {**named, **({"data": of_data} if of_data else {})})
    return plan_with


def fields_of_data(plan: Plan) -> tuple[str, ...]:
    """The settings of a plan's data that are set by their own names beside the plan's, such as 'clip'."""
    names = [field.name for field in fields(plan.data)]  # type: ignore[arg-type]
    return tuple(name for name in names if name not in Plan.__dataclass_fields__)


def _changed(part: Any, settings: Mapping[str, Any]) -> Any:
    """A settings dataclass with some fields changed; a mapping changes the fields of a part of it.

    A field that is a mapping itself, such as the weights of ELo's losses, takes the new one whole.
    """
    known = [field.name for field in fields(part)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(f"{type(part).__name__} has no setting '{unknown[0]}'.", f"Set one of: {', '.join(known)}.")
    values = {
        name: _changed(former, value) if isinstance(value, Mapping) and not isinstance(former, Mapping) else value
        for name, value, former in ((name, value, getattr(part, name)) for name, value in settings.items())
    }
    return replace(part, **values)
