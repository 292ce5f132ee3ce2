"""Crops of a person: drawn in the camera's place, found by their outline, cut out and made a crop's size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinema.data.mocap.body import pose_body
from kinema.data.mocap.camera import FIELD_OF_VIEW, FOLLOW, MARGIN, PARALLAX, Camera, Shot, keep_level, smoothed
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.looks import SPLIT, draw_looks, dress_person
from kinema.data.mocap.people.plan import Sighting, Station, plan_stations
from kinema.data.mocap.people.walking import draw_gait, perform_sighting
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.rotations import Array
from kinema.data.mocap.scenes import Scene, paint_scene
from kinema.data.mocap.shapes import Body

AROUND = 0.06
"""What a box has around the person on every side, as a fraction of their height."""


class Crew:
    """Films tracklets one after another.

    Args:
        config: the set's settings.
    """

    def __init__(self, config: MocapPeopleConfig) -> None:
        self._config, self._stations = config, plan_stations(config)
        self._scene = lru_cache(maxsize=16)(self._paint)

    def _paint(self, number: int) -> Scene:
        config, station = self._config, self._stations[number]
        return paint_scene(
            config.seed,
            SPLIT,
            station.family,
            CLASSES[station.family],
            number,
            size=_size(station, config),
            clutter=config.clutter,
            contrast=config.scene_contrast,
        )

    def film(self, sighting: Sighting) -> NDArray[np.uint8]:
        """The crops of a tracklet: uint8 [F, height, width, 3]."""
        config, station = self._config, self._stations[sighting.camera]
        looks = draw_looks(config, sighting.person)
        motion = perform_sighting(sighting, draw_gait(config, sighting.person), looks.bearing, config)
        figure = pose_body(motion, looks.actor)
        figure = Body(dress_person(looks), figure.position, figure.rotation, figure.points)
        size = _size(station, config)
        shot = _point(figure.points, station, config, sighting.generator(config.seed, "view"))
        drawing = draw([figure], shot.camera, size)
        frames = compose(drawing, self._scene(sighting.camera), shot)
        boxes = find_boxes(drawing.cover, config, sighting.generator(config.seed, "boxes"))
        crops = [
            Image.fromarray(frame).resize((config.width, config.height), Image.Resampling.BICUBIC, box=tuple(box))
            for frame, box in zip(frames, boxes.tolist(), strict=True)
        ]
        return np.stack([station.colours[np.asarray(crop), [0, 1, 2]] for crop in crops])


def _size(station: Station, config: MocapPeopleConfig) -> int:
    """Pixels of the pictures of a camera."""
    return max(32, round(station.detail * config.picture))


def _point(points: Array, station: Station, config: MocapPeopleConfig, rng: np.random.Generator) -> Shot:
    """The camera pointed at somebody whom it follows.

    Args:
        points: float64 [F, P, 3], their joints and ends, metres.
        station: which camera.
        config: the set's settings.
        rng: this tracklet's.
    """
    turn = station.azimuth + np.deg2rad(config.view_range) * rng.uniform(-0.5, 0.5)
    level, start = np.cos(station.elevation), float(rng.random())
    back = np.array([level * np.cos(turn), np.sin(station.elevation), level * np.sin(turn)])
    right = np.array([np.sin(turn), 0.0, -np.cos(turn)])
    up = np.cross(back, right)
    target = smoothed(0.5 * (points.min(axis=1) + points.max(axis=1)), FOLLOW * config.fps)
    local = points - target[:, None]
    across, above = float(np.abs(local @ right).max()) + MARGIN, float(np.abs(local @ up).max()) + MARGIN
    shape = config.height / config.width
    half = max(above, across * shape) * max(1.0, 1.0 / shape) * (1.0 + 2.0 * AROUND) * config.room
    eye = target + half / np.tan(np.deg2rad(FIELD_OF_VIEW / 2)) * back
    size = _size(station, config)
    step = np.diff(target, axis=0, prepend=target[:1])
    pan = np.zeros((len(points), 2))
    pan[:, 0] = 2.0 * start * size + size / (2.0 * half) * PARALLAX * (step @ right).cumsum()
    return keep_level(Shot(station.name, Camera(eye, target), pan), size)


def find_boxes(cover: NDArray[np.uint8], config: MocapPeopleConfig, rng: np.random.Generator) -> Array:
    """Boxes of a crop's shape around what is drawn, displaced by ``config.shift``.

    Args:
        cover: uint8 [F, S, S], how much of a pixel is covered, of 255.
        config: height, width and shift.
        rng: the displacements'.

    Returns:
        Left, top, right and bottom, in pixels and within the picture: float64 [F, 4].
    """
    seen = cover > 127
    left, right = _ends(np.asarray(seen.any(axis=1)))
    top, bottom = _ends(np.asarray(seen.any(axis=2)))
    shape = config.height / config.width
    tall = np.maximum(bottom - top, (right - left) * shape) * (1.0 + 2.0 * AROUND)
    aside, down, larger = config.shift * rng.uniform(-1, 1, (3, len(cover)))
    middle = np.stack([0.5 * (left + right) + aside * tall / shape, 0.5 * (top + bottom) + down * tall], axis=-1)
    tall = tall * np.exp(np.log1p(config.shift) * larger / max(config.shift, 1e-9))
    half = 0.5 * np.stack([tall / shape, tall], axis=-1)
    size = cover.shape[1]
    half = half * np.minimum(1.0, 0.5 * size / half.max(axis=-1, keepdims=True))
    middle = np.clip(middle, half, size - half)
    return np.concatenate([middle - half, middle + half], axis=-1)


def _ends(seen: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Where what is seen begins and ends in every frame: bool [F, S] to two float64 [F]."""
    return seen.argmax(axis=1).astype(np.float64), seen.shape[1] - seen[:, ::-1].argmax(axis=1).astype(np.float64)
