"""The protocols by name: what the command line lists, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from
from kinema.core.protocol import Protocol
from kinema.protocols.answers import ANSWERS
from kinema.protocols.cross_modal import CROSS_MODAL
from kinema.protocols.diagnostics import DIAGNOSTICS
from kinema.protocols.few_label import FEW_LABEL
from kinema.protocols.finetune import FINETUNE
from kinema.protocols.hashing import HASHING
from kinema.protocols.knn import KNN
from kinema.protocols.linear import LINEAR
from kinema.protocols.mining import MINING
from kinema.protocols.reid import REID
from kinema.protocols.retrieval import RETRIEVAL
from kinema.protocols.segmentation import SEGMENTATION
from kinema.protocols.sts import STS
from kinema.protocols.transfer import TRANSFER

ROWS: tuple[Protocol[Any], ...] = (
    RETRIEVAL,
    CROSS_MODAL,
    KNN,
    FEW_LABEL,
    LINEAR,
    FINETUNE,
    MINING,
    DIAGNOSTICS,
    STS,
    TRANSFER,
    SEGMENTATION,
    REID,
    HASHING,
    ANSWERS,
)
"""A row a protocol, in the order in which they are listed and reported."""

PROTOCOLS: Mapping[str, Protocol[Any]] = MappingProxyType({protocol.name: protocol for protocol in ROWS})
"""The protocols by name."""


def find(name: str) -> Protocol[Any]:
    """The protocol of that name.

    Raises:
        UsageError: there is none; the hint lists those there are.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"There is no protocol '{name}'.", choose_from(name, PROTOCOLS))
    return PROTOCOLS[name]


def check(name: str, preset: str | None, options: Mapping[str, object | None]) -> tuple[str, ...]:
    """The presets that are to be measured.

    Args:
        name: the protocol.
        preset: the one that was chosen; None for the protocol's default.
        options: by name, what was given of the options that only some protocols have; None where nothing was.

    Raises:
        UsageError: there is no such protocol or preset, or the protocol has no such option.
    """
    protocol = find(name)
    if preset is not None and preset not in protocol.presets:
        raise UsageError(f"{name} has no preset '{preset}'.", choose_from(preset, protocol.presets))
    for option, value in options.items():
        if value is not None and option not in protocol.takes:
            those = " and ".join(each.name for each in ROWS if option in each.takes)
            raise UsageError(f"{name} has no option '{option}'.", f"It belongs to {those}.")
    if preset is not None and preset.endswith("%") and options.get("shares") is not None:
        raise UsageError(f"The preset {preset} is a share of the labels already.", "Give shares or a preset.")
    if preset is not None:
        return (preset,)
    return tuple(protocol.presets) if protocol.each else (next(iter(protocol.presets)),)


def check_one_encoder(protocol: Protocol[Any], model: Any) -> None:
    """Refuses encoders side by side where a protocol takes one.

    Raises:
        UsageError: there are several.
    """
    views: Sequence[Any] = getattr(model, "readers", ())
    if len(views) > 1:
        those = ", ".join(each.name for each in ROWS if each.joins)
        raise UsageError(
            f"{protocol.name} takes one encoder, and '{model.view}' are {len(views)} side by side.",
            f"Name one view: --view {views[0].view}. Several are measured by {those}.",
        )


def two_views(protocol: str, views: Sequence[str] | None) -> tuple[str, str]:
    """The two views that a protocol compares.

    Raises:
        UsageError: there are not two of them.
    """
    if views is None or len(views) != 2 or views[0] == views[1]:
        given = "none" if views is None else " ".join(views) or "none"
        raise UsageError(f"{protocol} compares two views; given: {given}.", "Name them: --views rgb motion.")
    return views[0], views[1]


def listing() -> str:
    """The protocols and their presets, a line each."""
    lines = []
    for protocol in ROWS:
        lines.append(f"  {protocol.name:12} {protocol.question}")
        for number, (preset, meaning) in enumerate(protocol.presets.items()):
            default = " [default]" if number == 0 and len(protocol.presets) > 1 and not protocol.each else ""
            lines.append(f"      {preset:12} {meaning}{default}")
        if protocol.each:
            lines.append("      all presets are measured where none is named")
    return "\n".join(lines)
