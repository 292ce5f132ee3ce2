"""The people of Mocap-15: proportions, clothes, and the jointed figure that wears them.

The skeleton has the joints and rest offsets of the humanoid to which the motions were fitted (metres at rest, x
forward, y up, z right). What is seen of it, capsules and spheres in skin, top, trousers, hair and shoes, is our own.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap import rotations
from kinema.data.mocap.motions import JOINTS, Motion
from kinema.data.mocap.rotations import Array

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

Colour = tuple[float, float, float]


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
    hip, shoulder = np.array(_HIP), np.array(_SHOULDER) * [1, actor.trunk, 1]
    knee, ankle = np.array([0, -0.4215, 0]) * actor.legs, np.array([0, -0.4099, 0]) * actor.legs
    elbow = np.array([0, -0.2748, 0]) * actor.arms
    chest, neck = np.array([0, 0.2361, 0]) * actor.trunk, np.array([0, 0.2239, 0]) * actor.trunk
    right, left = [hip, knee, ankle, shoulder, elbow], [hip * side, knee, ankle, shoulder * side, elbow]
    return np.stack([np.zeros(3), chest, neck, *right, *left])


def place_points(motion: Motion, actor: Actor) -> Array:
    """Where the joints and the ends of the body are: float64 [F, len(POINTS), 3], metres."""
    bones, turns = offsets(actor), motion.rotation
    where, world = [root_position(motion, actor)], [turns[:, 0]]
    for joint in range(1, len(JOINTS)):
        parent = PARENTS[joint]
        where.append(where[parent] + rotations.rotate(world[parent], bones[joint]))
        world.append(rotations.multiply(world[parent], turns[:, joint]))
    for joint_name, tip in TIPS.values():
        joint = JOINTS.index(joint_name)
        where.append(where[joint] + rotations.rotate(world[joint], np.array(tip)))
    return np.stack(where, axis=1)


def root_position(motion: Motion, actor: Actor) -> Array:
    """float64 [F, 3]: the root, at a stride and height that fit the actor's legs."""
    return motion.position * actor.legs


def figure_urdf(actor: Actor) -> str:
    """The actor as a jointed figure in URDF: links and joints named as in :data:`JOINTS`, visuals only."""
    bones = offsets(actor)
    links = [_link(name, shapes) for name, shapes in _shapes(actor).items()]
    joints = []
    for number, name in enumerate(JOINTS[1:], start=1):
        kind = "continuous" if name.endswith(("knee", "elbow")) else "spherical"
        x, y, z = bones[number]
        joints.append(
            f'<joint name="{name}" type="{kind}"><parent link="{JOINTS[PARENTS[number]]}"/><child link="{name}"/>'
            f'<origin xyz="{x:.6f} {y:.6f} {z:.6f}"/><axis xyz="0 0 1"/></joint>'
        )
    return f'<robot name="actor">{"".join(links)}{"".join(joints)}</robot>'


_UP, _ACROSS = "-1.570796 0 0", "0 0 0"
Shape = tuple[Colour, tuple[float, float, float], str, str]


def _shapes(a: Actor) -> dict[str, list[Shape]]:
    """Colour, centre, orientation and geometry of everything seen, by link."""

    def ball(colour: Colour, y: float, radius: float, x: float = 0.0) -> Shape:
        return colour, (x, y, 0.0), _ACROSS, f'<sphere radius="{radius:.5f}"/>'

    def rod(colour: Colour, y: float, length: float, radius: float, along: str = _UP) -> Shape:
        return colour, (0.0, y, 0.0), along, f'<capsule length="{length:.5f}" radius="{radius:.5f}"/>'

    g, t = a.girth, a.trunk
    forearm, shin = (a.skin if a.short_sleeves else a.top), (a.skin if a.shorts else a.trousers)
    shapes: dict[str, list[Shape]] = {
        "root": [rod(a.trousers, 0.0, 0.14, 0.088 * g, _ACROSS), rod(a.top, 0.15 * t, 0.12 * t, 0.103 * g)],
        "chest": [rod(a.top, 0.09 * t, 0.13 * t, 0.122 * g), rod(a.top, 0.205 * t, 0.27, 0.062 * g, _ACROSS)],
        "neck": [rod(a.skin, 0.04, 0.08, 0.05), ball(a.skin, 0.165, 0.1), ball(a.hair, 0.195, 0.099, -0.025)],
    }
    for side in ("right", "left"):
        shapes[f"{side}_hip"] = [rod(a.trousers, -0.2 * a.legs, 0.34 * a.legs, 0.076 * g)]
        shapes[f"{side}_knee"] = [rod(shin, -0.2 * a.legs, 0.34 * a.legs, 0.058 * g)]
        shapes[f"{side}_ankle"] = [(a.shoes, (0.045, -0.03, 0.0), _ACROSS, '<box size="0.21 0.075 0.095"/>')]
        shapes[f"{side}_shoulder"] = [rod(a.top, -0.13 * a.arms, 0.23 * a.arms, 0.054 * g)]
        shapes[f"{side}_elbow"] = [rod(forearm, -0.12 * a.arms, 0.2 * a.arms, 0.045 * g), ball(a.skin, -0.27, 0.052)]
    return {name: shapes[name] for name in JOINTS}


def _link(name: str, shapes: list[Shape]) -> str:
    seen = "".join(
        f'<visual><origin rpy="{rpy}" xyz="{x:.5f} {y:.5f} {z:.5f}"/><geometry>{geometry}</geometry>'
        f'<material name="{name}-{number}"><color rgba="{r:.4f} {g:.4f} {b:.4f} 1"/></material></visual>'
        for number, ((r, g, b), (x, y, z), rpy, geometry) in enumerate(shapes)
    )
    inertia = '<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/>'
    return f'<link name="{name}"><inertial><mass value="1"/>{inertia}</inertial>{seen}</link>'
