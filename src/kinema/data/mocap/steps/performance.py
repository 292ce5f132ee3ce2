"""One person who performs one step after another: the motions of Mocap-15, joined smoothly.

Every step starts at the beginning of its motion, at the place that the person has reached and turned as the recording
is; it has its own tempo, side, size of the gestures and disturbance. Around the moment at which the label changes both
motions go on, and the pose goes over from the one into the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np

from kinema.data.mocap import rotations
from kinema.data.mocap.motions import Motion, parse, read_rows, unroll
from kinema.data.mocap.performance import disturb, exaggerate
from kinema.data.mocap.rotations import Array
from kinema.data.mocap.steps.config import BACKGROUND
from kinema.data.mocap.steps.plan import Segment

_TURN = 15.0
"""Degrees by which a step may be turned to either side."""

_STANDING = "backflip"
"""The recording that begins with somebody who stands upright, arms down."""


class Performance(Protocol):
    """What is performed when in one video."""

    @property
    def path(self) -> str:
        """The video's, relative to the data set's folder, posix."""
        ...

    @property
    def segments(self) -> Sequence[Segment]:
        """One after another, without a gap."""
        ...

    @property
    def frames(self) -> int:
        """Of the video."""
        ...

    def generator(self, seed: int, what: str, number: int = 0) -> np.random.Generator:
        """The random numbers of something of it: its camera, a segment's motion."""
        ...


class Differences(Protocol):
    """Settings that say how far performances differ; those of Mocap-steps."""

    @property
    def seed(self) -> int:
        """Every choice follows from it."""
        ...

    @property
    def fps(self) -> int:
        """Frames per second."""
        ...

    @property
    def transition(self) -> float:
        """Seconds in which one step goes over into the next."""
        ...

    @property
    def speed_range(self) -> float:
        """The tempo is up to so much faster or slower."""
        ...

    @property
    def amplitude_range(self) -> float:
        """Gestures are up to so much larger or smaller."""
        ...

    @property
    def joint_noise(self) -> float:
        """Degrees, the strength of the disturbance of every joint."""
        ...


def perform_session(session: Performance, config: Differences) -> Motion:
    """The motion of a whole video, ``session.frames`` frames at ``config.fps``.

    Args:
        session: says what is performed when.
        config: says how far performances differ.
    """
    margin = round(0.5 * config.transition * config.fps)
    whole: Motion | None = None
    for number, segment in enumerate(session.segments):
        rng = session.generator(config.seed, "motion", number)
        step = perform_step(segment, config, margin, rng)
        whole = step if whole is None else join(whole, step, margin)
    assert whole is not None
    # The first step has a margin before it, and the last one after it.
    return whole.part(margin, margin + session.frames)


def perform_step(segment: Segment, config: Differences, margin: int, rng: np.random.Generator) -> Motion:
    """One step, with ``margin`` frames before and after it.

    Args:
        segment: what is performed, and how many frames.
        config: says how far performances differ.
        margin: frames; in those before, the first pose is held.
        rng: this step's.
    """
    tempo = float(np.exp(rng.uniform(-1, 1) * np.log1p(config.speed_range)))
    mirror = bool(rng.random() < 0.5)
    amplitude = 1.0 + float(rng.uniform(-1, 1)) * config.amplitude_range
    turn = np.deg2rad(_TURN) * float(rng.uniform(-1, 1))
    times: Array = tempo * np.arange(-margin, segment.stop - segment.start + margin) / config.fps
    track = standing() if segment.label == BACKGROUND else unroll(segment.label, float(times[-1]))
    motion = track.at(times)
    motion = exaggerate(Motion(motion.position, motion.rotation, config.fps), amplitude)
    motion = disturb(motion, float(np.deg2rad(config.joint_noise)), rng)
    return turned(motion.mirrored() if mirror else motion, turn)


@cache
def standing() -> Motion:
    """Somebody who stands still: one frame, over which :meth:`Motion.at` gives the same pose at any time."""
    first = parse(read_rows(_STANDING)[:1, 1:])
    return Motion(np.repeat(first.position, 2, axis=0), np.repeat(first.rotation, 2, axis=0))


def turned(motion: Motion, angle: float) -> Motion:
    """The motion, turned about the upright axis by ``angle`` radians."""
    about = rotations.from_vector(np.array([0.0, angle, 0.0]))
    rotation = motion.rotation.copy()
    rotation[:, 0] = rotations.multiply(np.broadcast_to(about, rotation[:, 0].shape), rotation[:, 0])
    return Motion(rotations.rotate(about, motion.position), rotation, motion.rate)


def join(first: Motion, second: Motion, margin: int) -> Motion:
    """One motion after another: the last ``2 * margin`` frames of the first go over into the first of the second.

    The second takes place where the first is at the middle of the transition.

    Args:
        first: with ``margin`` frames after its end.
        second: with ``margin`` frames before its beginning.
        margin: half the transition, frames; 0 cuts from the one to the other.
    """
    start, both = len(first.position) - 2 * margin, 2 * margin
    middle = min(start + margin, len(first.position) - 1)
    level = np.array([1.0, 0.0, 1.0])
    place = second.position + (first.position[middle] - second.position[margin]) * level
    share = (np.arange(both) + 0.5) / max(both, 1)
    share = share * share * (3.0 - 2.0 * share)
    between = first.position[start:] + share[:, None] * (place[:both] - first.position[start:])
    poses = rotations.crossfade(first.rotation[start:], second.rotation[:both], share[:, None])
    return Motion(
        np.concatenate([first.position[:start], between, place[both:]]),
        np.concatenate([first.rotation[:start], poses, second.rotation[both:]]),
        first.rate,
    )
