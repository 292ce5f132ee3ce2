"""Draws people with PyBullet's TinyRenderer and sets them into their scenes.

Drawing and setting are apart: one performance is drawn once and may be set into several scenes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import MissingExtraError
from kinema.data.mocap.body import Actor, figure_urdf, root_position
from kinema.data.mocap.camera import FIELD_OF_VIEW, Shot
from kinema.data.mocap.motions import HINGES, JOINTS, Motion
from kinema.data.mocap.scenes import Scene

_JOINTS = tuple(enumerate(JOINTS))[1:]


@dataclass(frozen=True)
class Drawing:
    """A figure before it is set into a scene.

    Args:
        colour: uint8 [F, H, W, 3]; only meaningful where ``mask`` is set.
        mask: bool [F, H, W], where the figure is.
    """

    colour: NDArray[np.uint8]
    mask: NDArray[np.bool_]


class Renderer:
    """A PyBullet world for one figure at a time; a context manager.

    Args:
        size: pixels, width and height.

    Raises:
        MissingExtraError: PyBullet is not installed.
    """

    def __init__(self, size: int) -> None:
        try:
            import pybullet
        except ImportError as error:
            raise MissingExtraError("pybullet", "mocap") from error
        self._bullet: Any = pybullet
        self._size = size
        self._world: int = pybullet.connect(pybullet.DIRECT)
        self._projection = pybullet.computeProjectionMatrixFOV(FIELD_OF_VIEW, 1.0, 0.1, 40.0)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bullet.disconnect(self._world)

    def draw(self, motion: Motion, actor: Actor, shot: Shot) -> Drawing:
        """The actor doing the motion, seen in the shot."""
        bullet, size = self._bullet, self._size
        frames = len(motion.position)
        colour = np.empty((frames, size, size, 3), dtype=np.uint8)
        mask = np.empty((frames, size, size), dtype=np.bool_)
        figure = self._load(actor)
        root, xyzw = root_position(motion, actor), np.roll(motion.rotation, -1, axis=-1)
        angle = 2.0 * np.arctan2(motion.rotation[..., 3], motion.rotation[..., 0])
        for t in range(frames):
            bullet.resetBasePositionAndOrientation(figure, root[t].tolist(), xyzw[t, 0].tolist(), self._world)
            turns = [[angle[t, j]] if name in HINGES else xyzw[t, j].tolist() for j, name in _JOINTS]
            bullet.resetJointStatesMultiDof(figure, [j - 1 for j, _ in _JOINTS], turns, physicsClientId=self._world)
            colour[t], mask[t] = self._picture(shot, t)
        bullet.removeBody(figure, self._world)
        return Drawing(colour, mask)

    def _load(self, actor: Actor) -> int:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "actor.urdf"
            path.write_text(figure_urdf(actor))
            flags = self._bullet.URDF_MAINTAIN_LINK_ORDER
            return int(self._bullet.loadURDF(str(path), useFixedBase=True, flags=flags, physicsClientId=self._world))

    def _picture(self, shot: Shot, t: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        bullet, size = self._bullet, self._size
        view = bullet.computeViewMatrix(shot.eye[t].tolist(), shot.target[t].tolist(), [0, 1, 0])
        light = (shot.eye[t] - shot.target[t]) * [0.6, 0.0, 0.6] + [0.0, 8.0, 0.0]
        _, _, rgba, _, segments = bullet.getCameraImage(
            size,
            size,
            view,
            self._projection,
            lightDirection=light.tolist(),
            lightAmbientCoeff=0.62,
            lightDiffuseCoeff=0.42,
            lightSpecularCoeff=0.0,
            shadow=0,
            renderer=bullet.ER_TINY_RENDERER,
            physicsClientId=self._world,
        )
        rgba, segments = np.reshape(rgba, (size, size, 4)), np.reshape(segments, (size, size))
        return rgba[..., :3].astype(np.uint8), segments >= 0


def compose(drawing: Drawing, scene: Scene, shot: Shot) -> NDArray[np.uint8]:
    """The figure in the scene, with a soft shadow under it and soft edges: uint8 [F, H, W, 3].

    From the drawing on all is whole-number arithmetic, the same on every machine.
    """
    size = drawing.mask.shape[1]
    frames, shade = scene.view(shot.pan[:, 0], shot.pan[:, 1], size), _shade(shot, size)
    for back, dark in zip(frames, shade, strict=True):
        rows = np.flatnonzero(dark.any(axis=1))
        band = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0)
        ground = back[band]
        ground -= ((ground * np.repeat(dark[band], 3, axis=-1).reshape(ground.shape)) >> 8).astype(np.uint8)
    cover = _cover(drawing.mask)
    edge = np.nonzero((cover > 0) & (cover < 16))
    share = cover[edge].astype(np.int64)[:, None]
    soft = (_edge_colours(drawing, edge) * share + frames[edge] * (16 - share) + 8) >> 4
    np.copyto(frames, drawing.colour, where=np.repeat(drawing.mask, 3, axis=-1).reshape(frames.shape))
    frames[edge] = soft
    return frames


_AROUND = [(dy, dx, (2 - abs(dy - 1)) * (2 - abs(dx - 1))) for dy in range(3) for dx in range(3)]
"""The 3 x 3 neighbours of a pixel, in an array padded by one, and their weights: 1 2 1 both ways, 16 in all."""


def _cover(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """How much of each pixel's neighbourhood the figure covers, in sixteenths: uint8 [F, H, W]."""
    padded = np.pad(mask, [(0, 0), (1, 1), (1, 1)], mode="edge").view(np.uint8)
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    cover: NDArray[np.uint8] = rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return cover


def _edge_colours(drawing: Drawing, edge: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    """The figure's colour at the pixels ``edge``: its own where it is, else the mean of the neighbours it covers."""
    # Red, green, blue and "covered" travel in the four 16-bit lanes of one number; 16 times 255 fits into a lane.
    lanes = np.empty((*drawing.mask.shape, 4), dtype="<u2")
    lanes[..., :3], lanes[..., 3] = drawing.colour, 1
    packed = lanes.view("<i8")[..., 0] * drawing.mask
    packed = np.pad(packed, [(0, 0), (1, 1), (1, 1)], mode="edge")
    corner = np.ravel_multi_index(edge, packed.shape)
    flat, total = packed.ravel(), np.zeros(len(corner), dtype=np.int64)
    for dy, dx, weight in _AROUND:
        total += weight * flat[corner + dy * packed.shape[2] + dx]
    weights = np.maximum(total >> 48, 1)
    neighbours = np.stack([((total >> shift) & 0xFFFF) // weights for shift in (0, 16, 32)], axis=-1)
    return np.where(drawing.mask[edge][:, None], drawing.colour[edge], neighbours)


def _shade(shot: Shot, size: int) -> NDArray[np.uint16]:
    """How dark the shadow on the ground is, of 256: uint16 [F, H, W]."""
    grid = np.arange(size) + 0.5
    x, y, width = shot.feet.T[..., None]
    across = np.exp(-0.5 * ((grid - x) / (0.75 * width)) ** 2)
    down = np.exp(-0.5 * ((grid - y) / (0.2 * width)) ** 2)
    shade: NDArray[np.uint16] = (90.0 * down[:, :, None] * across[:, None, :]).astype(np.uint16)
    return shade
