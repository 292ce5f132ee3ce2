"""Motion for free: the vectors that the encoder of a video left in its stream, as a dense field.

Legend: N frames, h and w cells of the grid. A record of FFmpeg covers w x h pixels around ``dst`` and says that they
were predicted from ``dst + motion / motion_scale`` in a reference frame; what is seen there has therefore moved by
-motion / motion_scale from the reference to the current frame (FFmpeg, ``libavutil/motion_vector.h``). The records say
whether the reference lies in the past or the future, not how far away it is. The distance is taken from the packets:
the nearest picture on that side which others may refer to and which was decoded earlier. With one reference frame
(``-refs 1``) this is exact; with more of them it is the usual case. Every field is thus in pixels *per frame*,
forward in time, and several streams of one content give one motion whatever their arrangement of B-frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError

T = TypeVar("T")

CELL = 4
"""Pixels of the source that a cell of the grid covers, in both directions."""
SUBPIXEL = 16
"""Motion is stored in whole sixteenths of a pixel."""

RECORD = np.dtype(
    {
        "names": ["source", "w", "h", "src_x", "src_y", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale"],
        "formats": ["i4", "u1", "u1", "i2", "i2", "i2", "i2", "i4", "i4", "u2"],
        "offsets": [0, 4, 5, 6, 8, 10, 12, 24, 28, 32],
        "itemsize": 40,
    }
)
"""A record of FFmpeg's, without its field ``flags``, which is unused."""

_COARSE = 8
_LARGEST = 16
_NOTHING = np.full(2, -32768, dtype=np.int16).view(np.int32)[0]
_EXPORTING = ("h264", "mpeg1video", "mpeg2video", "mpeg4")


def exports_motion(codec: str) -> bool:
    """Whether FFmpeg's decoder for this codec gives its motion vectors away."""
    return codec in _EXPORTING


def vectors_are_reliable(codec: str, kind: str) -> bool:
    """Whether the vectors of a picture of type ``kind`` can be believed.

    Of the B-frames of MPEG-4 Part 2, FFmpeg exports every block with its direction and the vector 0, whatever it was
    (seen with its release 8: its decoder keeps the vectors of pictures that others refer to, and only those).
    """
    return (codec, kind) != ("mpeg4", "B")


def require_motion(codec: str, name: str) -> None:
    """Raises where no motion can be had.

    Raises:
        DataError: names the file, the codec and the command that re-encodes it.
    """
    if not exports_motion(codec):
        raise DataError(
            f"'{name}' is {codec or 'of an unknown codec'}, whose decoder does not export motion vectors "
            f"(those of {', '.join(_EXPORTING)} do).",
            "Use the residual view, or re-encode: "
            "ffmpeg -i IN -c:v libx264 -bf 0 -refs 1 -g 12 -keyint_min 12 -sc_threshold 0 OUT.mp4",
        )


