"""Only what is wanted of a video: some of its frames' pixels, some of its frames' motion, in one pass over the file.

A clip with a stride shows few of the frames that it spans, and several clips of one video overlap. So the wanted
frames are decoded once each, in order; the pass leaps to a keyframe where one lies between here and the next of them,
and leaves out, on the way, every picture that is not wanted and that no other refers to.
"""

from __future__ import annotations

import itertools
import math
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


@dataclass(frozen=True)
class Part:
    """What is wanted together of a video.

    Args:
        pixels: the frames whose pixels are wanted.
        motion: the frames whose motion is wanted.
    """

    pixels: frozenset[int]
    motion: frozenset[int] = frozenset()

    @property
    def wanted(self) -> frozenset[int]:
        """All of these frames."""
        return self.pixels | self.motion


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
    (found,) = decode_parts(path, [Part(frozenset(pixels), frozenset(motion))], short_side=short_side, seek=seek)
    return found


def decode_parts(path: Path, parts: Sequence[Part], *, short_side: int | None, seek: bool = True) -> Iterator[Pieces]:
    """The same for several parts of a video, one after the other, in one pass that holds no more than a part needs.

    Args:
        path: the file.
        parts: in order of their last frames; each is some of the frames of a short stretch.
        short_side: see :func:`decode_pieces`.
        seek: likewise.

    Yields:
        The frames of each part, in the order of ``parts``.

    Raises:
        VideoError: none of the frames of a part could be decoded.
        DataError: ``motion`` was requested and the codec does not export it.
    """
    table = packet_table(path) if seek or any(part.motion for part in parts) else None
    done = 0
    if seek and table is not None:
        frames = len(table.shown())
        for found in _decoded(path, parts, short_side, table, True):
            there = sum(number < frames for number in parts[done].wanted)
            if found is None or len({*found.pixels, *found.motion}) < there:
                break  # the file's index sent us past a frame that is there: count from the beginning
            yield found
            done += 1
    if done < len(parts):
        for found in _decoded(path, parts[done:], short_side, table, False):
            assert found is not None, "counting gives a part or an error"
            yield found


def _decoded(
    path: Path, parts: Sequence[Part], short_side: int | None, table: PacketTable | None, seek: bool
) -> Iterator[Pieces | None]:
    """One pass; each part, as far as it was found.

    Yields:
        The pieces of a part; None, once and last, where there are none although seeking was allowed.

    Raises:
        VideoError: there are none, and frames were counted from the beginning.
    """
    wanted = sorted({number for part in parts for number in part.wanted})
    moving = frozenset(number for part in parts for number in part.motion)
    with open_video(path) as (container, stream):
        open_decoder(
            stream.codec_context, path, motion=bool(moving), pixels=any(part.pixels for part in parts), threads=1
        )
        reader = Reader(container, stream)

        def placed(needless: Callable[[Any], bool] | None = None) -> Iterator[Placed]:
            frames = reader.frames(needless)
            return with_distances(frames, table) if moving else ((frame, 0, 0) for frame in frames)

        leaps = seek and table is not None
        chosen = _leaping(reader, placed, table, wanted) if leaps and table is not None else _counting(placed(), wanted)
        held = _Held(parts, short_side, stream.codec_context.name, reader)
        for number, each in chosen:
            held.add(number, each)
            while held.at < len(parts) and held.last <= number:
                yield held.take()
        while held.at < len(parts):
            found = held.take()
            if found is None and not leaps:
                raise _nothing(path, parts[held.at - 1], reader.reason)
            yield found
            if found is None:
                return


def _nothing(path: Path, part: Part, reason: str) -> VideoError:
    first, last = min(part.wanted), max(part.wanted)
    named = f"{first} to {last}" if last > first else f"{first}"
    return VideoError(f"'{path}': none of the frames {named} could be decoded: {reason or 'the file ends first'}.")


class _Held:
    """The frames of the current part, and those of the next ones that have come already."""

    def __init__(self, parts: Sequence[Part], short_side: int | None, codec: str, reader: Reader) -> None:
        self._parts, self._short_side, self._codec, self._reader = parts, short_side, codec, reader
        self._wants_pixels = frozenset(number for part in parts for number in part.pixels)
        self._wants_motion = frozenset(number for part in parts for number in part.motion)
        self._lasts = [max(part.wanted) for part in parts]
        begins = [min(part.wanted) for part in reversed(parts)]
        self._needed_from = list(itertools.accumulate(begins, min))[::-1]
        self._pixels: dict[int, NDArray[np.uint8]] = {}
        self._records: dict[int, tuple[bytes, int, int]] = {}
        self._picture: Picture | None = None
        self.at = 0

    @property
    def last(self) -> int:
        """The last frame of the current part."""
        return self._lasts[self.at]

    def add(self, number: int, placed: Placed) -> None:
        """Keeps what is wanted of a frame."""
        frame, past, future = placed
        self._picture = self._picture or Picture(frame, self._short_side, self._codec, self._reader.size)
        if number in self._wants_pixels:
            self._pixels[number] = self._picture.rgb(frame)
        if number in self._wants_motion:
            self._records[number] = (self._picture.records(frame), past, future)

    def take(self) -> Pieces | None:
        """The current part, None where nothing of it came; then the next one is the current one."""
        part = self._parts[self.at]
        pixels = {number: self._pixels[number] for number in part.pixels if number in self._pixels}
        records = {number: self._records[number] for number in sorted(part.motion) if number in self._records}
        self.at += 1
        begin = self._needed_from[self.at] if self.at < len(self._parts) else math.inf
        self._pixels = {number: each for number, each in self._pixels.items() if number >= begin}
        self._records = {number: each for number, each in self._records.items() if number >= begin}
        if self._picture is None or not (pixels or records):
            return None
        return Pieces(pixels, _fields(self._picture, records), self._picture.displayed)


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
