"""One performance: a class's motion as one person does it once.

It varies in all that leaves the class what it is: tempo, the moment it is cut at, left or right, the size of the
gestures, and a smooth disturbance of every joint.
"""

from __future__ import annotations

import numpy as np

from kinema.data.mocap import rotations
from kinema.data.mocap.config import MocapConfig
from kinema.data.mocap.motions import JOINTS, Motion, load_motion, unroll
from kinema.data.mocap.rotations import Array


def perform(label: str, config: MocapConfig, rng: np.random.Generator) -> Motion:
    """The motion of one recording, ``config.frames`` frames at ``config.fps``.

    Args:
        label: the class.
        config: says how far performances differ.
        rng: this recording's.
    """
    tempo = float(np.exp(rng.uniform(-1, 1) * np.log1p(config.speed_range)))
    moment, mirror = float(rng.random()), bool(rng.random() < 0.5)
    amplitude = 1.0 + float(rng.uniform(-1, 1)) * config.amplitude_range
    duration = tempo * (config.frames - 1) / config.fps
    cycle = load_motion(label).seconds
    track = unroll(label, cycle + duration)
    # A motion that can be repeated may be cut anywhere; one that cannot, wherever the recording still fits.
    room = cycle if track.seconds > cycle else max(cycle - duration, 0.0)
    motion = track.at(moment * room + tempo * np.arange(config.frames) / config.fps)
    motion = Motion(motion.position, motion.rotation, config.fps)
    motion = disturb(exaggerate(motion, amplitude), np.deg2rad(config.joint_noise), rng)
    return motion.mirrored() if mirror else motion


def exaggerate(motion: Motion, amplitude: float) -> Motion:
    """Gestures ``amplitude`` times as large about their mean pose; the root stays as it is."""
    middle = rotations.mean(motion.rotation)
    larger = rotations.slerp(np.broadcast_to(middle, motion.rotation.shape), motion.rotation, np.array(amplitude))
    larger[:, 0] = motion.rotation[:, 0]
    return Motion(motion.position, larger, motion.rate)


def disturb(motion: Motion, strength: float, rng: np.random.Generator) -> Motion:
    """Every joint turned by a slow random rotation.

    Args:
        motion: what is disturbed; the root is not.
        strength: radians, the standard deviation of each joint's turn about each axis.
        rng: where the turns come from.
    """
    seconds: Array = np.arange(len(motion.position)) / motion.rate
    shape = (3, len(JOINTS), 3)
    rate, phase = rng.uniform(0.1, 1.2, shape), rng.random(shape)
    wave = np.sin(2 * np.pi * (rate * seconds[:, None, None, None] + phase)).sum(axis=1) * np.sqrt(2 / 3)
    wave[:, 0] = 0.0
    for number, name in enumerate(JOINTS):
        if name.endswith(("knee", "elbow")):
            wave[:, number, :2] = 0.0
    return Motion(
        motion.position, rotations.multiply(motion.rotation, rotations.from_vector(strength * wave)), motion.rate
    )
