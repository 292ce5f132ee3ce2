"""Makes a share of the videos in a process of its own: ``python -m kinema.data.mocap.steps.worker``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.data.mocap.body import draw_actor, place_points, pose_body
from kinema.data.mocap.camera import Camera, Shot, frame_shot, keep_level
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.encode import frames_digest, read_note, write_video
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.scenes import Scene, paint_scene
from kinema.data.mocap.shapes import Body
from kinema.data.mocap.steps.config import ACTIVITIES, MocapStepsConfig
from kinema.data.mocap.steps.performance import perform_session
from kinema.data.mocap.steps.plan import Session, plan_sessions

SPLIT = "steps"
"""In the names of people and places: none of them is one of Mocap-15's."""

_BLOCK = 240
"""Frames that are drawn at a time."""


def make_session(out: Path, config: MocapStepsConfig, session: Session) -> Row:
    """Writes a video and gives its row of ``labels.csv``, its frames' digest with it.

    A video that is there already, whole and of these settings, is not made again.

    Args:
        out: the data set's folder.
        config: its settings.
        session: the video.
    """
    drawing = config.drawing(session.frames)
    actor = draw_actor(config.seed, SPLIT, session.person, config.limb_contrast)
    motion = perform_session(session, config)
    shot = frame_shot(place_points(motion, actor), drawing, session.generator(config.seed, "camera"))
    shot = keep_level(shot, config.size)
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
    path = out / session.path
    about, _, digest = read_note(path).rpartition(" ")
    if about != session.path:
        frames = _film(pose_body(motion, actor), shot, scene, config.size)
        digest = frames_digest(frames)
        write_video(path, frames, drawing, f"{session.path} {digest}")
    activity = ACTIVITIES[session.activity]
    return {
        "path": session.path,
        "label": activity,
        "source": f"P{session.person + 1:02d}",
        "activity": activity,
        "actor": actor.name,
        "scene": scene.name,
        "camera": shot.name,
        "digest": digest,
    }


def _film(body: Body, shot: Shot, scene: Scene, size: int) -> NDArray[np.uint8]:
    """The frames of a long shot, uint8 [F, H, W, 3], drawn some at a time: a drawing takes far more memory."""
    frames = np.empty((len(shot.pan), size, size, 3), dtype=np.uint8)
    for first in range(0, len(frames), _BLOCK):
        some = slice(first, first + _BLOCK)
        part = Shot(shot.name, Camera(shot.camera.eye[some], shot.camera.target[some]), shot.pan[some])
        figure = Body(body.shapes, body.position[some], body.rotation[some], body.points[some])
        frames[some] = compose(draw([figure], part.camera, size), scene, part)
    return frames


def _share(out: Path, config: MocapStepsConfig, share: slice) -> Iterator[Row]:
    for session in plan_sessions(config)[share]:
        yield make_session(out, config, session)


if __name__ == "__main__":
    answer(MocapStepsConfig, _share)
