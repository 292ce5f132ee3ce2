"""The people of Mocap-15: proportions, clothes, and the jointed figure that wears them.

The skeleton has the joints and rest offsets of the humanoid to which the motions were fitted (metres at rest, x
forward, y up, z right). What is seen of it, capsules and boxes in skin, top, trousers, hair and shoes, is our own.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap import rotations
from kinema.data.mocap.motions import JOINTS, Motion
from kinema.data.mocap.rotations import Array
from kinema.data.mocap.shapes import Body, Box, Capsule, Colour, ellipsoid, scaled

PARENTS = (-1, 0, 1, 0, 3, 4, 1, 6, 0, 8, 9, 1, 11)
"""For every rotation of a motion, the one it is relative to."""

TIPS = {"head": ("neck", (0.0, 0.20, 0.0)), "right_hand": ("right_elbow", (0.0, -0.30, 0.0))}
TIPS["left_hand"] = ("left_elbow", TIPS["right_hand"][1])
TIPS["right_toe"] = ("right_ankle", (0.12, -0.05, 0.0))
TIPS["left_toe"] = ("left_ankle", TIPS["right_toe"][1])

POINTS = (*JOINTS, *TIPS)
"""Names of the points that :func:`place_points` gives."""

_HIP, _SHOULDER = (0.0, 0.0, 0.0849), (-0.0241, 0.2435, 0.1831)
_SKIN = ((0.97, 0.80, 0.69), (0.91, 0.71, 0.57), (0.80, 0.59, 0.44), (0.62, 0.43, 0.31), (0.45, 0.30, 0.21))
_HAIR = ((0.10, 0.08, 0.07), (0.24, 0.15, 0.09), (0.42, 0.27, 0.14), (0.78, 0.62, 0.36), (0.55, 0.54, 0.53))

_HIPS = (0.98, 1.05, 1.0)
_EYES = (0.13, 0.10, 0.09)


@dataclass(frozen=True)
class Actor:
    """One person.

    Args:
        name: unique in the set, for instance ``train-actor-03``.
        legs: their length relative to the skeleton's.
        arms: likewise.
        trunk: likewise.
        girth: thickness of trunk and limbs relative to the usual.
        skin: RGB, 0 to 1, as all colours here.
        hair: its colour.
        top: its colour.
        trousers: their colour.
        shoes: their colour.
        short_sleeves: whether the forearms are bare.
        shorts: whether the shins are bare.
        shoulders: how wide they are relative to the usual.
        hips: likewise.
        head: its size, likewise.
    """

    name: str
    legs: float
    arms: float
    trunk: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    short_sleeves: bool
    shorts: bool
    shoulders: float = 1.0
    hips: float = 1.0
    head: float = 1.0


def draw_actor(seed: int, split: str, number: int, contrast: float) -> Actor:
    """The person of that number: a function of the arguments alone.

    Args:
        seed: the set's.
        split: ``train`` or ``test``; no actor is in both.
        number: which one.
        contrast: how far clothes stand out, 0 to 1 (``MocapConfig.limb_contrast``).
    """
    rng = np.random.Generator(np.random.PCG64(seed_at(seed, "mocap", "actor", split, number)))
    legs, arms, trunk, girth = rng.uniform((0.9, 0.92, 0.92, 0.85), (1.1, 1.08, 1.08, 1.3))
    light = int(rng.integers(2))
    return Actor(
        name=f"{split}-actor-{number:02d}",
        legs=float(legs),
        arms=float(arms),
        trunk=float(trunk),
        girth=float(girth),
        skin=_jitter(_SKIN[int(rng.integers(len(_SKIN)))], rng),
        hair=_jitter(_HAIR[int(rng.integers(len(_HAIR)))], rng),
        top=_cloth(rng, contrast, light=light),
        trousers=_cloth(rng, contrast, light=1 - light),
        shoes=_jitter((0.12, 0.12, 0.14) if rng.random() < 0.6 else (0.88, 0.88, 0.86), rng),
        short_sleeves=bool(rng.random() < 0.5),
        shorts=bool(rng.random() < 0.3),
    )


def _jitter(colour: Colour, rng: np.random.Generator) -> Colour:
    r, g, b = np.clip(np.array(colour) * rng.uniform(0.92, 1.08) + rng.uniform(-0.02, 0.02, 3), 0.0, 1.0)
    return float(r), float(g), float(b)


def _cloth(rng: np.random.Generator, contrast: float, light: int) -> Colour:
    hue, spread, saturation = rng.random(), rng.uniform(0.7, 1.0), rng.uniform(0.35, 1.0)
    value = 0.55 + contrast * spread * (0.42 if light else -0.4)
    return colorsys.hsv_to_rgb(hue, 0.15 + 0.7 * contrast * saturation, value)


def offsets(actor: Actor) -> Array:
    """float64 [J, 3]: every joint from its parent at rest, metres."""
    side = np.array([1.0, 1.0, -1.0])
    hip, shoulder = np.array(_HIP) * [1, 1, actor.hips], np.array(_SHOULDER) * [1, actor.trunk, actor.shoulders]
    knee, ankle = np.array([0, -0.4215, 0]) * actor.legs, np.array([0, -0.4099, 0]) * actor.legs
    elbow = np.array([0, -0.2748, 0]) * actor.arms
    chest, neck = np.array([0, 0.2361, 0]) * actor.trunk, np.array([0, 0.2239, 0]) * actor.trunk
    right, left = [hip, knee, ankle, shoulder, elbow], [hip * side, knee, ankle, shoulder * side, elbow]
    return np.stack([np.zeros(3), chest, neck, *right, *left])


def place_points(motion: Motion, actor: Actor) -> Array:
    """Where the joints and the ends of the body are: float64 [F, len(POINTS), 3], metres."""
    return _with_tips(*_follow(motion, actor))


def _follow(motion: Motion, actor: Actor) -> tuple[Array, Array]:
    """Every joint's place, float64 [F, J, 3], and its rotation in the world, [F, J, 4]."""
    bones, turns = offsets(actor), motion.rotation
    where, world = [root_position(motion, actor)], [turns[:, 0]]
    for joint in range(1, len(JOINTS)):
        parent = PARENTS[joint]
        where.append(where[parent] + rotations.rotate(world[parent], bones[joint]))
        world.append(rotations.multiply(world[parent], turns[:, joint]))
    return np.stack(where, axis=1), np.stack(world, axis=1)


