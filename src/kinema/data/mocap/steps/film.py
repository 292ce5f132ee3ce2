"""A person who performs one step after another, before one camera in one place: the video of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.data.mocap.body import Actor, place_points, pose_body
from kinema.data.mocap.camera import Camera, Shot, frame_shot, keep_level
from kinema.data.mocap.config import MocapConfig
from kinema.data.mocap.encode import frames_digest, read_note, write_video
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.scenes import Scene
from kinema.data.mocap.shapes import Body
from kinema.data.mocap.steps.performance import Differences, Performance, perform_session

_BLOCK = 240
"""Frames that are drawn at a time."""


def film_session(
    path: Path, session: Performance, actor: Actor, scene: Scene, config: Differences, drawing: MocapConfig
) -> tuple[str, str]:
    """Writes a video; one that is there already, whole and of these settings, is not made again.

    Args:
        path: the file.
        session: what is performed when.
        actor: who performs it.
        scene: where.
        config: says how far performances differ.
        drawing: the settings of camera, drawing and encoding.

    Returns:
        The camera's name and the digest of the frames.

    Raises:
        StorageError: the file cannot be written.
    """
    motion = perform_session(session, config)
    shot = frame_shot(place_points(motion, actor), drawing, session.generator(drawing.seed, "camera"))
    shot = keep_level(shot, drawing.size)
    about, _, digest = read_note(path).rpartition(" ")
    if about != session.path:
        frames = _film(pose_body(motion, actor), shot, scene, drawing.size)
        digest = frames_digest(frames)
        write_video(path, frames, drawing, f"{session.path} {digest}")
    return shot.name, digest


def _film(body: Body, shot: Shot, scene: Scene, size: int) -> NDArray[np.uint8]:
    """The frames of a long shot, uint8 [F, H, W, 3], drawn some at a time: a drawing takes far more memory."""
    frames = np.empty((len(shot.pan), size, size, 3), dtype=np.uint8)
    for first in range(0, len(frames), _BLOCK):
        some = slice(first, first + _BLOCK)
        part = Shot(shot.name, Camera(shot.camera.eye[some], shot.camera.target[some]), shot.pan[some])
        figure = Body(body.shapes, body.position[some], body.rotation[some], body.points[some])
        frames[some] = compose(draw([figure], part.camera, size), scene, part)
    return frames
