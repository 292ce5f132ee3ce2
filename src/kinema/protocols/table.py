"""The protocols by name, with their presets: what the command line lists, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kinema.core.errors import UsageError


@dataclass(frozen=True)
class Protocol:
    """One way of measuring.

    Args:
        asks: the question it answers.
        presets: its named settings and what they mean, the default first.
        each: whether all presets are measured, a result each, where none is named.
        takes: the options that only some protocols have: 'views', 'shares', 'draws', 'fit'.
    """

    asks: str
    presets: Mapping[str, str]
    each: bool = False
    takes: tuple[str, ...] = ()


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "retrieval": Protocol(
            "is the nearest video of the same class?",
            {
                "coclr": "windows all along the video, each split's mean subtracted (Han et al. 2020)",
                "vcop": "ten clips of a video, cosine (Xu et al. 2019)",
            },
        ),
        "knn": Protocol(
            "which class do the nearest training videos vote for?",
            {
                "k20-t0.07": "20 neighbours, weights exp(cosine / 0.07)",
                "k200-t0.07": "200 neighbours (Wu et al. 2018)",
            },
        ),
        "linear": Protocol(
            "which class does logistic regression on the features name?",
            {
                "features": "on stored features, the penalty chosen on training recordings",
                "end-to-end": "on augmented clips of the frozen encoder, the epoch chosen on training recordings",
            },
            takes=("shares", "fit"),
        ),
        "few-label": Protocol(
            "the same with few labels: mean over several draws",
            {"1%": "a hundredth of the labels, at least one a class", "10%": "a tenth of the labels"},
            each=True,
            takes=("shares", "draws"),
        ),
        "finetune": Protocol(
            "which class does it name once all layers are trained?",
            {
                "100%": "with all labels, the epoch chosen on training recordings",
                "10%": "with a tenth of the labels",
                "1%": "with a hundredth of them, at least one a class",
            },
            takes=("shares", "fit"),
        ),
        "mining": Protocol(
            "would the positives that are mined be of the same class?", {"run": "the cascade of the run itself"}
        ),
        "diagnostics": Protocol(
            "what can be said of the encoder without labels?",
            {"k10-t2": "ranks, distances, and what a video's ten nearest share with it"},
        ),
        "cross-modal": Protocol(
            "does a video in one view find itself in another?",
            {"projected": "by the heads' projections, cosine, both ways"},
            takes=("views",),
        ),
    }
)
"""The protocols by name."""


def check(protocol: str, preset: str | None, options: Mapping[str, object | None]) -> tuple[str, ...]:
    """The presets that are to be measured.

    Args:
        protocol: its name.
        preset: the one that was asked for; None for the protocol's default.
        options: by name, what was given of the options that only some protocols have; None where nothing was.

    Raises:
        UsageError: there is no such protocol or preset, or the protocol has no such option.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol '{protocol}'.", f"Choose one of: {', '.join(PROTOCOLS)}.")
    known = PROTOCOLS[protocol]
    if preset is not None and preset not in known.presets:
        raise UsageError(f"{protocol} has no preset '{preset}'.", f"Choose one of: {', '.join(known.presets)}.")
    for name, value in options.items():
        if value is not None and name not in known.takes:
            those = " and ".join(p for p, entry in PROTOCOLS.items() if name in entry.takes)
            raise UsageError(f"{protocol} has no option '{name}'.", f"It belongs to {those}.")
    if preset is not None and preset.endswith("%") and options.get("shares") is not None:
        raise UsageError(f"The preset {preset} is a share of the labels already.", "Give shares or a preset.")
    if preset is not None:
        return (preset,)
    return tuple(known.presets) if known.each else (next(iter(known.presets)),)


def two_views(views: Sequence[str] | None) -> tuple[str, str]:
    """The two views that cross-modal retrieval compares.

    Raises:
        UsageError: there are not two of them.
    """
    if views is None or len(views) != 2 or views[0] == views[1]:
        given = "none" if views is None else " ".join(views) or "none"
        raise UsageError(f"cross-modal compares two views; given: {given}.", "Name them: --views rgb motion.")
    return views[0], views[1]


def listing() -> str:
    """The protocols and their presets, a line each."""
    lines = []
    for name, protocol in PROTOCOLS.items():
        lines.append(f"  {name:12} {protocol.asks}")
        for number, (preset, meaning) in enumerate(protocol.presets.items()):
            default = " [default]" if number == 0 and len(protocol.presets) > 1 and not protocol.each else ""
            lines.append(f"      {preset:11} {meaning}{default}")
        if protocol.each:
            lines.append("      all presets are measured where none is named")
    return "\n".join(lines)
