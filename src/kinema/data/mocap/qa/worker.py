"""Makes a share of the videos in a process of its own: ``python -m kinema.data.mocap.qa.worker``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kinema.data.mocap.body import draw_actor
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.qa.config import MocapQAConfig
from kinema.data.mocap.qa.plan import Film, person_name, plan_films
from kinema.data.mocap.scenes import paint_scene
from kinema.data.mocap.steps.film import film_session

SPLIT = "qa"
"""In the names of people and places: none of them is one of Mocap-15's."""


def make_film(out: Path, config: MocapQAConfig, film: Film) -> Row:
    """Writes a video and gives its row of ``labels.csv``, its frames' digest with it.

    A video that is there already, whole and of these settings, is not made again.

    Args:
        out: the data set's folder.
        config: its settings.
        film: the video.
    """
    actor = draw_actor(config.seed, SPLIT, film.person, config.limb_contrast)
    family = int(film.generator(config.seed, "place").integers(len(CLASSES)))
    scene = paint_scene(
        config.seed,
        SPLIT,
        family,
        CLASSES[family],
        film.number,
        size=config.size,
        clutter=config.clutter,
        contrast=config.scene_contrast,
    )
    camera, digest = film_session(out / film.path, film, actor, scene, config, config.drawing(film.frames))
    return {
        "path": film.path,
        "source": person_name(film.person),
        "split": film.split,
        "actor": actor.name,
        "scene": scene.name,
        "camera": camera,
        "digest": digest,
    }


def _share(out: Path, config: MocapQAConfig, share: slice) -> Iterator[Row]:
    for film in plan_films(config)[share]:
        yield make_film(out, config, film)


if __name__ == "__main__":
    answer(MocapQAConfig, _share)
