"""Going on with a run that was stopped: under its own settings, but for those that change no result."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from kinema.core.config import differences, from_plain
from kinema.core.contracts import NetworkConfig
from kinema.core.errors import CheckpointError, ConfigError, KinemaError, UsageError
from kinema.core.method import MethodConfig
from kinema.methods import JoinedConfig
from kinema.recipes.changes import changed
from kinema.recipes.compose import composed
from kinema.recipes.disturbances import transforms_named
from kinema.recipes.following import FOLLOWING
from kinema.recipes.json import CONVERTER, recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import ON_TOP, resolved
from kinema.recipes.table import leading, method_name
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Recipe

PLAN = "plan.json"
"""The file of a run that holds the plan that was asked for, before it was made to fit the data."""

CHANGEABLE = ("checkpoint_seconds", "collapse_rank")
"""Settings of a recipe that change no result; those of its data are ``DataConfig.changeable``."""

UNTOLD = ("schedule", "base")
"""Settings of a plan that cannot be told from its recipe."""

SHOWN = 20
"""Settings at most that a refusal names with both values."""


def plan_to_plain(plan: Plan, preset: str) -> dict[str, Any]:
    """A plan as JSON values, with the name of the preset that it started from."""
    kinds = _kinds()
    values = {name: (getattr(plan, name), kind) for name, kind in kinds.items()}
    plain = {
        name: None if value is None else CONVERTER.unstructure(value, kind) for name, (value, kind) in values.items()
    }
    return {"preset": preset, "plan": plain}


def plan_from_plain(value: Mapping[str, Any], where: str) -> Plan:
    """The plan that :func:`plan_to_plain` gave.

    Raises:
        ConfigError: it is none.
    """
    kinds, plain = _kinds(), value.get("plan")
    if not isinstance(plain, dict) or plain.keys() != kinds.keys():
        raise ConfigError(f"{where} does not describe a plan.", "If another version of kinema wrote it, use that.")
    parts: dict[str, Any] = {
        name: None if plain[name] is None else from_plain(plain[name], kind, CONVERTER, f"{where}, '{name}',")
        for name, kind in kinds.items()
    }
    return Plan(**parts)


def _kinds() -> dict[str, Any]:
    return get_type_hints(Plan) | {"encoder": NetworkConfig, "base": MethodConfig}


def continued(
    run: RunFolder,
    method: str | Recipe | Plan,
    settings: Mapping[str, Any],
    preset: str | None,
    rows: Callable[[Any], Any] | None = None,
) -> Recipe:
    """The recipe that a run goes on with: its own, with the given values of settings that change no result.

    What is given beside it must agree with the run. A setting that is not given is the run's.

    Args:
        run: the run.
        method: the name of its method; or a plan or recipe, which must be its own.
        settings: as :func:`kinema.pretrain` takes them.
        preset: the name of its preset, or None.
        rows: gives the rows that are trained on, called with settings of data; some methods fit a plan to them.

    Raises:
        CheckpointError: the run was begun with another method.
        UsageError: settings differ from the run's; they are named, with both values.
    """
    file = f"'{run.path / 'recipe.json'}'"
    own = recipe_from_plain(run.read("recipe.json"), file)
    if isinstance(method, str) and own.name != method:
        raise CheckpointError(
            f"The run '{run.path}' was begun with the method '{own.name}', not '{method}'.",
            "Resume it with its own method, or train into a new folder.",
        )
    free = {name: settings[name] for name in settings if name in (*CHANGEABLE, *own.data.changeable)}
    fixed = {name: value for name, value in settings.items() if name not in free}
    if isinstance(method, str):
        _agree(run, own, fixed, preset, rows)
    else:
        _same(own, resolved(method, rows, preset or "small", fixed))
        free = _changeable(method if isinstance(method, Recipe) else method.recipe()) | free
    of_data = {name: value for name, value in free.items() if name in own.data.changeable}
    of_recipe = {name: value for name, value in free.items() if name in CHANGEABLE}
    return replace(own, **of_recipe, data=replace(own.data, **of_data))  # type: ignore[type-var]


def _agree(
    run: RunFolder,
    own: Recipe,
    settings: Mapping[str, Any],
    preset: str | None,
    rows: Callable[[Any], Any] | None,
) -> None:
    """Refuses settings, by name, that would have made another plan than the run's."""
    if not settings and preset is None:
        return
    kept = run.read(PLAN)
    if kept and preset is not None and preset != kept.get("preset"):
        raise _cannot({"preset": (kept.get("preset"), preset)})
    plan = _as_followed(plan_from_plain(kept, f"'{run.path / PLAN}'"), own) if kept else plan_of(own)
    untold = {} if kept else {name: settings[name] for name in UNTOLD if name in settings}
    untold |= {"preset": preset} if preset is not None and not kept else {}
    asked = _asked(plan, {name: value for name, value in settings.items() if name not in untold})
    other = {name: (None, value) for name, value in untold.items()} | _differences(_plain(plan), _plain(asked))
    if not other or (not untold and _equal(own, lambda: _fitted(asked, rows))):
        return  # the second where a network does not use what differs, for instance
    began = preset or kept.get("preset") or "small"
    if rows is None or not _equal(own, lambda: resolved(own.name, rows, began, settings)):
        raise _cannot(other, untold)


