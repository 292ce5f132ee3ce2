"""Only what is wanted of a video: some of its frames' pixels, some of its frames' motion, in one pass over the file.

A clip with a stride shows few of the frames that it spans, and several clips of one video overlap. So the wanted
frames are decoded once each, in order; the pass leaps to a keyframe where one lies between here and the next of them,
and leaves out, on the way, every picture that is not wanted and that no other refers to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.decoding import Picture, Reader, open_decoder, open_video, packet_table
from kinema.data.motion import PacketTable


@dataclass(frozen=True)
class Pieces:
    """Frames of one video by their numbers, in order of display from 0.

    Args:
        pixels: uint8 [H, W, 3] of each.
        motion: int16 [h, w, 2] and bool [h, w] of each; see :class:`kinema.data.decoding.Decoded`.
        source_size: (height, width) of the source as displayed, in pixels.
    """

    pixels: Mapping[int, NDArray[np.uint8]]
    motion: Mapping[int, tuple[NDArray[np.int16], NDArray[np.bool_]]]
    source_size: tuple[int, int]


def decode_pieces(
    path: Path,
    *,
    pixels: Collection[int],
    motion: Collection[int] = (),
    short_side: int | None,
    seek: bool = True,
) -> Pieces:
    """Decodes the frames with these numbers; those that the file does not have are not in the answer.

    Args:
        path: the file.
        pixels: the frames whose pixels are wanted.
        motion: the frames whose motion is wanted.
        short_side: pixels to which the shorter side is scaled; None keeps the size.
        seek: whether keyframes may be leapt to and pictures left out. False decodes everything from the beginning,
            which a damaged file needs for its frames to keep their numbers.

    Raises:
        VideoError: none of the frames could be decoded; names the file and the reason.
        DataError: ``motion`` was asked of a codec that does not export it.
    """
    seen, moving = frozenset(pixels), frozenset(motion)
    wanted = sorted(seen | moving)
    table = packet_table(path) if seek or moving else None
    found: dict[int, NDArray[np.uint8]] = {}
    told: dict[int, tuple[bytes, int, int]] = {}
    picture: Picture | None = None
    with open_video(path) as (container, stream):
        open_decoder(stream.codec_context, path, motion=bool(moving), pixels=bool(seen), threads=1)
        reader = Reader(container, stream)
        distances = _distances(table) if moving and table is not None else {}
        for number, frame in _wanted_frames(reader, table if seek else None, wanted):
            picture = picture or Picture(frame, short_side)
            if number in seen:
                found[number] = picture.rgb(frame)
            if number in moving:
                told[number] = (picture.records(frame), *distances.get(frame.pts, (0, 0)))
    if picture is None:
        named = f"{wanted[0]} to {wanted[-1]}" if len(wanted) > 1 else f"{wanted[0]}"
        raise VideoError(
            f"'{path}': none of the frames {named} could be decoded: {reader.reason or 'the file ends first'}."
        )
    return Pieces(found, _fields(picture, told), picture.displayed)
