"""Recipes as JSON and back, strictly: what a run folder keeps is what ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cattrs
from cattrs.gen import make_dict_unstructure_fn

from kinema.core.clips import Disturbance
from kinema.core.config import from_plain, make_strict_converter
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.networks import tell_plainly
from kinema.recipes.disturbances import disturbance_kind, disturbance_name
from kinema.recipes.methods import method_name, settings_kind
from kinema.training.settings import Phase, Recipe


def _converter() -> cattrs.Converter:
    converter = tell_plainly(make_strict_converter())
    _tag(converter, MethodConfig, "a method", method_name, settings_kind)
    _tag(converter, Disturbance, "a disturbance", disturbance_name, disturbance_kind)
    whole = make_dict_unstructure_fn(Recipe, converter)
    converter.register_unstructure_hook(Recipe, lambda recipe: _told(recipe, whole(recipe)))
    return converter


def _told(recipe: Recipe, plain: dict[str, Any]) -> dict[str, Any]:
    """A recipe's settings of sound are told where a method hears, so that others are what they were without."""
    if recipe.hears:
        plain["encoder"]["sound"] = recipe.encoder.sound
    else:
        del plain["sound"], plain["transform"]["sound"]
    return plain


def _tag(
    converter: cattrs.Converter, contract: Any, what: str, name_of: Callable[[Any], str], kind_of: Callable[[str], type]
) -> None:
    """Lets a field of the type ``contract`` hold settings of any kind that keeps it: they carry their name."""

    def unstructure(settings: Any) -> dict[str, Any]:
        return {"name": name_of(settings), **converter.unstructure(settings)}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise TypeError(f"expected the settings of {what}, with its 'name'")
        plain = {key: item for key, item in value.items() if key != "name"}
        return converter.structure(plain, kind_of(value["name"]))

    converter.register_unstructure_hook_func(lambda kind: kind is contract, unstructure)
    converter.register_structure_hook_func(lambda kind: kind is contract, structure)


CONVERTER = _converter()


def recipe_to_plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON values; a method's settings carry its name."""
    plain: dict[str, Any] = CONVERTER.unstructure(recipe)
    return plain


def recipe_from_plain(value: Any, where: str = "the recipe") -> Recipe:
    """The recipe that :func:`recipe_to_plain` gave.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type; the message gives its path.
    """
    return from_plain(value, Recipe, CONVERTER, where)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a JSON file.

    Raises:
        ConfigError: the file is missing, is not JSON or does not describe a recipe.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"'{path}' cannot be read as a recipe: {error}.") from error
    return recipe_from_plain(value, f"'{path}'")


def phase_identity(recipe: Recipe, phase: Phase) -> dict[str, Any]:
    """What a checkpoint of the phase must agree with, as plain values."""
    plain = recipe_to_plain(recipe)
    keys = ("clip", "encoder", "transform", "batch_size", "clips_per_video", "temporal", "seed", "precision")
    identity = {key: plain[key] for key in (*keys, "sound") if key in plain}
    return {**identity, "phase": plain["phases"][recipe.number(phase) - 1]}
