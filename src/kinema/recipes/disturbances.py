"""The table of disturbances: the one place where they are listed by name.

``KINDS`` are the disturbances themselves, as recipes in JSON name them. ``TRANSFORMS`` are what a user names to have
them on top of a method: all of a paper's, or one alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.core.clips import Disturbance
from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from
from kinema.data.clips.transforms import RELEASED_APART, BrokenMotion, Elsewhere, LocalWarp, Rotation, StaticFrame

KINDS: dict[str, type] = {
    "static-frame": StaticFrame,
    "elsewhere": Elsewhere,
    "local-warp": LocalWarp,
    "broken-motion": BrokenMotion,
    "rotation": Rotation,
}

RELEASED: dict[type, Disturbance] = {
    Elsewhere: Elsewhere(RELEASED_APART),
    LocalWarp: LocalWarp(around="shifted"),
}
"""What differs from the defaults of a kind where it is named: as the authors' code has it. Defaults stay as they were
when runs were made whose recipes say no more."""

TRANSFORMS: dict[str, tuple[Disturbance, ...]] = {
    "be": (StaticFrame(), RELEASED[Elsewhere]),
    "dsm": (RELEASED[LocalWarp], BrokenMotion()),
    "dsm-released": (RELEASED[LocalWarp], RELEASED[Elsewhere]),
    "iic": (BrokenMotion(kinds=("shuffle", "repeat")),),
    **{name: (RELEASED.get(kind) or kind(),) for name, kind in KINDS.items()},
}


def transforms_named(names: Sequence[str]) -> tuple[Disturbance, ...]:
    """The disturbances of all these names, each once, in order.

    Raises:
        UsageError: there is no such name; the message lists those there are.
    """
    for name in names:
        if name not in TRANSFORMS:
            raise UsageError(f"There is no transform '{name}'.", f"Choose from: {', '.join(TRANSFORMS)}.")
    return tuple(dict.fromkeys(each for name in names for each in TRANSFORMS[name]))


def disturbance_kind(name: str) -> type:
    """The disturbance that JSON calls so.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in KINDS:
        raise UsageError(f"There is no disturbance '{name}'.", choose_from(name, KINDS))
    return KINDS[name]


def disturbance_name(disturbance: object) -> str:
    """What JSON calls a disturbance."""
    return next(name for name, kind in KINDS.items() if kind is type(disturbance))