def _as_followed(plan: Plan, own: Recipe) -> Plan:
    """A plan as it was asked for, with those sizes that the run has since they followed its set."""
    trained = plan_of(own).method
    if type(plan.method) is not type(trained):
        return plan
    there = {name: getattr(trained, name) for name in FOLLOWING if hasattr(trained, name)}
    return replace(plan, method=replace(plan.method, **there))  # type: ignore[type-var]


def _fitted(plan: Plan, rows: Callable[[Any], Any] | None) -> Recipe:
    return plan.recipe() if rows is None else resolved(plan, rows, "small", {})


def _equal(own: Recipe, other: Callable[[], Recipe]) -> bool:
    """Whether a recipe, which may not be possible, is the run's."""
    try:
        return not _differences(_deciding(own), _deciding(other()))
    except KinemaError:
        return False


def plan_of(recipe: Recipe) -> Plan:
    """A plan with what a recipe tells of it, for runs that were begun with a recipe and not with a plan.

    Its method and optimiser are those of the last phase of the run's view, its epochs those of all of them together.
    How phases were divided (:data:`UNTOLD`) is not told.
    """
    learnt = [phase for phase in recipe.phases if recipe.view in phase.method.trains] or list(recipe.phases)
    method = learnt[-1].method
    joined = method if isinstance(method, JoinedConfig) else None
    shared = {f.name: getattr(recipe, f.name) for f in fields(Plan) if f.name in Recipe.__dataclass_fields__}
    return Plan(
        leading(method),
        epochs=sum(phase.epochs for phase in learnt),
        optimiser=learnt[-1].optimiser,
        beside=joined.beside if joined is not None else (),
        beside_weights=joined.weights if joined is not None else (),
        **shared,
    )


def _asked(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """The run's plan with the settings put on it once more."""
    given = dict(settings)
    named = {name: given.pop(name) for name in ON_TOP if name in given}
    if "weights" in given and _same_place(given["weights"], plan.weights):
        del given["weights"]
    if named.get("beside"):
        plan = replace(plan, beside=())
    if plan.base is not None and named.get("base") == method_name(plan.base):
        del named["base"]  # the run's own, whatever the name stood for then
    if named.get("transforms"):
        there = {type(each) for each in getattr(getattr(plan.data, "transform", None), "disturb", ())}
        kinds = {name: {type(each) for each in transforms_named([name])} for name in named["transforms"]}
        named["transforms"] = [name for name in kinds if not kinds[name] <= there]
    return composed(changed(plan, given), "small", **named, keep_temporal=True)


def _same_place(one: str, other: str) -> bool:
    return bool(one) == bool(other) and Path(one).absolute() == Path(other).absolute()


def _same(own: Recipe, other: Recipe) -> None:
    different = _differences(_deciding(own), _deciding(other))
    if different:
        raise _cannot(different)


def _cannot(different: Mapping[str, tuple[Any, Any]], untold: Container[str] = ()) -> UsageError:
    shown = list(different.items())[:SHOWN]
    said = ((name, "not recorded" if name in untold else repr(own), asked) for name, (own, asked) in shown)
    lines = "; ".join(f"{name} is {own} in the run, and {asked!r} was asked" for name, own, asked in said)
    lines += f"; and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    names = ", ".join(different) if len(different) < 6 else f"{len(different)} settings"
    return UsageError(
        f"A run goes on with its own settings; {names} cannot be changed: {lines}.",
        "Leave the settings out beside --resume, or train into a new folder.",
    )


def _plain(plan: Plan) -> dict[str, Any]:
    return _without_changeable(plan_to_plain(plan, "")["plan"], plan)


def _deciding(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON values, without what changes no result."""
    return _without_changeable(recipe_to_plain(recipe), recipe)


def _without_changeable(plain: dict[str, Any], of: Plan | Recipe) -> dict[str, Any]:
    own = {name: value for name, value in plain.items() if name not in CHANGEABLE}
    return {**own, "data": {key: value for key, value in own["data"].items() if key not in of.data.changeable}}


def _changeable(recipe: Recipe) -> dict[str, Any]:
    own = {name: getattr(recipe, name) for name in CHANGEABLE}
    return own | {name: getattr(recipe.data, name) for name in recipe.data.changeable}


def _differences(own: Any, asked: Any) -> dict[str, tuple[Any, Any]]:
    """Where two plans or recipes differ: each by the name that a user gives it, with both values."""
    found = {name.removeprefix("data."): (one, other) for name, one, other in differences(own, asked)}
    if found.get("short_videos", ("",))[0] == "error":  # there are none in the run
        del found["short_videos"]
    return found


def changes_of(before: Recipe, now: Recipe) -> dict[str, list[Any]]:
    """The settings that change no result and differ: each with both values."""
    former, present = _changeable(before), _changeable(now)
    return {name: [former[name], present[name]] for name in former if former[name] != present[name]}
