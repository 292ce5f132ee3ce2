"""A plan with some of its settings changed, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kinema.core.errors import UsageError
from kinema.recipes.plan import Plan


def changed(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """A plan with some settings changed.

    Args:
        plan: where to start.
        settings: new values of fields; for a part of the plan, a mapping of what changes in it or a new part.

    Raises:
        UsageError: there is no such setting; the message lists those there are.
        ConfigError: a value that cannot be.
    """
    named = {"method" if name == "method_settings" else name: value for name, value in settings.items()}
    plan_with: Plan = _changed(plan, named)
    return plan_with


def _changed(part: Any, settings: Mapping[str, Any]) -> Any:
    """A settings dataclass with some fields changed; a mapping changes the fields of a part of it.

    A field that is a mapping itself, such as the weights of ELo's losses, takes the new one whole.
    """
    fields = type(part).__dataclass_fields__
    unknown = [name for name in settings if name not in fields]
    if unknown:
        told = f"{type(part).__name__} has no setting '{unknown[0]}'."
        raise UsageError(told, f"Set one of: {', '.join(fields)}.")
    values = {
        name: _changed(former, value) if isinstance(value, Mapping) and not isinstance(former, Mapping) else value
        for name, value, former in ((name, value, getattr(part, name)) for name, value in settings.items())
    }
    return replace(part, **values)
