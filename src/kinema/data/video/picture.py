"""A frame of the decoder as arrays: RGB of one size, turned for display, and its motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from kinema.data.video.interlacing import Deinterlacer, has_fields, vectors_fit
from kinema.data.video.limits import first_kept, kept
from kinema.data.video.motion import CELL, grid_shape, pool, rasterise, rotate, vectors_are_reliable
from kinema.data.video.reading import type_of

SCALING = 1
"""Threads that scale a frame. Several, as PyAV chooses, take twice as long where it has some hundred pixels; files are
what is read in parallel here."""

_TOGETHER = 16


_CELLS_TOGETHER = 1 << 22
"""Cells of motion that are made at once."""


def output_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """(height, width) with the shorter side scaled to ``short_side`` pixels, in proportion; None keeps the size.

    Of a very long picture only the middle is scaled (:func:`kinema.data.video.limits.kept`).
    """
    if short_side is None:
        return height, width
    height, width = kept(height, width)
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def motion_grid(height: int, width: int, short_side: int | None) -> tuple[int, int, int]:
    """Rows and columns of the motion that :func:`decode` gives for a picture, and the cells of 4 pixels in one."""
    rows, columns = grid_shape(*(kept(height, width) if short_side is not None else (height, width)))
    factor = 1 if short_side is None else max(1, min(rows, columns) // max(1, short_side // 2))
    return -(-rows // factor), -(-columns // factor), factor


def quarter_turns(rotation: float) -> int:
    """Quarter turns anticlockwise for FFmpeg's angle of the display matrix."""
    return round(rotation / 90) % 4


class Picture:
    """Turns decoder frames of one file into RGB arrays of one size.

    Where the size changes within the file, what is of another shape than the first picture is fitted into it, with
    black beside it, and has no motion. Interlaced frames become one of their fields.

    Attributes:
        stored: (height, width) of the first picture as it is stored.
        used: (height, width) of what is used of it: all, or where it is scaled and very long, the middle.
        displayed: the same as displayed.

    Args:
        first: a frame; the first that is read.
        short_side: pixels to which the shorter side is scaled; None keeps the size.
        codec: as FFmpeg names it.
        size: (height, width) of the file's first picture, where ``first`` is a later one; None for that of ``first``.
    """

    def __init__(self, first: Any, short_side: int | None, codec: str, size: tuple[int, int] | None = None) -> None:
        self._codec = codec
        self.stored: tuple[int, int] = size or (first.height, first.width)
        self.turns = quarter_turns(first.rotation)
        self.target = output_size(*self.stored, short_side)
        self.used = self.stored if short_side is None else kept(*self.stored)
        self.displayed = self.used[::-1] if self.turns % 2 else self.used
        rows, columns, self.factor = motion_grid(*self.stored, short_side)
        self._grid = rows, columns
        self._from = tuple(
            first_kept(length, keeps, self.factor) for length, keeps in zip(self.stored, self.used, strict=True)
        )
        self._reformatter, self._cutter = VideoReformatter(), VideoReformatter()
        self._deinterlacer = Deinterlacer()

    def rgb(self, frame: Any) -> NDArray[np.uint8]:
        """Uint8 [H, W, 3], turned for display."""
        whole = self._deinterlacer.field(frame) if has_fields(self._codec, frame) else frame
        if (frame.height, frame.width) == self.stored:
            pixels = _rgb24(self._reformatter, self._cut(whole), *self.target)
        else:
            pixels = self._fitted(whole, frame.height, frame.width)
        turned: NDArray[np.uint8] = np.rot90(pixels, self.turns).copy()
        return turned

    def _fitted(self, frame: Any, height: int, width: int) -> NDArray[np.uint8]:
        """A picture of another size, in proportion and in the middle."""
        fitted = np.zeros((*self.target, 3), dtype=np.uint8)
        scale = min(self.target[0] / height, self.target[1] / width)
        high, wide = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.target[0] - high) // 2, (self.target[1] - wide) // 2
        fitted[top : top + high, left : left + wide] = _rgb24(self._reformatter, frame, high, wide)
        return fitted

    def _cut(self, frame: Any) -> Any:
        """The middle of a frame of which only that is used, before it is scaled."""
        if self.used == self.stored:
            return frame
        (top, left), (height, width) = self._from, self.used
        whole = _rgb24(self._cutter, frame, *self.stored)
        part = np.ascontiguousarray(whole[top : top + height, left : left + width])
        return av.VideoFrame.from_ndarray(part, format="rgb24")

    def records(self, frame: Any) -> bytes:
        """A copy of the frame's vectors: they would keep the decoder's whole picture alive."""
        if (frame.height, frame.width) != self.stored or not vectors_fit(self._codec, frame):
            return b""
        if not vectors_are_reliable(self._codec, type_of(frame)):
            return b""
        side = frame.side_data.get("MOTION_VECTORS")
        return b"" if side is None else bytes(memoryview(side))

    def fields(
        self, records: Sequence[bytes], past: Sequence[int], future: Sequence[int]
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """Motion int16 [N, h, w, 2] and bool [N, h, w] of N frames' vectors, each with its references' distances."""
        parts = []
        together = max(1, min(_TOGETHER, _CELLS_TOGETHER // math.prod(grid_shape(*self.stored))))
        for at in range(0, len(records), together):
            some = slice(at, at + together)
            field, valid = pool(*rasterise(records[some], *self.stored, past[some], future[some]), self.factor)
            (top, left), (rows, columns) = (start // (CELL * self.factor) for start in self._from), self._grid
            inside = np.s_[:, top : top + rows, left : left + columns]
            parts.append(rotate(field[inside], valid[inside], self.turns))
        return np.concatenate([field for field, _ in parts]), np.concatenate([valid for _, valid in parts])


def _rgb24(reformatter: VideoReformatter, frame: Any, height: int, width: int) -> NDArray[np.uint8]:
    """A frame scaled to a size, uint8 [height, width, 3]: a view of the library's memory, without its margins."""
    picture = reformatter.reformat(
        frame, width=width, height=height, format="rgb24", interpolation=Interpolation.BILINEAR, threads=SCALING
    )
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
    return rows.reshape(height, width, 3)
