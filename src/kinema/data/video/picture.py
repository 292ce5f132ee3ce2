"""A frame of the decoder as arrays: RGB of one size, turned for display, and its motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from kinema.data.video.interlacing import Deinterlacer, has_fields, vectors_fit
from kinema.data.video.motion import grid_shape, pool, rasterise, rotate, vectors_are_reliable
from kinema.data.video.reading import type_of

SCALING = 1
"""Threads that scale a frame. Several, as PyAV chooses, take twice as long where it has some hundred pixels; files are
what is read in parallel here."""

_TOGETHER = 16


def output_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """(height, width) with the shorter side scaled to ``short_side`` pixels, in proportion; None keeps the size."""
    if short_side is None:
        return height, width
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def motion_grid(height: int, width: int, short_side: int | None) -> tuple[int, int, int]:
    """Rows and columns of the motion that :func:`decode` gives for a picture, and the cells of 4 pixels in one."""
    rows, columns = grid_shape(height, width)
    factor = 1 if short_side is None else max(1, min(rows, columns) // max(1, short_side // 2))
    return -(-rows // factor), -(-columns // factor), factor


def quarter_turns(rotation: float) -> int:
    """Quarter turns anticlockwise for FFmpeg's angle of the display matrix."""
    return round(rotation / 90) % 4


class Picture:
    """Turns decoder frames of one file into RGB arrays of one size.

    Where the size changes within the file, what is of another shape than the first picture is fitted into it, with
    black beside it, and has no motion. Interlaced frames become one of their fields.

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
        self.displayed = self.stored[::-1] if self.turns % 2 else self.stored
        self.factor = motion_grid(*self.stored, short_side)[2]
        self._reformatter = VideoReformatter()
        self._deinterlacer = Deinterlacer()

    def rgb(self, frame: Any) -> NDArray[np.uint8]:
        """Uint8 [H, W, 3], turned for display."""
        whole = self._deinterlacer.field(frame) if has_fields(self._codec, frame) else frame
        if (frame.height, frame.width) == self.stored:
            pixels = self._scaled(whole, *self.target)
        else:
            pixels = self._fitted(whole, frame.height, frame.width)
        turned: NDArray[np.uint8] = np.rot90(pixels, self.turns).copy()
        return turned

    def _scaled(self, frame: Any, height: int, width: int) -> NDArray[np.uint8]:
        picture = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=Interpolation.BILINEAR, threads=SCALING
        )
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        return rows.reshape(height, width, 3)

    def _fitted(self, frame: Any, height: int, width: int) -> NDArray[np.uint8]:
        """A picture of another size, in proportion and in the middle."""
        fitted = np.zeros((*self.target, 3), dtype=np.uint8)
        scale = min(self.target[0] / height, self.target[1] / width)
        high, wide = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.target[0] - high) // 2, (self.target[1] - wide) // 2
        fitted[top : top + high, left : left + wide] = self._scaled(frame, high, wide)
        return fitted

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
        for at in range(0, len(records), _TOGETHER):
            some = slice(at, at + _TOGETHER)
            field, valid = rasterise(records[some], *self.stored, past[some], future[some])
            parts.append(rotate(*pool(field, valid, self.factor), self.turns))
        return np.concatenate([field for field, _ in parts]), np.concatenate([valid for _, valid in parts])
