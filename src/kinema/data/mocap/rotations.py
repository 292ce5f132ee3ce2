"""Rotations as unit quaternions (w, x, y, z), in arrays of any leading shape ``[..., 4]``, float64.

Only what a recorded human motion needs: products, interpolation, powers, and the mirror image of a rotation.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def multiply(a: Array, b: Array) -> Array:
    """The rotation ``b`` followed by ``a``: the Hamilton product, ``[..., 4]``."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def inverse(q: Array) -> Array:
    """The opposite rotation of a unit quaternion, ``[..., 4]``."""
    opposite: Array = q * np.array([1.0, -1.0, -1.0, -1.0])
    return opposite


def rotate(q: Array, vector: Array) -> Array:
    """``vector`` ``[..., 3]`` turned by ``q`` ``[..., 4]``."""
    axis = q[..., 1:]
    twice = 2.0 * np.cross(axis, vector)
    return vector + q[..., :1] * twice + np.cross(axis, twice)


def normalise(q: Array) -> Array:
    """``q`` at unit length."""
    unit: Array = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return unit


def from_vector(vector: Array) -> Array:
    """The rotation about ``vector`` ``[..., 3]`` by its length in radians, ``[..., 4]``."""
    half = 0.5 * np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.concatenate([np.cos(half), 0.5 * vector * np.sinc(half / np.pi)], axis=-1)


def to_vector(q: Array) -> Array:
    """The axis times the angle in radians of the shorter way round, ``[..., 3]``; inverse of :func:`from_vector`."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def slerp(a: Array, b: Array, share: Array) -> Array:
    """From ``a`` to ``b`` at constant angular speed along the shorter way.

    Args:
        a: where ``share`` is 0, ``[..., 4]``.
        b: where ``share`` is 1, ``[..., 4]``.
        share: ``[...]`` or anything that broadcasts to it.
    """
    return multiply(a, from_vector(to_vector(multiply(inverse(a), b)) * np.asarray(share)[..., None]))


def crossfade(a: Array, b: Array, share: Array) -> Array:
    """From one moving rotation to another, without a leap.

    Frame by frame, the shorter way from ``a`` to ``b`` may be now this way round and now that. Here it is the shorter
    one in the middle, and the same way round before and after.

    Args:
        a: ``[F, ..., 4]``, where ``share`` is 0.
        b: ``[F, ..., 4]``, where ``share`` is 1.
        share: ``[F]`` or anything that broadcasts to ``[F, ...]``.
    """
    way = multiply(inverse(a), b)
    turns = np.sum(way[1:] * way[:-1], axis=-1, keepdims=True) < 0
    sign = np.concatenate([np.ones_like(way[:1, ..., :1]), np.where(turns, -1.0, 1.0)]).cumprod(axis=0)
    way = way * sign
    middle = len(way) // 2
    way = way * np.where(way[middle : middle + 1, ..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(way[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, way[..., :1])
    vector = way[..., 1:] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)
    return multiply(a, from_vector(vector * np.asarray(share)[..., None]))


def mean(q: Array) -> Array:
    """The mean rotation over the first axis, ``[n, ..., 4] -> [..., 4]``: signs aligned to the first, then averaged."""
    sign = np.where(np.sum(q * q[:1], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return normalise(np.sum(q * sign, axis=0))


def reflect(q: Array) -> Array:
    """The rotation as seen in a mirror that swaps left and right (the plane z = 0), ``[..., 4]``."""
    reflected: Array = q * np.array([1.0, -1.0, -1.0, 1.0])
    return reflected


def matrix(q: Array) -> Array:
    """Rotation matrices of unit quaternions, ``[..., 3, 3]``; their columns are the turned axes."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
