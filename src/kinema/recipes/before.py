"""Settings that came later: what a recipe means that was written before there were any.

A field of ``ADDED`` is left out of JSON where it has the value that stood for it before, and has that value where JSON
does not name it. A run of before is thus read as what it was, and its checkpoints fit its recipe key by key; a default
may still be another value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from kinema.data.clips.transforms import Elsewhere, LocalWarp, TransformConfig
from kinema.methods import BEConfig, CMDConfig, CPRBankConfig, CPRConfig, DSMConfig, MoCoConfig, SimCLRConfig
from kinema.networks import HeadConfig
from kinema.recipes.plan import Schedule

ADDED: Mapping[type, Mapping[str, Any]] = {
    HeadConfig: {"affine": False, "hidden": 0},
    Elsewhere: {"apart": 0},
    LocalWarp: {"around": "centre"},
    TransformConfig: {"crop": 0.0, "plain_pairs": False, "rotation": 0.0},
    Schedule: {"guide": None, "infonce_drops": (), "infonce_siblings": "ignored"},
    MoCoConfig: {"own_among": 0},
    SimCLRConfig: {"own_among": 0, "one_batch": False},
    BEConfig: {"own_among": 0, "apart": 0},
    DSMConfig: {"own_among": 0, "apart": 0, "negative": "broken"},
    CMDConfig: {"geometry": "clip", "reads": "last"},
    CPRConfig: {"own_among": 0},
    CPRBankConfig: {"own_among": 0},
}
"""By the class of settings: fields that came later, and what held before. A class comes after those in its fields."""


def keep_old(converter: cattrs.Converter) -> cattrs.Converter:
    """Makes a converter read and write settings as :data:`ADDED` says; returns it."""
    for kind, added in ADDED.items():
        _register(converter, kind, added)
    return converter


def _register(converter: cattrs.Converter, kind: type, added: Mapping[str, Any]) -> None:
    written: Any = make_dict_unstructure_fn(kind, converter)
    read: Any = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)
    plain = {name: converter.unstructure(value) for name, value in added.items()}

    def unstructure(settings: Any) -> dict[str, Any]:
        old = [name for name, value in added.items() if getattr(settings, name) == value]
        return {name: value for name, value in written(settings).items() if name not in old}

    def structure(value: Any, _: Any) -> Any:
        return read({**plain, **value} if isinstance(value, Mapping) else value, kind)

    converter.register_unstructure_hook(kind, unstructure)
    converter.register_structure_hook(kind, structure)
