"""The places of Mocap-15: soft painted rooms and landscapes, fifteen families of them, one for every class.

A family is a palette and a pattern; a scene is one seeded sample of it. A scene is painted once, wider than the frame
and without a seam at its sides, and the camera moves over it.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.core.seeds import seed_at
from kinema.data.mocap.rotations import Array

WIDE, TALL = 2, 2
"""A scene is so many frames wide and tall."""

GREY = 0.6
"""What every colour of a scene fades to without contrast, 0 to 1."""

_PATTERNS = ("stripes", "bokeh", "waves", "panes", "hills")
# Hue of the wall, hue of its pattern, hue of the floor: one row a class. Neighbouring rows differ in pattern too.
_HUES = (
    (0.58, 0.50, 0.08), (0.08, 0.13, 0.60), (0.33, 0.25, 0.10), (0.83, 0.92, 0.70), (0.50, 0.56, 0.14),
    (0.00, 0.05, 0.55), (0.70, 0.62, 0.90), (0.15, 0.10, 0.35), (0.42, 0.48, 0.03), (0.92, 0.02, 0.45),
    (0.64, 0.75, 0.12), (0.05, 0.95, 0.30), (0.28, 0.36, 0.75), (0.76, 0.85, 0.17), (0.46, 0.18, 0.85),
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One place.

    Args:
        name: unique in the set, for instance ``train-scene-walk-02``.
        canvas: uint8 [TALL * size, WIDE * size, 3]; its left and right sides meet without a seam.
    """

    name: str
    canvas: NDArray[np.uint8]

    def view(self, dx: Array, dy: Array, size: int) -> NDArray[np.uint8]:
        """The frames that a moving camera sees.

        Args:
            dx: float [F], pixels by which the camera has gone right.
            dy: float [F], pixels by which it has gone down; held where the canvas ends.
            size: pixels of a frame.

        Returns:
            uint8 [F, size, size, 3], interpolated to an eighth of a pixel in whole numbers.
        """
        tall, wide = self.canvas.shape[:2]
        limit = (tall - size) * 4 - 8
        x, fx = np.divmod(np.round(dx * 8).astype(np.int64), 8)
        y, fy = np.divmod(np.clip(np.round(dy * 8).astype(np.int64), -limit, limit) + limit, 8)
        canvas = np.concatenate([self.canvas, self.canvas[:, : size + 1]], axis=1)
        frames = np.empty((len(dx), size, size, 3), dtype=np.uint8)
        for t in range(len(dx)):
            left = int(x[t]) % wide
            seen = canvas[y[t] : y[t] + size + 1, left : left + size + 1].astype(np.uint16)
            seen = seen[:, :-1] * np.uint16(8 - fx[t]) + seen[:, 1:] * np.uint16(fx[t])
            seen = seen[:-1] * np.uint16(8 - fy[t]) + seen[1:] * np.uint16(fy[t])
            frames[t] = (seen + np.uint16(32)) >> 6
        return frames


def paint_scene(
    seed: int, split: str, family: int, label: str, number: int, *, size: int, clutter: float, contrast: float
) -> Scene:
    """The scene of that number in that family: a function of the arguments alone.

    Args:
        seed: the set's.
        split: ``train`` or ``test``; no scene is in both.
        family: 0 to 14, the class whose family it is.
        label: that class's name.
        number: which scene of the family.
        size: pixels of a frame.
        clutter: ``MocapConfig.clutter``.
        contrast: ``MocapConfig.scene_contrast``.
    """
    rng = np.random.Generator(np.random.PCG64(seed_at(seed, "mocap", "scene", split, family, number)))
    v = (np.arange(TALL * size)[:, None] + 0.5) / size
    u = (np.arange(WIDE * size) + 0.5) / (WIDE * size)
    wall, accent, floor = _palette(family, rng)
    field = _pattern(_PATTERNS[family % len(_PATTERNS)], u, v, rng)
    picture = wall + field * (accent - wall)
    picture = picture * (1.08 - 0.12 * v + 0.08 * np.sin(2 * np.pi * (u + rng.random())))
    _scatter(picture, u, v, (wall, accent, floor), clutter, rng)
    horizon = 1.22 + 0.1 * rng.random()
    ground = floor * (0.82 + 0.35 * np.clip(v - horizon, 0, 1))
    ground = ground * (1.0 + 0.06 * np.sin(2 * np.pi * (int(rng.integers(2, 5)) * u + rng.random())))
    picture += _smooth((v - horizon) / (0.12 - 0.1 * clutter) + 0.5) * (ground - picture)
    picture = GREY + contrast * (picture - GREY)
    canvas = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return Scene(f"{split}-scene-{label}-{number:02d}", np.ascontiguousarray(canvas))


