"""The camera: its position, how it follows the person, and how the scene moves behind them.

The figure fills the frame and stays in it: the camera's target is the middle of the figure, smoothed, or of all the way
it goes, and its distance is such that every frame fits. What the camera does, following, panning, orbiting, moves the
scene in the same shot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinema.data.mocap.config import MocapConfig
from kinema.data.mocap.rotations import Array

FIELD_OF_VIEW = 30.0
"""Degrees."""

PARALLAX = 0.6
"""How much the scene moves in the picture for what the ground under the person does: it is further away."""

FOLLOW = 0.17
"""Seconds by which the camera's following is smoothed."""

_ROWS = 512
"""Frames that are smoothed at a time, so that the weights of a long track take no more memory than that."""

MARGIN = 0.13
"""Metres of body around the outermost joints."""


@dataclass(frozen=True)
class Camera:
    """A camera over a number of frames, upright, with a field of view of :data:`FIELD_OF_VIEW`.

    Args:
        eye: float64 [F, 3], where it is, metres.
        target: float64 [F, 3], what it looks at; never right above or below it.
    """

    eye: Array
    target: Array

    @staticmethod
    def focal(size: int) -> float:
        """Pixels that a metre is wide at a distance of one metre, in a picture of that size."""
        return float(0.5 * size / np.tan(np.deg2rad(FIELD_OF_VIEW / 2)))

    def axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors to the right, up and back, from the target to the eye: float64 [F, 3] each."""
        back = self.eye - self.target
        back = back / np.linalg.norm(back, axis=-1, keepdims=True)
        right = np.cross([0.0, 1.0, 0.0], back)
        right = right / np.linalg.norm(right, axis=-1, keepdims=True)
        return right, np.cross(back, right), back

    def project(self, points: Array, size: int) -> tuple[Array, Array, Array]:
        """Where points are in a picture.

        Args:
            points: float64 [F, P, 3], metres.
            size: pixels of the picture.

        Returns:
            x and y in pixels, from the upper left corner, and the depth in metres: float64 [F, P] each. What is behind
            the camera has a depth below 0, and its x and y mean nothing.
        """
        sight = points - self.eye[:, None]
        right, up, back = (axis[:, None] for axis in self.axes())
        depth = -(sight * back).sum(axis=-1)
        scale = self.focal(size) / np.where(depth == 0.0, 1e-9, depth)
        return 0.5 * size + scale * (sight * right).sum(axis=-1), 0.5 * size - scale * (sight * up).sum(axis=-1), depth


@dataclass(frozen=True)
class Shot:
    """A camera that was pointed at somebody, and how the scene moves behind them.

    Args:
        name: azimuth and elevation in degrees at the middle, for instance ``az-35-el08``.
        camera: over the frames of the recording.
        pan: float64 [F, 2], pixels by which the camera has gone right and down over the scene.
    """

    name: str
    camera: Camera
    pan: Array


def frame_shot(points: Array, config: MocapConfig, rng: np.random.Generator) -> Shot:
    """A shot of a figure.

    Args:
        points: float64 [F, P, 3], its joints and ends, metres.
        config: view range, camera motion, size.
        rng: this recording's.
    """
    frames = len(points)
    side = 1.0 if rng.random() < 0.5 else -1.0
    azimuth = np.deg2rad(side * 45.0 + config.view_range * rng.uniform(-0.5, 0.5))
    elevation = np.deg2rad(config.elevation_range * rng.random())
    orbit, drift, phase = rng.uniform(-1, 1), rng.uniform(-1, 1, 2), rng.random(2)
    closeness = rng.uniform(0.88, 1.0)

    time = (np.arange(frames) + 0.5) / frames - 0.5
    turn = azimuth + config.camera_motion * np.deg2rad(8.0) * orbit * time
    level, height = np.cos(elevation), np.full(frames, np.sin(elevation))
    back = np.stack([level * np.cos(turn), height, level * np.sin(turn)], axis=-1)
    right = np.stack([np.sin(turn), np.zeros(frames), -np.cos(turn)], axis=-1)
    up = np.cross(back, right)

    low, high = points.min(axis=1), points.max(axis=1)
    if config.camera_follows:
        centre = smoothed(0.5 * (high + low), FOLLOW * config.fps)
    else:
        centre = np.tile(0.5 * (high.max(axis=0) + low.min(axis=0)), (frames, 1))
    local = points - centre[:, None]
    across, above = np.einsum("fpi,fi->fp", local, right), np.einsum("fpi,fi->fp", local, up)
    reach = max(float(np.abs(across).max()), float(np.abs(above).max())) + MARGIN
    wander = 0.05 * config.camera_motion * drift * np.sin(np.pi * (time[:, None] + 2.0 * phase))
    half = reach * (1.0 + 0.5 * float(np.abs(wander).max())) / closeness
    target = centre + half * (wander[:, :1] * right + wander[:, 1:] * up)
    distance = half / np.tan(np.deg2rad(FIELD_OF_VIEW / 2))
    eye = target + distance * back

    scale = config.size / (2 * half)
    step = np.diff(target, axis=0, prepend=target[:1])
    pan = scale * PARALLAX * np.stack([(step * right).sum(-1).cumsum(), -(step * up).sum(-1).cumsum()], axis=-1)
    pan[:, 0] -= config.size * (turn - azimuth) / np.deg2rad(FIELD_OF_VIEW)
    shown = np.rad2deg(azimuth)
    name = f"az{(shown + 180.0) % 360.0 - 180.0:+04.0f}-el{np.rad2deg(elevation):02.0f}"
    return Shot(name, Camera(eye, target), pan)


def keep_level(shot: Shot, size: int) -> Shot:
    """The shot over a scene that moves up and down with the camera's height alone.

    In a short shot, a camera that looks down and follows somebody away has the scene sink a little. In a long one it
    would sink for as long as they go, and tell how far they have gone.

    Args:
        shot: from :func:`frame_shot`.
        size: pixels of its frames.
    """
    eye, target = shot.camera.eye, shot.camera.target
    scale = Camera.focal(size) / np.linalg.norm(eye - target, axis=-1)
    _, up, _ = shot.camera.axes()
    climbed = np.diff(target[:, 1], prepend=target[:1, 1]) * up[:, 1]
    return Shot(shot.name, shot.camera, np.stack([shot.pan[:, 0], -(scale * PARALLAX * climbed).cumsum()], axis=-1))


def smoothed(track: Array, width: float) -> Array:
    """A track ``[F, 3]`` under a Gaussian of ``width`` frames, which is cut off and normalised again at the ends."""
    frame, smooth = np.arange(len(track)), []
    for some in np.split(frame, range(_ROWS, len(track), _ROWS)):
        weights = np.exp(-0.5 * ((some[:, None] - frame) / width) ** 2)
        smooth.append(np.einsum("fg,gi->fi", weights / weights.sum(axis=1, keepdims=True), track))
    return np.concatenate(smooth)
