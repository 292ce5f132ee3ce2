"""The table of methods: the one place where they are listed by name. A method's row is in its recipe's file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from
from kinema.core.vocabulary import EncoderEntry
from kinema.methods import JoinedConfig
from kinema.recipes.cmd import CMD
from kinema.recipes.contrast import MOCO, SIMCLR, SUPERVISED
from kinema.recipes.cpr import CPR, CPR_BANK
from kinema.recipes.dcvh import DCVH
from kinema.recipes.elo import ELO
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.scenes import BE, BE_REGULARISER, DSM
from kinema.recipes.sentences import DECLUTR, SIMCSE
from kinema.recipes.tot import TOT
from kinema.recipes.trl import TRL
from kinema.recipes.video_qa import VIDEO_QA
from kinema.recipes.xdc import XDC

METHODS: Mapping[str, MethodEntry] = MappingProxyType(
    {
        "cpr": CPR,
        "cpr-bank": CPR_BANK,
        "moco": MOCO,
        "simclr": SIMCLR,
        "be": BE,
        "be-regulariser": BE_REGULARISER,
        "dsm": DSM,
        "cmd": CMD,
        "elo": ELO,
        "xdc": XDC,
        "declutr": DECLUTR,
        "simcse": SIMCSE,
        "tot": TOT,
        "trl": TRL,
        "dcvh": DCVH,
        "video-qa": VIDEO_QA,
        "supervised": SUPERVISED,
    }
)
"""The methods by name."""


def _encoders() -> dict[str, EncoderEntry]:
    """Untrained ones, baselines, methods, then references that learnt from labels; each group as the table has it."""
    found = {"random": EncoderEntry("Untrained network", "Untrained", role="untrained")}
    for role in ("baseline", "method", "reference"):
        for name, method in METHODS.items():
            if method.role == role:
                found |= {**method.aliases, name: method.encoder}
    return found


ENCODERS: Mapping[str, EncoderEntry] = MappingProxyType(_encoders())
"""Encoders by the name that tables give them, in the order in which a report lists them."""

JOINED = "joined"
"""What JSON calls methods beside one another; a user names each of them."""


def method_entry(name: str) -> MethodEntry:
    """The method of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in METHODS:
        raise UsageError(f"There is no method '{name}'.", choose_from(name, METHODS))
    return METHODS[name]


def entry_of(config: Any) -> MethodEntry:
    """The row of the method whose settings these are."""
    return next(entry for entry in METHODS.values() if entry.config is type(config))


def settings_kind(name: str) -> type:
    """The class of the settings that JSON calls so.

    Raises:
        UsageError: there is none; the message lists the methods there are.
    """
    return JoinedConfig if name == JOINED else method_entry(name).config


def leading(config: Any) -> Any:
    """The settings of the method that leads: the first, where several are joined."""
    return config.method if isinstance(config, JoinedConfig) else config


def method_name(config: object) -> str:
    """The name of the method whose settings these are."""
    if isinstance(config, JoinedConfig):
        return JOINED
    return next(name for name, entry in METHODS.items() if entry.config is type(config))


def encoder_name(config: Any) -> str:
    """What tables call the encoder that these settings train: 'infonce' for MoCo, 'coclr' for CPR with one stage.

    Methods beside it follow after a plus sign.
    """
    first, *beside = getattr(config, "parts", (config,))
    entry = entry_of(first)
    name = entry.reported(first) if entry.reported is not None else method_name(first)
    return "+".join([name, *(method_name(other) for other in beside)])


def preset(name: str, method: str) -> Plan:
    """The plan of that name for that method.

    Raises:
        UsageError: there is no such method, or it has no such preset.
    """
    presets = method_entry(method).presets
    if name not in presets:
        raise UsageError(f"There is no preset '{name}' of '{method}'.", choose_from(name, presets))
    return presets[name]()