def _palette(family: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """RGB [3, 1, 1] of the wall, its pattern and the floor."""
    hues = np.array(_HUES[family]) + rng.uniform(-0.02, 0.02, 3)
    saturation = np.array([0.42, 0.5, 0.35]) + rng.uniform(-0.08, 0.08, 3)
    value = np.array([0.72, 0.55, 0.5]) + rng.uniform(-0.08, 0.08, 3)
    wall, accent, floor = (
        np.array(colorsys.hsv_to_rgb(h % 1.0, s, b))[:, None, None]
        for h, s, b in zip(hues, saturation, value, strict=True)
    )
    return wall, accent, floor


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _pattern(kind: str, u: Array, v: Array, rng: np.random.Generator) -> Array:
    """A soft pattern between 0 and 1 over the canvas ``u [W]``, ``v [H, 1]``, periodic in ``u``."""
    phase = rng.random(4)
    if kind == "stripes":
        stripes: Array = 0.5 + 0.5 * np.sin(2 * np.pi * (int(rng.integers(5, 9)) * u + phase[0]))
        return stripes
    if kind == "waves":
        bend = 0.12 * np.sin(2 * np.pi * (int(rng.integers(1, 4)) * u + phase[0]))
        waves: Array = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(2.0, 3.2) * (v + bend) + phase[1]))
        return waves
    if kind == "panes":
        across = np.sin(2 * np.pi * (int(rng.integers(3, 6)) * u + phase[0]))
        down = np.sin(2 * np.pi * (rng.uniform(1.4, 2.2) * v + phase[1]))
        return _smooth(0.5 + 1.2 * across * down)
    if kind == "hills":
        field = np.zeros(np.broadcast_shapes(u.shape, v.shape))
        for level in range(3):
            ridge = 0.45 + 0.3 * level + 0.1 * np.sin(2 * np.pi * (int(rng.integers(1, 3 + level)) * u + phase[level]))
            field += _smooth((v - ridge) / 0.12 + 0.5) / 3
        return field
    field = np.zeros(np.broadcast_shapes(u.shape, v.shape))
    for x, y, radius in rng.uniform((0, 0, 0.12), (1, 1.3, 0.28), (16, 3)):
        field = np.maximum(field, _smooth(1.5 - _distance(u, v, x, y) / radius))
    return field


def _distance(u: Array, v: Array, x: float, y: float) -> Array:
    """In frames, the shorter way round the canvas."""
    return np.hypot(WIDE * ((u - x + 0.5) % 1.0 - 0.5), v - y)


def _scatter(
    picture: Array, u: Array, v: Array, palette: tuple[Array, ...], clutter: float, rng: np.random.Generator
) -> None:
    """Lays soft ellipses and boxes over the wall ``[3, H, W]``: more, stronger and sharper with ``clutter``."""
    edge = 0.25 - 0.2 * clutter
    for _ in range(round(40 * clutter)):
        x, y, a, b = rng.uniform((0, 0.1, 0.08, 0.08), (1, 1.35, 0.3, 0.4))
        round_one, tone = rng.random() < 0.5, palette[int(rng.integers(len(palette)))] * rng.uniform(0.65, 1.35)
        strength = rng.uniform(0.25, 0.4 + 0.5 * clutter)
        near = np.abs(v[:, 0] - y) < b * (1.0 + edge)
        across, down = WIDE * ((u - x + 0.5) % 1.0 - 0.5) / a, (v[near] - y) / b
        reach = np.hypot(across, down) if round_one else np.maximum(np.abs(across), np.abs(down))
        alpha = strength * _smooth((1.0 - reach) / edge + 0.5)
        picture[:, near] += alpha * (tone - picture[:, near])
