"""What a performance sounds like: strikes, landings and swings, made from its motion alone.

A *strike* is the moment at which the fall of a foot, a hand or the trunk ends near the ground: its vertical velocity,
which was downwards, turns. It sounds at that moment, louder the faster the fall was: a foot as a short thud with a
click, a hand as a slap, the trunk as a thump. Where the whole body was falling it is a *landing*, longer, lower and
louder. A *swing* is the air moved by a hand or a foot: noise in three bands, louder and brighter the faster it goes.

Everything is a function of the motion and of one generator, at an address of its own, so that sound changes no frame.

Axes: F frames, P points, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.data.mocap.body import POINTS
from kinema.data.mocap.rotations import Array

RATE = 16000
"""Samples a second."""

BODIES = {
    "left foot": ("left_toe", "left_ankle"),
    "right foot": ("right_toe", "right_ankle"),
    "left hand": ("left_hand",),
    "right hand": ("right_hand",),
    "trunk": ("root", "chest"),
}
"""What strikes, and the points of which the lowest is where it is."""

NEAR = {"foot": 0.12, "hand": 0.15, "trunk": 0.3}
"""Metres above the performance's lowest foot within which a fall can end in a strike."""

FALLING = 0.3
"""Metres a second of a fall that may end in a strike."""

ENDED = 0.1
"""Metres a second below which a fall has ended."""

LANDING = 0.6
"""Metres a second at which the whole body falls when a strike is a landing."""

LEAST = 0.12
"""Seconds between two strikes of one body."""

_BANDS = ((250.0, 700.0, 1.5), (700.0, 1800.0, 4.0), (1800.0, 4500.0, 7.0))
"""Lowest and highest hertz of a band of a swing, and the speed in metres a second at which it is at its own."""


@dataclass(frozen=True)
class Strike:
    """Something that strikes the ground.

    Args:
        body: one of ``BODIES``.
        time: seconds after the first frame.
        speed: of the fall that it ends, metres a second.
        landing: whether the whole body was falling.
    """

    body: str
    time: float
    speed: float
    landing: bool


def strikes(points: Array, fps: float) -> list[Strike]:
    """The strikes of a performance in the order of their times.

    Args:
        points: float64 [F, P, 3] of :data:`~kinema.data.mocap.body.POINTS`, metres, y up.
        fps: frames a second.
    """
    ground = float(min(_height(points, f"{side} foot").min() for side in ("left", "right")))
    body = np.diff(points.mean(axis=1)[:, 1]) * fps
    found: list[Strike] = []
    for name in BODIES:
        height = _height(points, name)
        velocity = np.diff(height) * fps
        near = ground + NEAR[name.split()[-1]]
        latest = -LEAST
        for step in range(1, len(velocity)):
            if velocity[step - 1] > -ENDED or velocity[step] <= -ENDED:
                continue
            began = step - 1
            while began > 0 and velocity[began - 1] < 0:
                began -= 1
            speed = -float(velocity[began:step].min())
            # It strikes between two frames: where its fall, at the speed it last had, meets the height it ends at.
            fast = began + int(np.flatnonzero(velocity[began:step] <= -0.8 * speed)[-1])
            rest = (height[fast + 1] - height[step]) / -velocity[fast]
            time = float((fast + 1) / fps + min(max(rest, 0.0), (step - fast - 1) / fps))
            if speed < FALLING or height[step] > near or time - latest < LEAST:
                continue
            latest = time
            falling = -float(body[max(0, step - 3) : step].min(initial=0.0))
            found.append(Strike(name, time, speed, falling > LANDING))
    return sorted(found, key=lambda strike: strike.time)


def _height(points: Array, name: str) -> Array:
    lowest: Array = points[:, [POINTS.index(point) for point in BODIES[name]], 1].min(axis=1)
    return lowest


def perform_sound(points: Array, fps: float, rng: np.random.Generator, noise: float = 0.0) -> NDArray[np.float32]:
    """The sound of a performance, float32 [S] in [-1, 1], as long as its frames.

    Args:
        points: float64 [F, P, 3], metres.
        fps: frames a second.
        rng: the noise in strikes, swings and room.
        noise: standard deviation of the room's noise, full scale being 1.
    """
    samples = round(len(points) / fps * RATE)
    sound = _swings(points, fps, samples, rng)
    for strike in strikes(points, fps):
        piece = _struck(strike, rng)
        first = round(strike.time * RATE)
        part = piece[: max(0, samples - first)]
        sound[first : first + len(part)] += part
    sound += noise * rng.standard_normal(samples)
    return np.tanh(sound).astype(np.float32)


def _struck(strike: Strike, rng: np.random.Generator) -> Array:
    """A damped tone and a burst of noise, loudest at once."""
    kind = strike.body.split()[-1]
    tone, damping, hiss, share = {
        "foot": (110.0, 0.035, 0.012, 0.5),
        "hand": (420.0, 0.02, 0.02, 1.0),
        "trunk": (60.0, 0.07, 0.02, 0.2),
    }[kind]
    loudness = min(0.3 + 0.15 * strike.speed, 1.0)
    if strike.landing:
        tone, damping, loudness = 0.7 * tone, 2 * damping, min(1.6 * loudness, 1.5)
    tone *= float(rng.uniform(0.92, 1.08))
    t = np.arange(round(0.25 * RATE)) / RATE
    thud = np.cos(2 * np.pi * tone * t) * np.exp(-t / damping)
    burst = share * rng.standard_normal(len(t)) * np.exp(-t / hiss)
    struck: Array = loudness * (0.7 * thud + 0.5 * burst)
    return struck


def _swings(points: Array, fps: float, samples: int, rng: np.random.Generator) -> Array:
    """The air that hands and feet move."""
    times, middles = np.arange(samples) / RATE, (np.arange(len(points) - 1) + 0.5) / fps
    sound = np.zeros(samples)
    for name in ("left_hand", "right_hand", "left_toe", "right_toe"):
        track = points[:, POINTS.index(name)]
        speed = np.interp(times, middles, np.linalg.norm(np.diff(track, axis=0), axis=-1) * fps)
        for low, high, own in _BANDS:
            sound += 0.008 * np.minimum(speed / own, 2.5) ** 2 * _band(samples, low, high, rng)
    return sound


def _band(samples: int, low: float, high: float, rng: np.random.Generator) -> Array:
    """Noise between two frequencies, of standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    noise = np.fft.irfft(spectrum, samples)
    found: Array = noise / max(float(noise.std()), 1e-12)
    return found
