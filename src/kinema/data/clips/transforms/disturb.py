"""Disturbances carried out: variants that are changed, and negatives that are made, in the order they are listed in.

What a disturbance is, :class:`kinema.core.clips.Disturbance` says. A negative is made of its variant as those
before it in the list have left it: after BE's still frame, DSM's broken clip has the still frame too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.clips import ClipSpec, Disturbance, Negatives
from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms.elsewhere import Elsewhere

SAME = 1e-3
"""Views that differ by no more than this anywhere are one clip: a still clip has no broken motion."""

Views = Mapping[str, Tensor]


@dataclass(frozen=True)
class Disturbed:
    """What came of it.

    Args:
        variants: as many as there were.
        negatives: those that were made; not valid where the video had no room for a window elsewhere, and where the
            negative came out as the clip itself.
    """

    variants: tuple[Views, ...]
    negatives: Negatives


def disturbed(
    disturb: Sequence[Disturbance],
    variants: Sequence[Views],
    elsewhere: tuple[Views, Tensor] | None,
    generator: torch.Generator,
) -> Disturbed:
    """Applies disturbances, one after the other.

    Args:
        disturb: which.
        variants: V of each clip, every view in float [B, C, T, S, S].
        elsewhere: the window elsewhere and bool [B], whose video has one; None where none was drawn.
        generator: on the CPU.

    Raises:
        ConfigError: a disturbance acts on a variant that there is not.
        ShapeError: a disturbance wants a window elsewhere and none was drawn.
    """
    check_variants(disturb, len(variants))
    made, negatives, valid = list(variants), [], []
    for each in disturb:
        if not each.negative:
            made[each.variant] = each.apply(made[each.variant], generator)
            continue
        if each.elsewhere:
            if elsewhere is None:
                raise ShapeError(
                    f"{type(each).__name__} wants a window elsewhere in each video, and the clips come without one.",
                    "Build the sampler with elsewhere=True.",
                )
            negatives.append(each.apply(elsewhere[0], generator))
            valid.append(elsewhere[1])
        else:
            negatives.append(each.apply(made[each.variant], generator))
            valid.append(_differs(negatives[-1], made[each.variant]))
    return Disturbed(tuple(made), Negatives(tuple(negatives), torch.stack(valid, dim=1)) if valid else Negatives())


def check_variants(disturb: Sequence[Disturbance], variants: int) -> None:
    """Refuses a disturbance of a variant that a method does not have.

    Raises:
        ConfigError: names both.
    """
    for each in disturb:
        if each.variant >= variants and not each.elsewhere:
            raise ConfigError(
                f"{type(each).__name__} acts on variant {each.variant} of each clip (0 is the first), and the method "
                f"takes {variants}.",
                f"Leave it out, or in Python give it another: {type(each).__name__}(variant=0).",
            )


def needed_views(disturb: Sequence[Disturbance]) -> tuple[str, ...]:
    """The views that disturbances need, each once."""
    return tuple(dict.fromkeys(view for each in disturb for view in each.views))


def apart_in(disturb: Sequence[Disturbance], spec: ClipSpec) -> int:
    """How far away a window elsewhere begins, in frames: as far as the disturbance that wants it farthest away."""
    third = math.ceil(spec.span / 3)
    return max((min(each.apart or third, third) for each in disturb if isinstance(each, Elsewhere)), default=third)


def acting_on(disturb: Sequence[Disturbance], variant: int | None) -> tuple[Disturbance, ...]:
    """The disturbances of one variant; of the window elsewhere, if it is None."""
    return tuple(each for each in disturb if (None if each.elsewhere else each.variant) == variant)


def only(variant: Views, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The named views of a variant."""
    return {name: variant[name] for name in names}


def _differs(one: Views, other: Views) -> Tensor:
    """Bool [B], which clips differ in some view."""
    # Over all axes at once, in the order of memory; flattening would copy the clips.
    gaps = [(one[name] - other[name]).abs_().amax((1, 2, 3, 4)) for name in one]
    return torch.stack(gaps).amax(0) > SAME
