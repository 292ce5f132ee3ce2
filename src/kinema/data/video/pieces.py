"""Only what is wanted of a video: some of its frames' pixels, some of its frames' motion, in one pass over the file.

A clip with a stride shows few of the frames that it spans, and several clips of one video overlap. So the wanted
frames are decoded once each, in order; the pass leaps to a keyframe where one lies between here and the next of them,
and leaves out, on the way, every picture that is not wanted and that no other refers to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.video.motion import PacketTable
from kinema.data.video.picture import Picture
from kinema.data.video.reading import Placed, Reader, open_decoder, open_video, packet_table, with_distances


@dataclass(frozen=True)
class Pieces:
    """Frames of one video by their numbers, in order of display from 0.

    Args:
        pixels: uint8 [H, W, 3] of each.
        motion: int16 [h, w, 2] and bool [h, w] of each; see :class:`kinema.data.video.decoding.Decoded`.
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
        DataError: ``motion`` was requested and the codec does not export it.
    """
    table = packet_table(path) if seek or motion else None
    wanted = sorted({*pixels, *motion})
    found, reason = _decoded(path, frozenset(pixels), frozenset(motion), short_side, table, seek)
    there = len(wanted) if table is None else bisect_right(wanted, len(table.shown()) - 1)
    if seek and table is not None and len({*found.pixels, *found.motion} if found else ()) < there:
        # The file's index sent us past a frame that is there: count from the beginning.
        found, reason = _decoded(path, frozenset(pixels), frozenset(motion), short_side, table, False)
    if found is None:
        named = f"{wanted[0]} to {wanted[-1]}" if len(wanted) > 1 else f"{wanted[0]}"
        raise VideoError(f"'{path}': none of the frames {named} could be decoded: {reason or 'the file ends first'}.")
    return found


def _decoded(
    path: Path,
    pixels: frozenset[int],
    motion: frozenset[int],
    short_side: int | None,
    table: PacketTable | None,
    seek: bool,
) -> tuple[Pieces | None, str]:
    """One pass; the pieces, or None where there were none, and what the decoder complained of."""
    found: dict[int, NDArray[np.uint8]] = {}
    records: dict[int, tuple[bytes, int, int]] = {}
    picture: Picture | None = None
    wanted = sorted(pixels | motion)
    with open_video(path) as (container, stream):
        open_decoder(stream.codec_context, path, motion=bool(motion), pixels=bool(pixels), threads=1)
        reader = Reader(container, stream)

        def placed(needless: Callable[[Any], bool] | None = None) -> Iterator[Placed]:
            frames = reader.frames(needless)
            return with_distances(frames, table) if motion else ((frame, 0, 0) for frame in frames)

        chosen = _leaping(reader, placed, table, wanted) if seek and table is not None else _counting(placed(), wanted)
        for number, (frame, past, future) in chosen:
            picture = picture or Picture(frame, short_side, stream.codec_context.name, reader.size)
            if number in pixels:
                found[number] = picture.rgb(frame)
            if number in motion:
                records[number] = (picture.records(frame), past, future)
    if picture is None:
        return None, reader.reason
    return Pieces(found, _fields(picture, records), picture.displayed), reader.reason


def _counting(frames: Iterator[Placed], wanted: Sequence[int]) -> Iterator[tuple[int, Placed]]:
    """The wanted frames by counting from the beginning."""
    chosen = frozenset(wanted)
    for number, each in enumerate(frames):
        if number in chosen:
            yield number, each
        if number == wanted[-1]:
            return


def _leaping(
    reader: Reader,
    frames: Callable[[Callable[[Any], bool]], Iterator[Placed]],
    table: PacketTable,
    wanted: Sequence[int],
) -> Iterator[tuple[int, Placed]]:
    """The wanted frames by their times, over keyframes and without needless pictures."""
    shown = table.shown()
    places = {pts: number for number, pts in enumerate(shown)}
    keys = sorted(places[pts] for pts, key in zip(table.pts, table.keyframe, strict=True) if key and pts in places)
    needed = frozenset(shown[number] for number in wanted if number < len(shown))
    left = [number for number in wanted if number < len(shown)]
    while left:
        sought = left[0]
        if not reader.seek(shown[sought]):
            return
        for each in frames(lambda packet: packet.pts not in needed):
            number = places.get(each[0].pts, -1)
            if number == left[0]:
                yield number, each
            while left and left[0] <= number:
                left.pop(0)
            # A leap must lead to another frame: by a wrong index each leap to the same one would end short of it.
            if not left or (left[0] != sought and _key_before(keys, left[0]) > number):
                break
        else:
            return


def _key_before(keys: Sequence[int], number: int) -> int:
    """The last keyframe at or before a frame; -1 where there is none."""
    at = bisect_right(keys, number)
    return keys[at - 1] if at else -1


def _fields(
    picture: Picture, records: Mapping[int, tuple[bytes, int, int]]
) -> dict[int, tuple[NDArray[np.int16], NDArray[np.bool_]]]:
    if not records:
        return {}
    vectors, past, future = zip(*records.values(), strict=True)
    field, valid = picture.fields(vectors, past, future)
    return {number: (field[at], valid[at]) for at, number in enumerate(records)}
