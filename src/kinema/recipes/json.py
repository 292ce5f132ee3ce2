"""Recipes as JSON and back, strictly: what a run folder keeps is what ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cattrs
from cattrs.gen import make_dict_unstructure_fn

from kinema.core.clips import SOUND, Disturbance
from kinema.core.config import from_plain, make_strict_converter
from kinema.core.contracts import DataConfig, NetworkConfig
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.core.reading import read_object
from kinema.data.clips.config import ClipsConfig
from kinema.networks import omit_unused_settings
from kinema.recipes.before import keep_old
from kinema.recipes.disturbances import disturbance_kind, disturbance_name
from kinema.recipes.kinds import data_kind, data_name, network_kind
from kinema.recipes.table import method_name, settings_kind
from kinema.training.settings import Phase, Recipe


def _converter() -> cattrs.Converter:
    converter = omit_unused_settings(make_strict_converter())
    _tag(converter, MethodConfig, "a method", method_name, settings_kind)
    _tag(converter, Disturbance, "a disturbance", disturbance_name, disturbance_kind)
    _tag(converter, DataConfig, "data", data_name, data_kind)
    _of_networks(converter)
    keep_old(converter)
    whole = make_dict_unstructure_fn(Recipe, converter)
    converter.register_unstructure_hook(Recipe, lambda recipe: _trimmed(recipe, whole(recipe)))
    return converter


def _trimmed(recipe: Recipe, plain: dict[str, Any]) -> dict[str, Any]:
    """Removes the settings of sound from a recipe without sound, whose JSON is then as before there were any."""
    if not isinstance(recipe.data, ClipsConfig):
        return plain
    if any(SOUND in needs.views for needs in recipe.needs):
        plain["encoder"]["sound"] = recipe.encoder.sound  # type: ignore[attr-defined]
    else:
        del plain["data"]["sound"], plain["data"]["transform"]["sound"]
    return plain


def _of_networks(converter: cattrs.Converter) -> None:
    """Settings of networks say by their own field 'name' of which kind they are."""
    converter.register_unstructure_hook_func(lambda kind: kind is NetworkConfig, converter.unstructure)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("expected the settings of a network")
        name = value.get("name", "")
        if not isinstance(name, str):
            raise TypeError("expected the 'name' of a network")
        return converter.structure(value, network_kind(name))

    converter.register_structure_hook_func(lambda kind: kind is NetworkConfig, structure)


def _upgraded(value: Any) -> Any:
    """A recipe as it was written before its data had settings of their own: what was of clips goes under 'data'."""
    if not isinstance(value, dict) or "data" in value or "clip" not in value:
        return value
    of_clips = {key: value[key] for key in ClipsConfig.__dataclass_fields__ if key in value}
    return {**{key: item for key, item in value.items() if key not in of_clips}, "data": {"name": "clips", **of_clips}}


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
    return from_plain(_upgraded(value), Recipe, CONVERTER, where)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a JSON file.

    Raises:
        ConfigError: the file is missing, is not JSON or does not describe a recipe.
    """
    return recipe_from_plain(read_object(path, error=ConfigError), f"'{path}'")


def phase_identity(recipe: Recipe, phase: Phase) -> dict[str, Any]:
    """What a checkpoint of the phase must agree with, as plain values."""
    plain = recipe_to_plain(recipe)
    of_data = {key: plain["data"][key] for key in recipe.data.identity if key in plain["data"]}
    shared = {key: plain[key] for key in ("encoder", "batch_size", "seed", "precision")}
    return {**of_data, **shared, "phase": plain["phases"][recipe.number(phase) - 1]}
