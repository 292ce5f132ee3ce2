"""What people look like: clothes of their own, or one outfit for all and a build of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kinema.data.mocap.body import Actor, draw_actor, dress
from kinema.data.mocap.motions import JOINTS
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.plan import person_name, rng_at
from kinema.data.mocap.shapes import Box, Capsule, Colour, ellipsoid

SPLIT = "people"
"""In the names of people and places: none of them is one of Mocap-15's."""

_ARMS = tuple(JOINTS.index(name) for name in ("right_shoulder", "right_elbow", "left_shoulder", "left_elbow"))


@dataclass(frozen=True)
class Bearing:
    """How somebody holds themselves, radians; 0 throughout is as the recording does.

    Args:
        lean: of the trunk, forwards.
        head: bent forwards.
        feet: every leg further out.
        arms: every arm further out.
    """

    lean: float = 0.0
    head: float = 0.0
    feet: float = 0.0
    arms: float = 0.0


@dataclass(frozen=True)
class Looks:
    """One person, as a single picture shows them.

    Args:
        actor: build and clothes.
        bearing: how they hold themselves.
        sleeves: colour of the arms of the top.
        band: colour of a broad stripe round the chest; None for none.
        cap: colour of a cap; None for none.
        pack: colour of a rucksack; None for none.
    """

    actor: Actor
    bearing: Bearing
    sleeves: Colour
    band: Colour | None = None
    cap: Colour | None = None
    pack: Colour | None = None


def draw_looks(config: MocapPeopleConfig, person: int) -> Looks:
    """The person of that number, from 0: a function of the arguments alone."""
    if config.identity == "clothes":
        return _dressed(config, person)
    actor, bearing = _build(config, person)
    return Looks(actor, bearing, actor.top)


def _average(actor: Actor, person: int) -> Actor:
    return replace(actor, name=person_name(person), legs=1.0, arms=1.0, trunk=1.0, girth=1.0)


def _dressed(config: MocapPeopleConfig, person: int) -> Looks:
    """Somebody of the usual build in clothes of their own."""
    actor = draw_actor(config.seed, SPLIT, person, config.limb_contrast)
    rng = rng_at(config.seed, "clothes", person)
    # Colours of more clothes are those of somebody who is not in the set.
    other = draw_actor(config.seed, f"{SPLIT}-more", person, config.limb_contrast)
    has = rng.random(4) < (0.4, 0.4, 0.3, 0.35)
    return Looks(
        _average(actor, person),
        Bearing(),
        other.top if has[0] else actor.top,
        other.trousers if has[1] else None,
        other.top if has[2] else None,
        other.trousers if has[3] else None,
    )


def _build(config: MocapPeopleConfig, person: int) -> tuple[Actor, Bearing]:
    """Somebody in the outfit that all wear, with a build and a bearing of their own."""
    outfit = _average(draw_actor(config.seed, f"{SPLIT}-outfit", 0, config.limb_contrast), person)
    rng = rng_at(config.seed, "build", person)
    spread = config.proportions * rng.uniform(-1, 1, 7) * (0.14, 0.12, 0.10, 0.24, 0.12, 0.2, 0.12)
    legs, arms, trunk, girth, shoulders, hips, head = (1.0 + spread).tolist()
    angles = np.deg2rad(config.proportions * rng.uniform((-3, -8, -1, -1), (9, 18, 6, 12)))
    actor = replace(outfit, legs=legs, arms=arms, trunk=trunk, girth=girth, shoulders=shoulders, hips=hips, head=head)
    return actor, Bearing(*angles.tolist())


def dress_person(looks: Looks) -> tuple[Capsule | Box, ...]:
    """What is seen of a person, fixed to the frames of :data:`~kinema.data.mocap.motions.JOINTS`."""
    actor = looks.actor
    worn = dress(actor)
    if looks.sleeves != actor.top:
        other = dress(replace(actor, top=looks.sleeves))
        worn = tuple(b if a.joint in _ARMS else a for a, b in zip(worn, other, strict=True))
    return (*worn, *_more(looks))


def _more(looks: Looks) -> list[Capsule | Box]:
    chest, neck, g, t = JOINTS.index("chest"), JOINTS.index("neck"), looks.actor.girth, looks.actor.trunk
    shapes: list[Capsule | Box] = []
    if looks.band is not None:
        shapes.append(
            Capsule(chest, (0, 0.07 * t, 0), (0, 0.0, 0), 0.113 * g, 0.104 * g, looks.band, (1.02, 0.5, 1.44))
        )
    if looks.cap is not None:
        shapes.append(ellipsoid(neck, (-0.016, 0.222, 0), (0.112, 0.095, 0.102), looks.cap))
        shapes.append(ellipsoid(neck, (0.1, 0.225, 0), (0.06, 0.012, 0.07), looks.cap))
    if looks.pack is not None:
        shapes.append(Box(chest, (-0.16 * g, 0.06 * t, 0), (0.075, 0.19, 0.13), looks.pack))
    return shapes
