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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError

CELL = 4
"""Pixels of the source that a cell of the grid covers, in both directions."""
SUBPIXEL = 16
"""Motion is kept in whole sixteenths of a pixel."""

_MARGIN = 16 // CELL
_NOTHING = np.full(2, -32768, dtype=np.int16).view(np.int32)[0]
_EXPORTING = ("h264", "mpeg1video", "mpeg2video", "mpeg4")


def exports_motion(codec: str) -> bool:
    """Whether FFmpeg's decoder for this codec gives its motion vectors away."""
    return codec in _EXPORTING


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
        hidden: whether it is decoded for others' sake alone and never shown (the edit list of MP4).
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


def distances_from_types(types: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same from picture types in order of display, for streams that carry no times: B refers to what is not B."""
    past = np.zeros(len(types), dtype=np.int64)
    future = np.zeros(len(types), dtype=np.int64)
    last = -1
    for place, kind in enumerate(types):
        past[place] = place - last if last >= 0 else 0
        if kind != "B":
            last = place
    following = -1
    for place in range(len(types) - 1, -1, -1):
        if types[place] == "B":
            future[place] = following - place if following >= 0 else 0
        else:
            following = place
    return past, future


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
    records: NDArray[Any] | None, height: int, width: int, past: int, future: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """One frame's records as a dense field.

    Args:
        records: FFmpeg's structured array of motion vectors, or None for a frame without any.
        height: of the stored picture.
        width: of the stored picture.
        past: frames to the reference in the past, 0 where there is none.
        future: frames to the reference in the future, 0 where there is none.

    Returns:
        int16 [h, w, 2], motion (dx, dy) from the frame before to this one in sixteenths of a pixel, and bool [h, w],
        where the stream told it. A cell that both directions tell is given the motion from the past.
    """
    h, w = grid_shape(height, width)
    canvas = np.full((h + 2 * _MARGIN) * (w + 2 * _MARGIN), _NOTHING, dtype=np.int32)
    if records is not None:
        for future_side, distance in ((True, future), (False, past)):
            side = records[((records["source"] > 0) == future_side) & (records["motion_scale"] > 0)]
            if distance and len(side):
                scale = side["motion_scale"].astype(np.float64) * (distance if future_side else -distance) / SUBPIXEL
                motion = np.stack([side["motion_x"], side["motion_y"]], axis=1) / scale[:, None]
                units = np.clip(np.rint(motion), -32767, 32767).astype(np.int16)
                _paint(side, units.view(np.int32)[:, 0], canvas, h, w)
    inner = canvas.reshape(h + 2 * _MARGIN, w + 2 * _MARGIN)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    valid = inner != _NOTHING
    return np.where(valid, inner, 0).astype(np.int32).view(np.int16).reshape(h, w, 2), valid


def _paint(records: NDArray[Any], packed: NDArray[np.int32], canvas: NDArray[np.int32], h: int, w: int) -> None:
    """Writes each record's motion into the cells whose centre its block covers.

    The canvas has a margin as wide as the largest block all round, so that blocks that hang over need no test.
    """
    across = w + 2 * _MARGIN
    sizes = records["w"].astype(np.int64) << 8 | records["h"]
    for size in np.unique(sizes).tolist():
        width, height = size >> 8, size & 255
        chosen = sizes == size
        left = (records["dst_x"][chosen].astype(np.int64) - width // 2 + CELL // 2) // CELL
        top = (records["dst_y"][chosen].astype(np.int64) - height // 2 + CELL // 2) // CELL
        corner = (np.clip(top, -_MARGIN, h) + _MARGIN) * across + np.clip(left, -_MARGIN, w) + _MARGIN
        rows = np.arange(min(max(1, height // CELL), _MARGIN))
        columns = np.arange(min(max(1, width // CELL), _MARGIN))
        block = (rows[:, None] * across + columns).ravel()
        canvas[corner[:, None] + block] = packed[chosen][:, None]


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
    """Joins factor x factor cells of a field [h, w, 2] into one: the mean of the valid ones, valid where any is."""
    if factor == 1:
        return field, valid
    h, w = valid.shape
    rows, columns = -(-h // factor), -(-w // factor)
    total = np.zeros((rows * factor, columns * factor, 2), dtype=np.int32)
    known = np.zeros((rows * factor, columns * factor), dtype=np.int32)
    total[:h, :w] = field
    total[:h, :w][~valid] = 0
    known[:h, :w] = valid
    count = known.reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    summed = total.reshape(rows, factor, columns, factor, 2).sum(axis=(1, 3))
    mean = np.rint(summed / np.maximum(count, 1)[..., None]).astype(np.int16)
    return mean, count > 0


def step_motion(
    field: NDArray[np.int16], valid: NDArray[np.bool_], stride: int, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Motion between sampled frames from the motion of every frame.

    A frame that tells nothing (a keyframe) leaves no hole: the mean of the others stands for it.

    Args:
        field: int16 [T * stride, h, w, 2], the frames after the first sampled one.
        valid: bool [T * stride, h, w].
        stride: frames from one sampled frame to the next.
        height: of the displayed source, in pixels.
        width: of the displayed source, in pixels.

    Returns:
        float32 [T, h, w, 2], (dx, dy) as a fraction of (width, height), and bool [T, h, w], where any frame told it.
    """
    steps = valid.shape[0] // stride
    fields = field.reshape(steps, stride, *field.shape[1:]).astype(np.float32)
    masks = valid.reshape(steps, stride, *valid.shape[1:])
    count = masks.sum(axis=1)
    total = (fields * masks[..., None]).sum(axis=1)
    scale = np.asarray([stride / (SUBPIXEL * width), stride / (SUBPIXEL * height)], dtype=np.float32)
    return total / np.maximum(count, 1).astype(np.float32)[..., None] * scale, count > 0