def _with_tips(where: Array, world: Array) -> Array:
    """The joints' places with those of the ends of the body."""
    tips = []
    for joint_name, tip in TIPS.values():
        joint = JOINTS.index(joint_name)
        tips.append(where[:, joint] + rotations.rotate(world[:, joint], np.array(tip)))
    return np.concatenate([where, np.stack(tips, axis=1)], axis=1)


def root_position(motion: Motion, actor: Actor) -> Array:
    """float64 [F, 3]: the root, at a stride and height that fit the actor's legs."""
    return motion.position * actor.legs


def pose_body(motion: Motion, actor: Actor) -> Body:
    """The actor in the motion, as the renderer draws them."""
    where, world = _follow(motion, actor)
    return Body(dress(actor), where, world, _with_tips(where, world))


def dress(actor: Actor) -> tuple[Capsule | Box, ...]:
    """What is seen of an actor, fixed to the frames of :data:`JOINTS`."""
    return (*_trunk(actor), *_head(actor), *_limbs(actor, "right", 1.0), *_limbs(actor, "left", -1.0))


def _trunk(a: Actor) -> list[Capsule | Box]:
    root, chest = JOINTS.index("root"), JOINTS.index("chest")
    g, t, w = a.girth, a.trunk, a.shoulders
    shapes: list[Capsule | Box] = [
        # Hips, waist, rib cage: wider than deep.
        Capsule(root, (0, -0.02, -0.055 * a.hips), (0, -0.02, 0.055 * a.hips), 0.098 * g, 0.098 * g, a.trousers, _HIPS),
        Capsule(root, (0, 0.06, 0), (0, 0.22 * t, 0), 0.096 * g, 0.092 * g, a.top, (1.0, 1.0, 1.38)),
        Capsule(chest, (0, 0.12 * t, 0), (0, -0.03 * t, 0), 0.112 * g, 0.094 * g, a.top, (1.0, 1.0, 1.42 * w)),
    ]
    for side in (1.0, -1.0):
        shoulder = (-0.02, 0.225 * t, 0.155 * side * w)
        shapes.append(Capsule(chest, (-0.01, 0.235 * t, 0.03 * side * w), shoulder, 0.062 * g, 0.058 * g, a.top))
        shapes.append(Capsule(chest, (0.005, 0.15 * t, 0.075 * side * w), shoulder, 0.092 * g, 0.06 * g, a.top))
    return shapes


