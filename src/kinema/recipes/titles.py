"""The encoders that a report knows: those of the table of methods, and the few that go by another name.

A method's title, short title and role stand in its row of the table. Here are the names that no method has: 'random' is
an untrained network, 'infonce' is what MoCo trains, 'coclr' is CPR with one stage; and the settings that distinguish
encoders of one name, or compare one with a simpler form of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from kinema.core.vocabulary import Contrast, EncoderEntry, Role
from kinema.recipes.entry import MethodEntry
from kinema.recipes.table import METHODS

UNTRAINED = {"random": EncoderEntry("Untrained network", "Untrained", role="untrained")}

OTHER_NAMES = {
    "infonce": EncoderEntry("InfoNCE", role="baseline", method="moco"),
    "coclr": EncoderEntry("CPR, 1 stage (CoCLR)", "CoCLR", method="cpr", priority=1, settings=("guide",)),
}
"""Encoders of a method that go by another name than the method's; each is listed before the method's own."""

DETAILS: Mapping[str, Mapping[str, Any]] = {
    "cpr": {
        "priority": 2,
        "settings": ("stages", "guide"),
        "contrast": Contrast("coclr", "Against one stage of mining (CoCLR, {}), the cascade is"),
    },
    "cpr-bank": {"settings": ("stages", "guide")},
}
"""Further fields of a method's entry."""


def entry_of(name: str, method: MethodEntry) -> EncoderEntry:
    """What a report knows of the encoders that a method trains."""
    text = method.modalities == ("text",)
    entry = EncoderEntry(
        method.title,
        method.short,
        role=cast(Role, method.role),
        modality="text" if text else "video",
        unit="documents" if text else "videos",
    )
    return replace(entry, **DETAILS.get(name, {}))


def _encoders() -> dict[str, EncoderEntry]:
    """Untrained ones, baselines, methods, then references that learnt from labels; each group as the table has it."""
    found = dict(UNTRAINED)
    for role in ("baseline", "method", "reference"):
        for name, method in METHODS.items():
            if method.role == role:
                found |= {other: entry for other, entry in OTHER_NAMES.items() if entry.method == name}
                found[name] = entry_of(name, method)
    return found


ENCODERS: Mapping[str, EncoderEntry] = MappingProxyType(_encoders())
"""Encoders by name, in the order in which a report lists them."""
