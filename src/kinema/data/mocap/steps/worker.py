"""Makes a share of the videos in a process of its own: ``python -m kinema.data.mocap.steps.worker``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kinema.data.mocap.body import draw_actor
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.scenes import paint_scene
from kinema.data.mocap.steps.config import ACTIVITIES, MocapStepsConfig
from kinema.data.mocap.steps.film import film_session
from kinema.data.mocap.steps.plan import Session, plan_sessions

SPLIT = "steps"
"""In the names of people and places: none of them is one of Mocap-15's."""


def make_session(out: Path, config: MocapStepsConfig, session: Session) -> Row:
    """Writes a video and gives its row of ``labels.csv``, its frames' digest with it.

    A video that is there already, whole and of these settings, is not made again.

    Args:
        out: the data set's folder.
        config: its settings.
        session: the video.
    """
    actor = draw_actor(config.seed, SPLIT, session.person, config.limb_contrast)
    family = int(session.generator(config.seed, "place").integers(len(CLASSES)))
    scene = paint_scene(
        config.seed,
        SPLIT,
        family,
        CLASSES[family],
        session.person * len(ACTIVITIES) + session.activity,
        size=config.size,
        clutter=config.clutter,
        contrast=config.scene_contrast,
    )
    drawing = config.drawing(session.frames)
    camera, digest = film_session(out / session.path, session, actor, scene, config, drawing)
    activity = ACTIVITIES[session.activity]
    return {
        "path": session.path,
        "label": activity,
        "source": f"P{session.person + 1:02d}",
        "activity": activity,
        "actor": actor.name,
        "scene": scene.name,
        "camera": camera,
        "digest": digest,
    }


def _share(out: Path, config: MocapStepsConfig, share: slice) -> Iterator[Row]:
    for session in plan_sessions(config)[share]:
        yield make_session(out, config, session)


if __name__ == "__main__":
    answer(MocapStepsConfig, _share)
