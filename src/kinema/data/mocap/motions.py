"""The recorded motions: read once, resampled evenly, and unrolled for as long as a recording lasts.

They are reference motions of DeepMimic as PyBullet's data carries them (see NOTICE). ``motions.npz`` has an array
``[F, 44]`` for each class: duration in seconds, root position (x forward, y up, z right, metres), root rotation, then
the joints in the order of :data:`JOINTS`: four numbers (w, x, y, z) for a ball joint, one angle about z for a hinge.
Here every joint is a quaternion, hinges too, so that variation and mirroring are one operation for all.

Axes: F frames, J = 13 rotations (the root, then the twelve joints).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from kinema.core.errors import DataError
from kinema.data.mocap import rotations
from kinema.data.mocap.rotations import Array

MOTIONS_FILE = Path(__file__).with_name("motions.npz")
"""int64 [F, 44] for each class, made by ``scripts/convert_motions.py``."""

PER_UNIT = 10_000_000_000
"""The file's numbers are whole 1e-10 of a second, metre, radian or 1: every decimal that the recordings had."""

JOINTS = (
    "root",
    "chest",
    "neck",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_shoulder",
    "right_elbow",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_shoulder",
    "left_elbow",
)
HINGES = ("right_knee", "right_elbow", "left_knee", "left_elbow")

RATE = 60
"""Frames a second of a :class:`Motion`."""

_ACTIVE = {
    "backflip": (0.15, 1.55),
    "cartwheel": (0.35, 2.25),
    "getup_facedown": (0.0, 2.35),
    "getup_faceup": (0.1, 2.6),
    "jump": (0.1, 1.7),
    "kick": (0.1, 1.25),
    "punch": (0.25, 1.15),
    "roll": (0.0, 1.6),
    "spin": (0.5, 2.4),
}
"""Seconds of a file between which its class can be recognised; the standing before and after is left out."""

_ONCE = ("getup_facedown", "getup_faceup")
"""Motions that end in another place than they begin, and so cannot be repeated."""

_BLEND = 0.2
"""Seconds in which the end of one repetition goes over into the beginning of the next."""


@dataclass(frozen=True)
class Motion:
    """A motion, evenly sampled.

    Args:
        position: float64 [F, 3], the root, metres, y up.
        rotation: float64 [F, J, 4], the root and the joints.
        rate: frames per second.
    """

    position: Array
    rotation: Array
    rate: float = RATE

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return (len(self.position) - 1) / self.rate

    def at(self, times: Array) -> Motion:
        """The motion at ``times`` ``[F']`` in seconds, held at both ends; as a motion of unchanged nominal rate."""
        place = np.clip(times * self.rate, 0, len(self.position) - 1)
        left = np.minimum(place.astype(int), max(len(self.position) - 2, 0))
        share = place - left
        right = np.minimum(left + 1, len(self.position) - 1)
        return Motion(
            self.position[left] + share[:, None] * (self.position[right] - self.position[left]),
            rotations.slerp(self.rotation[left], self.rotation[right], share[:, None]),
            self.rate,
        )

    def part(self, start: int, stop: int) -> Motion:
        """The frames from ``start`` to before ``stop``."""
        return Motion(self.position[start:stop], self.rotation[start:stop], self.rate)

    def mirrored(self) -> Motion:
        """The same motion as a mirror shows it: left and right limbs swapped, every rotation reflected."""
        swap = [JOINTS.index(_other_side(name)) for name in JOINTS]
        return Motion(self.position * [1.0, 1.0, -1.0], rotations.reflect(self.rotation[:, swap]), self.rate)


def _other_side(name: str) -> str:
    if name.startswith("right_"):
        return name.replace("right_", "left_")
    return name.replace("left_", "right_")


@cache
def load_motion(label: str) -> Motion:
    """The part of a class's motion in which something happens, at :data:`RATE` frames a second.

    Raises:
        DataError: the file of the motions is missing or broken.
    """
    rows = read_rows(label)
    times = np.concatenate([[0.0], np.cumsum(rows[:-1, 0])])
    recorded = parse(rows[:, 1:])
    first, last = _ACTIVE.get(label, (0.0, times[-1]))
    grid = first + np.arange(int((last - first) * RATE) + 1) / RATE
    # Durations differ from frame to frame in principle: go from seconds to (fractional) row numbers first.
    sampled = recorded.at(np.interp(grid, times, np.arange(len(rows))))
    return Motion(sampled.position, sampled.rotation, RATE)


def read_rows(label: str) -> Array:
    """The frames of a class as they were recorded: float64 [F, 44].

    Raises:
        DataError: the file of the motions is missing or broken.
    """
    try:
        with np.load(MOTIONS_FILE, allow_pickle=False) as motions:
            rows: Array = motions[label] / PER_UNIT
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"The recorded motions of Mocap-15 cannot be read from '{MOTIONS_FILE}': {error}.",
            "The file comes with the package: install kinema again.",
        ) from error
    return rows


def parse(rows: Array) -> Motion:
    """Motion-file rows without their durations, ``[F, 43]``, as a motion of one frame a second."""
    columns, column = [rows[:, 3:7]], 7
    for name in JOINTS[1:]:
        if name in HINGES:
            zero = np.zeros(len(rows))
            columns.append(rotations.from_vector(np.stack([zero, zero, rows[:, column]], axis=-1)))
            column += 1
        else:
            columns.append(rows[:, column : column + 4])
            column += 4
    return Motion(rows[:, :3], rotations.normalise(np.stack(columns, axis=1)), 1.0)


def unroll(label: str, seconds: float) -> Motion:
    """The class's motion, at least ``seconds`` long: repeated where it must be, each repetition where the last ended.

    A repetition starts at the place and heading that the one before has reached, and its first moments are blended
    with the last pose. Motions that cannot be repeated (getting up) are held at their end.
    """
    cycle = load_motion(label)
    position, rotation = [cycle.position], [cycle.rotation]
    total = cycle.seconds
    while total < seconds and label not in _ONCE:
        turn = _heading(rotation[-1][-1, 0]) - _heading(cycle.rotation[0, 0])
        about = rotations.from_vector(np.array([0.0, turn, 0.0]))
        place = rotations.rotate(about, cycle.position - cycle.position[0] * [1, 0, 1])
        place = place + position[-1][-1] * [1, 0, 1]
        pose = cycle.rotation.copy()
        pose[:, 0] = rotations.multiply(about, pose[:, 0])
        share = np.clip(np.arange(len(place)) / (RATE * _BLEND), 0.0, 1.0)
        share = share * share * (3.0 - 2.0 * share)
        pose = rotations.slerp(np.broadcast_to(rotation[-1][-1], pose.shape), pose, share[:, None])
        place[:, 1] = position[-1][-1, 1] + share * (place[:, 1] - position[-1][-1, 1])
        position.append(place[1:])
        rotation.append(pose[1:])
        total += cycle.seconds
    return Motion(np.concatenate(position), np.concatenate(rotation), RATE)


def _heading(root: Array) -> float:
    """The angle about y of the twist part of a root rotation ``[4]``, radians."""
    return float(2.0 * np.arctan2(root[2], root[0]))
