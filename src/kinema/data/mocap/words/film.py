"""The picture of a pair: one moment of a performance, drawn in its place."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kinema.data.mocap.body import Actor, draw_actor, place_points, pose_body
from kinema.data.mocap.camera import frame_shot
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.motions import Motion, load_motion
from kinema.data.mocap.performance import disturb, exaggerate
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.scenes import Scene, paint_scene
from kinema.data.mocap.words.config import MocapWordsConfig
from kinema.data.mocap.words.plan import Sight, person_name, rng_at
from kinema.data.mocap.words.wordings import COLOURS, TROUSERS

SPLIT = "words"
"""In the names of people and places: none of them is one of Mocap-15's."""

_SEEN = {
    "backflip": (0.35, 0.7),
    "cartwheel": (0.15, 0.85),
    "getup_facedown": (0.05, 0.75),
    "getup_faceup": (0.05, 0.75),
    "jump": (0.3, 0.75),
    "kick": (0.45, 0.8),
    "punch": (0.5, 1.0),
    "roll": (0.2, 0.75),
    "spin": (0.2, 0.9),
    "spinkick": (0.4, 0.9),
}
"""Of a recording, the part in which a single picture shows what is done; all of the others."""


_SHADES, _TINT = (0.85, 1.05), 0.04
"""A top is so much darker or lighter than its colour, and every part of the colour up to so much more or less."""


class Painter:
    """Makes pictures one after another.

    Args:
        config: the set's settings.
    """

    def __init__(self, config: MocapWordsConfig) -> None:
        self._config = config
        self._scene = lru_cache(maxsize=None)(self._paint)

    def _paint(self, split: str, family: int, number: int) -> Scene:
        config = self._config
        return paint_scene(
            config.seed,
            f"{SPLIT}-{split}",
            family,
            CLASSES[family],
            number,
            size=config.size,
            clutter=config.clutter,
            contrast=config.scene_contrast,
        )

    def picture(self, sight: Sight) -> NDArray[np.uint8]:
        """The picture of a pair: uint8 [size, size, 3]."""
        config, rng = self._config, sight.generator(self._config.seed)
        motion, actor = _moment(sight.motion, config, rng), dressed(config, sight)
        shot = frame_shot(place_points(motion, actor), config.drawing(), rng)
        shot.pan[:, 0] += 2.0 * config.size * rng.random()
        drawing = draw([pose_body(motion, actor)], shot.camera, config.size)
        found: NDArray[np.uint8] = compose(drawing, self._scene(sight.split, sight.family, sight.scene), shot)[0]
        return found


def dressed(config: MocapWordsConfig, sight: Sight) -> Actor:
    """The person of a pair, in its clothes: no two tops of a colour are quite the same."""
    actor, rng = draw_actor(config.seed, SPLIT, sight.person, 1.0), rng_at(config.seed, "shade", sight.number)
    shade = np.array(COLOURS[sight.colour]) * rng.uniform(*_SHADES) + rng.uniform(-_TINT, _TINT, 3)
    red, green, blue = np.clip(shade, 0.0, 1.0).tolist()
    name = person_name(sight.person)
    return replace(actor, name=name, top=(red, green, blue), trousers=TROUSERS[sight.trousers])


def _moment(label: str, config: MocapWordsConfig, rng: np.random.Generator) -> Motion:
    """One frame of a motion, as somebody performs it once."""
    first, last = _SEEN.get(label, (0.0, 1.0))
    cycle, mirror = load_motion(label), bool(rng.random() < 0.5)
    amplitude = 1.0 + float(rng.uniform(-1, 1)) * config.amplitude_range
    own = exaggerate(cycle, amplitude).at(cycle.seconds * rng.uniform(first, last, 1))
    own = disturb(Motion(own.position, own.rotation, cycle.rate), float(np.deg2rad(config.joint_noise)), rng)
    return own.mirrored() if mirror else own