def _head(a: Actor) -> list[Capsule | Box]:
    neck = JOINTS.index("neck")
    shapes = [
        Capsule(neck, (-0.012, -0.02, 0), (0.0, 0.09, 0), 0.054, 0.05, a.skin),
        # Skull, jaw and nose.
        ellipsoid(neck, (-0.002, 0.178, 0), (0.1, 0.108, 0.083), a.skin),
        Capsule(neck, (0.012, 0.15, 0), (0.03, 0.098, 0), 0.074, 0.042, a.skin),
        ellipsoid(neck, (0.098, 0.158, 0), (0.02, 0.024, 0.014), a.skin),
        ellipsoid(neck, (-0.026, 0.2, 0), (0.101, 0.104, 0.094), a.hair),
        *(ellipsoid(neck, (0.084, 0.183, 0.034 * side), (0.012, 0.011, 0.014), _EYES) for side in (1.0, -1.0)),
    ]
    return [scaled(shape, a.head) for shape in shapes]


def _limbs(a: Actor, side: str, z: float) -> list[Capsule | Box]:
    hip, knee, ankle, shoulder, elbow = (
        JOINTS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle", "shoulder", "elbow")
    )
    g, arm, leg = a.girth, 0.2748 * a.arms, a.legs
    shin = a.skin if a.shorts else a.trousers
    forearm = a.skin if a.short_sleeves else a.top
    thick = 1.0 if a.shorts else 1.06
    sole = tuple(0.45 * part + 0.55 * (0.9 if max(a.shoes) < 0.5 else 0.2) for part in a.shoes)
    shapes: list[Capsule | Box] = [
        Capsule(hip, (0, 0.0, -0.004 * z), (0, -0.4215 * leg, 0), 0.09 * g, 0.062 * g, a.trousers),
        Capsule(knee, (0, 0.0, 0), (-0.004, -0.39 * leg, 0), 0.06 * g * thick, 0.041 * g * thick, shin),
        Capsule(knee, (-0.014, -0.1 * leg, 0), (-0.008, -0.25 * leg, 0), 0.055 * g * thick, 0.042 * g * thick, shin),
        Capsule(ankle, (-0.028, -0.028, 0), (0.118, -0.04, 0), 0.046, 0.035, a.shoes, (1.0, 1.0, 1.08)),
        Box(ankle, (0.045, -0.066, 0), (0.112, 0.011, 0.045), (sole[0], sole[1], sole[2])),
    ]
    if a.short_sleeves:
        shapes.append(Capsule(shoulder, (0, 0, 0), (0, -arm, 0), 0.051 * g, 0.043 * g, a.skin))
        shapes.append(Capsule(shoulder, (0, 0, 0), (0, -0.48 * arm, 0), 0.062 * g, 0.058 * g, a.top))
    else:
        shapes.append(Capsule(shoulder, (0, 0, 0), (0, -arm, 0), 0.06 * g, 0.046 * g, a.top))
    shapes += [
        Capsule(elbow, (0, 0, 0), (0, -0.225 * a.arms, 0), 0.043 * g, 0.031 * g, forearm),
        Capsule(elbow, (0, -0.235, 0), (0.006, -0.315, 0), 0.041, 0.033, a.skin, (1.0, 1.0, 0.62)),
        Capsule(elbow, (0.016, -0.245, 0), (0.052, -0.285, 0), 0.017, 0.014, a.skin),
    ]
    return shapes