@dataclass(frozen=True)
class PacketTable:
    """The packets of a video stream in the order in which they are decoded.

    Args:
        pts: when each is shown, in units of the stream; all different.
        reference: whether other pictures may be predicted from it.
        keyframe: whether decoding can start there.
        hidden: whether it is decoded only as a reference and never shown (the edit list of MP4).
    """

    pts: tuple[int, ...]
    reference: tuple[bool, ...]
    keyframe: tuple[bool, ...]
    hidden: tuple[bool, ...]

    def shown(self) -> list[int]:
        """The times of the frames that are shown, in order."""
        return sorted(pts for pts, hidden in zip(self.pts, self.hidden, strict=True) if not hidden)

    def distances(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames to the nearest reference in the past and in the future; 0 for none.

        Returns:
            Two of int64 [N], one entry a packet in order of display, hidden ones included.
        """
        order = np.argsort(np.asarray(self.pts, dtype=np.int64), kind="stable")
        shown = np.empty(len(order), dtype=np.int64)
        shown[order] = np.arange(len(order))
        past = np.zeros(len(order), dtype=np.int64)
        future = np.zeros(len(order), dtype=np.int64)
        # A picture may refer to any decoded earlier; sixteen are as many as any of these codecs keeps.
        held: list[int] = []
        for decoded, place in enumerate(shown.tolist()):
            past[place] = min((place - other for other in held if other < place), default=0)
            future[place] = min((other - place for other in held if other > place), default=0)
            if self.reference[decoded]:
                held = [*held[-15:], place]
        return past, future


def distances_from_types(frames: Iterable[tuple[T, str]]) -> Iterator[tuple[T, int, int]]:
    """The same from picture types in order of display, for streams that carry no times: B refers to what is not B.

    Args:
        frames: anything, each with its type ('I', 'P' or 'B').

    Yields:
        Each with its distances in the past and in the future, once the reference that follows it is known.
    """
    waiting: list[T] = []
    begun = False
    for frame, kind in frames:
        waiting.append(frame)
        if kind != "B":
            last = len(waiting) - 1
            yield from ((held, begun * (place + 1), last - place) for place, held in enumerate(waiting))
            waiting, begun = [], True
    yield from ((held, begun * (place + 1), 0) for place, held in enumerate(waiting))


def h264_is_reference(packet: bytes, length_size: int) -> bool:
    """Whether an H.264 packet holds a picture that others may refer to: nal_ref_idc of its first slice (H.264, 7.4.1).

    Args:
        packet: the packet's bytes, or their beginning.
        length_size: bytes of the length before each unit, as in MP4; 0 for start codes, as in raw streams.
    """
    at = 0
    while True:
        if length_size:
            at_unit = at + length_size
            following = at_unit + int.from_bytes(packet[at:at_unit], "big")
        else:
            found = packet.find(b"\x00\x00\x01", at)
            at_unit = found + 3 if found >= 0 else len(packet)
            following = at_unit
        if at_unit >= len(packet):
            return True
        if packet[at_unit] & 0x1F in (1, 2, 5):
            return (packet[at_unit] >> 5) & 3 != 0
        at = following


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the grid over a picture; the last ones may hang over its edge."""
    return -(-height // CELL), -(-width // CELL)


def rasterise(
    frames: Sequence[bytes], height: int, width: int, past: Sequence[int], future: Sequence[int]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The records of N frames as dense fields; many frames at once, since a frame alone is little work for NumPy.

    Args:
        frames: FFmpeg's records of each frame, laid out as :data:`RECORD`; empty for a frame without any.
        height: of the stored picture.
        width: of the stored picture.
        past: frames to each one's reference in the past, 0 where there is none.
        future: frames to each one's reference in the future, 0 where there is none.

    Returns:
        int16 [N, h, w, 2], motion (dx, dy) from the frame before to this one in sixteenths of a pixel, and
        bool [N, h, w], where the stream has one. A cell with both directions gets the motion from the past.
    """
    records = np.frombuffer(b"".join(frames), dtype=RECORD)
    counts = [len(frame) // RECORD.itemsize for frame in frames]
    left = records["dst_x"] - (records["w"] >> 1).astype(np.int16)
    top = records["dst_y"] - (records["h"] >> 1).astype(np.int16)
    # Blocks of 8 and 16 pixels are painted on a grid of 8, a quarter of the work; these codecs hardly know others.
    cell = CELL if np.bitwise_or.reduce(left | top | records["w"] | records["h"]) % _COARSE else _COARSE
    margin = _LARGEST // cell
    rows, columns = -(-height // cell), -(-width // cell)
    canvas = np.full((len(frames), rows + 2 * margin, columns + 2 * margin), _NOTHING, dtype=np.int32)
    # A block covers the cells whose centres it covers. One that lies far outside ends in the margin.
    row = np.clip((top + (cell // 2 - 1)) // cell, -margin, rows) + margin
    column = np.clip((left + (cell // 2 - 1)) // cell, -margin, columns) + margin
    high, wide = (np.clip(records[name] // cell, 1, margin) for name in ("h", "w"))
    corner = (np.repeat(np.arange(len(frames)) * canvas.shape[1], counts) + row) * canvas.shape[2] + column
    # Motion forward in time: a block from the future has moved on by its vector, one from the past against it.
    after, before = (np.repeat(np.asarray(of, dtype=np.int32), counts) for of in (future, past))
    scale = np.where(records["source"] > 0, after, -before) * records["motion_scale"]
    for side in (scale > 0, scale < 0):
        moving = np.flatnonzero(side)
        if len(moving):
            motion = _packed(records["motion_x"][moving], records["motion_y"][moving], scale[moving])
            _paint(canvas, corner[moving], high[moving], wide[moving], motion)
    fine = _on_grid(canvas[:, margin:-margin, margin:-margin], height, width)
    valid = fine != _NOTHING
    return (fine * valid).view(np.int16).reshape(*fine.shape, 2), valid


def _packed(x: NDArray[np.int32], y: NDArray[np.int32], scale: NDArray[np.int32]) -> NDArray[np.int32]:
    """Vectors x / scale, y / scale in sixteenths of a pixel, two int16 in one int32."""
    motion = np.empty((len(scale), 2), dtype=np.int16)
    for axis, vector in enumerate((x, y)):
        units = vector * float(SUBPIXEL) / scale
        motion[:, axis] = np.clip(np.rint(units, out=units), -32767, 32767, out=units)
    return motion.view(np.int32)[:, 0]


def _paint(
    canvas: NDArray[np.int32],
    corner: NDArray[np.int64],
    rows: NDArray[np.uint8],
    columns: NDArray[np.uint8],
    values: NDArray[np.int32],
) -> None:
    """Writes each block's value into its cells: all blocks of one size at once, cell by cell.

    The canvas has a margin as wide as the largest block all round, so that blocks that hang over need no test. Blocks
    of one direction do not overlap.
    """
    flat, across = canvas.reshape(-1), canvas.shape[2]
    for height, width in itertools.product(range(1, int(rows.max()) + 1), range(1, int(columns.max()) + 1)):
        chosen = np.flatnonzero((rows == height) & (columns == width))
        if len(chosen):
            corners, painted = corner[chosen], values[chosen]
            for row, column in itertools.product(range(height), range(width)):
                flat[corners + (row * across + column)] = painted


def _on_grid(cells: NDArray[np.int32], height: int, width: int) -> NDArray[np.int32]:
    """The canvas [N, h, w] of a picture in cells of 4 or 8 pixels, in cells of 4."""
    h, w = grid_shape(height, width)
    if cells.shape[1:] == (h, w):
        return cells
    fine = np.empty((len(cells), 2 * cells.shape[1], 2 * cells.shape[2]), dtype=np.int32)
    fine[:, ::2, ::2] = fine[:, ::2, 1::2] = cells
    fine[:, 1::2] = fine[:, ::2]
    return fine[:, :h, :w]


def rotate(
    field: NDArray[np.int16], valid: NDArray[np.bool_], turns: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Turns fields [..., h, w, 2] and masks [..., h, w] by quarter turns anticlockwise, the vectors with them."""
    turns %= 4
    if turns == 0:
        return field, valid
    field = np.rot90(field, turns, axes=(-3, -2))
    valid = np.rot90(valid, turns, axes=(-2, -1))
    dx, dy = field[..., 0], field[..., 1]
    turned = {1: (dy, -dx), 2: (-dx, -dy), 3: (-dy, dx)}[turns]
    return np.ascontiguousarray(np.stack(turned, axis=-1)), np.ascontiguousarray(valid)


def pool(
    field: NDArray[np.int16], valid: NDArray[np.bool_], factor: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Joins factor x factor cells of fields [N, h, w, 2] into one: the mean of the valid ones, valid where any is."""
    if factor == 1:
        return field, valid
    n, h, w = valid.shape
    rows, columns = -(-h // factor), -(-w // factor)
    total = np.zeros((n, rows * factor, columns * factor, 2), dtype=np.int32)
    known = np.zeros((n, rows * factor, columns * factor), dtype=np.int32)
    total[:, :h, :w] = np.where(valid[..., None], field, 0)
    known[:, :h, :w] = valid
    count = known.reshape(n, rows, factor, columns, factor).sum(axis=(2, 4))
    summed = total.reshape(n, rows, factor, columns, factor, 2).sum(axis=(2, 4))
    mean = np.rint(summed / np.maximum(count, 1)[..., None]).astype(np.int16)
    return mean, count > 0


def step_motion(
    field: NDArray[np.int16], valid: NDArray[np.bool_], stride: int, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Motion between sampled frames from the motion of every frame.

    A frame without vectors (a keyframe) leaves no hole: it gets the mean of the others.

    Args:
        field: int16 [T * stride, h, w, 2], the frames after the first sampled one.
        valid: bool [T * stride, h, w].
        stride: frames from one sampled frame to the next.
        height: of the displayed source, in pixels.
        width: of the displayed source, in pixels.

    Returns:
        float32 [T, h, w, 2], (dx, dy) as a fraction of (width, height), and bool [T, h, w], where any frame has one.
    """
    scale = np.asarray([stride / (SUBPIXEL * width), stride / (SUBPIXEL * height)], dtype=np.float32)
    if stride == 1:  # nothing to add up
        motion = field * scale
        motion[~valid] = 0
        return motion, valid
    steps = valid.shape[0] // stride
    fields = field.reshape(steps, stride, *field.shape[1:]).astype(np.float32)
    masks = valid.reshape(steps, stride, *valid.shape[1:])
    count = masks.sum(axis=1)
    total = (fields * masks[..., None]).sum(axis=1)
    return total / np.maximum(count, 1).astype(np.float32)[..., None] * scale, count > 0
