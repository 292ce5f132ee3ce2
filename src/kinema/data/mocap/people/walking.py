"""How people move: a recorded motion with a gait of the person's own, which a single frame says next to nothing of.

A gait leaves the middle of every joint's movement where it is. It changes how far joints go about it, how fast, and
which limb is ahead of which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinema.data.mocap import rotations
from kinema.data.mocap.motions import JOINTS, Motion, load_motion, unroll
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.looks import Bearing
from kinema.data.mocap.people.plan import Sighting, rng_at
from kinema.data.mocap.performance import disturb
from kinema.data.mocap.rotations import Array

_FACTORS = {"tempo": 0.3, "legs": 0.2, "knees": 0.2, "arms": 0.6, "elbows": 0.5, "trunk": 0.7, "bounce": 0.6}
"""How far people differ in each, as a natural logarithm, where ``gait`` is 1; evenly up and down."""

_SHARES = {"arms_late": 0.12, "knees_late": 0.05, "limp": 0.05, "uneven": 0.15}
"""Likewise, in what is 0 for the recording."""

_NOD = 8.0
"""Degrees by which a head nods at most."""

_LEGS, _ARMS = ("hip", "knee", "ankle"), ("shoulder", "elbow")


@dataclass(frozen=True)
class Gait:
    """How somebody moves. Factors are 1, and all else 0, for the gait of the recording.

    Args:
        tempo: how fast it goes.
        legs: how far hips and ankles swing.
        knees: how far knees bend and stretch.
        arms: how far arms swing.
        elbows: how far elbows bend and stretch.
        trunk: how far it turns and sways.
        bounce: how far the body rises and sinks.
        arms_late: by what part of a repetition arms are behind legs.
        knees_late: by what part of it knees are behind hips.
        limp: by what part of it the right leg is late, and the left one early.
        uneven: by what fraction the right limbs swing further, and the left ones less far.
        nod: radians, how far the head nods, with every step.
        nod_at: when it does, as a part of a step.
    """

    tempo: float = 1.0
    legs: float = 1.0
    knees: float = 1.0
    arms: float = 1.0
    elbows: float = 1.0
    trunk: float = 1.0
    bounce: float = 1.0
    arms_late: float = 0.0
    knees_late: float = 0.0
    limp: float = 0.0
    uneven: float = 0.0
    nod: float = 0.0
    nod_at: float = 0.0

    def amplitude(self, joint: str) -> float:
        """How far a joint goes from the middle of its movement, relative to the recording."""
        side, _, part = joint.partition("_")
        one = {"chest": self.trunk, "neck": self.trunk, "root": 1.0}
        if joint in one:
            return one[joint]
        far = {"knee": self.knees, "shoulder": self.arms, "elbow": self.elbows}.get(part, self.legs)
        return far * (1.0 + (self.uneven if side == "right" else -self.uneven))

    def late(self, joint: str) -> float:
        """By what part of a repetition a joint is behind the recording."""
        side, _, part = joint.partition("_")
        if part in _ARMS:
            return self.arms_late
        if part in _LEGS:
            return (self.limp if side == "right" else -self.limp) + (0.0 if part == "hip" else self.knees_late)
        return 0.0


def draw_gait(config: MocapPeopleConfig, person: int) -> Gait:
    """The gait of the person of that number, from 0: a function of the arguments alone."""
    if config.identity == "clothes" or config.gait == 0.0:
        return Gait()
    rng, much = rng_at(config.seed, "gait", person), config.gait
    factors = {name: float(np.exp(much * far * rng.uniform(-1, 1))) for name, far in _FACTORS.items()}
    shares = {name: float(much * far * rng.uniform(-1, 1)) for name, far in _SHARES.items()}
    nod = float(np.deg2rad(much * _NOD * rng.random()))
    return Gait(**factors, **shares, nod=nod, nod_at=float(rng.random()))


def perform_sighting(sighting: Sighting, gait: Gait, bearing: Bearing, config: MocapPeopleConfig) -> Motion:
    """The motion of a tracklet, ``config.frames`` frames at ``config.fps``.

    Args:
        sighting: whose random numbers say which motion, where it begins, and how it is disturbed.
        gait: the person's.
        bearing: likewise.
        config: the set's settings.
    """
    rng = sighting.generator(config.seed, "motion")
    label = config.motions[int(rng.integers(len(config.motions)))]
    tempo = gait.tempo * float(np.exp(rng.uniform(-1, 1) * np.log1p(config.speed_range)))
    amplitude = 1.0 + float(rng.uniform(-1, 1)) * config.amplitude_range
    cycle = load_motion(label)
    # A repetition before and one after, for limbs that are early or late.
    times = cycle.seconds * (1.0 + float(rng.random())) + tempo * np.arange(config.frames) / config.fps
    track = unroll(label, float(times[-1]) + cycle.seconds)
    motion = _in_gait(track, cycle, times, gait, amplitude)
    motion = Motion(motion.position, motion.rotation, config.fps)
    motion = disturb(motion, float(np.deg2rad(config.joint_noise)), rng)
    return _held(motion, bearing)


def _in_gait(track: Motion, cycle: Motion, times: Array, gait: Gait, amplitude: float) -> Motion:
    """A motion at ``times`` [F], seconds, as somebody with that gait performs it."""
    plain = track.at(times)
    rotation, middle = plain.rotation.copy(), rotations.mean(cycle.rotation)
    for number, name in enumerate(JOINTS):
        if name == "root":
            continue
        late = gait.late(name)
        own = track.at(times - late * cycle.seconds).rotation[:, number] if late else plain.rotation[:, number]
        far = np.array(amplitude * gait.amplitude(name))
        rotation[:, number] = rotations.slerp(np.broadcast_to(middle[number], own.shape), own, far)
    if gait.nod:
        wave = gait.nod * np.sin(2.0 * np.pi * (2.0 * times / cycle.seconds + gait.nod_at))
        _turn(rotation, "neck", wave[:, None] * [0.0, 0.0, 1.0])
    height = cycle.position[:, 1].mean()
    position = plain.position * [gait.legs, 1.0, gait.legs]
    position[:, 1] = height + gait.bounce * (position[:, 1] - height)
    return Motion(position, rotation, track.rate)


def _held(motion: Motion, bearing: Bearing) -> Motion:
    """The motion of somebody who holds themselves like that."""
    if bearing == Bearing():
        return motion
    rotation = motion.rotation.copy()
    _turn(rotation, "chest", np.array([0.0, 0.0, -bearing.lean]))
    _turn(rotation, "neck", np.array([0.0, 0.0, -bearing.head]))
    for side, out in (("right", -1.0), ("left", 1.0)):
        _turn(rotation, f"{side}_hip", np.array([out * bearing.feet, 0.0, 0.0]))
        _turn(rotation, f"{side}_shoulder", np.array([out * bearing.arms, 0.0, 0.0]))
    return Motion(motion.position, rotation, motion.rate)


def _turn(rotation: Array, joint: str, vector: Array) -> None:
    """Turns a joint in place, about ``vector`` [3] or [F, 3] in the axes of its parent, by its length in radians."""
    number = JOINTS.index(joint)
    about = np.broadcast_to(rotations.from_vector(vector), rotation[:, number].shape)
    rotation[:, number] = rotations.multiply(about, rotation[:, number])
