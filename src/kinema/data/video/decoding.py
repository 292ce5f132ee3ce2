"""From a file to pixels and motion, whatever state the file is in.

Frames are numbered in order of display from 0. Whole files are decoded from the beginning; a far part of a long one is
reached through the keyframe before it, by time, so that variable frame rates do no harm. What a damaged file still
gives is kept: packets that cannot be decoded are counted and passed over. Pixels are taken as square.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.video.motion import PacketTable
from kinema.data.video.picture import Picture
from kinema.data.video.reading import Placed, Reader, open_decoder, open_video, packet_table, type_of, with_distances


@dataclass(frozen=True)
class Decoded:
    """Frames of one video.

    Args:
        frames: uint8 [N, H, W, 3], RGB, turned for display; [N, 0, 0, 3] where pixels were not requested.
        motion: int16 [N, h, w, 2] or None: (dx, dy) of what is seen, from the frame before to this one, in sixteenths
            of a pixel of the source as displayed.
        motion_valid: bool [N, h, w] or None: where the stream has a vector.
        source_size: (height, width) of the source as displayed, in pixels.
        times: float64 [N]: when each frame is shown, in seconds; NaN where the stream does not say.
        types: str [N]: each frame's picture type, 'I', 'P' or 'B' ('S' in some MPEG-4); '?' where it is unknown.
        bad_packets: packets that could not be decoded, and frames that the decoder marked as damaged.
        reason: the decoder's message for the first of these; empty where there were none.
    """

    frames: NDArray[np.uint8]
    motion: NDArray[np.int16] | None
    motion_valid: NDArray[np.bool_] | None
    source_size: tuple[int, int]
    times: NDArray[np.float64]
    types: NDArray[np.str_]
    bad_packets: int = 0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.frames)


class _Chunk:
    """The frames of a chunk as they come."""

    def __init__(self, picture: Picture, *, pixels: bool, motion: bool) -> None:
        self._picture, self._pixels, self._motion = picture, pixels, motion
        self._rgb: list[NDArray[np.uint8]] = []
        self._records: list[bytes] = []
        self._past: list[int] = []
        self._future: list[int] = []
        self._times: list[float] = []
        self._types: list[str] = []

    def __len__(self) -> int:
        return len(self._times)

    def add(self, frame: Any, past: int, future: int) -> None:
        self._times.append(float("nan") if frame.time is None else frame.time)
        self._types.append(type_of(frame))
        if self._pixels:
            self._rgb.append(self._picture.rgb(frame))
        if self._motion:
            self._records.append(self._picture.records(frame))
            self._past.append(past)
            self._future.append(future)

    def gather(self, reader: Reader) -> Decoded:
        motion, valid = self._picture.fields(self._records, self._past, self._future) if self._motion else (None, None)
        return Decoded(
            frames=np.stack(self._rgb) if self._pixels else np.empty((len(self), 0, 0, 3), dtype=np.uint8),
            motion=motion,
            motion_valid=valid,
            source_size=self._picture.displayed,
            times=np.asarray(self._times),
            types=np.asarray(self._types),
            bad_packets=reader.bad,
            reason=reader.reason,
        )


class _MissedError(Exception):
    """A leap did not come down before the frames that it was for."""


def _chosen_frames(
    reader: Reader, frames: Iterator[Placed], table: PacketTable | None, start: int, stop: int | None
) -> Iterator[Placed]:
    """Frames from ``start`` to ``stop``, reached through a keyframe where the table allows it.

    Raises:
        _MissedError: they could not be reached so; nothing has been given yet.
    """
    shown = table.shown() if table is not None and start > 0 else []
    if not shown:
        yield from itertools.islice(frames, start, stop)
        return
    if start >= len(shown):
        return
    places = {pts: number for number, pts in enumerate(shown)}
    if not reader.seek(shown[start]):
        raise _MissedError
    reached = False
    for placed in frames:
        number = places.get(placed[0].pts, -1)
        if not reached and number > start:
            raise _MissedError
        if stop is not None and number >= stop:
            return
        if number >= start:
            reached = True
            yield placed
    if not reached:
        raise _MissedError


def decode_chunks(
    path: str | Path,
    *,
    short_side: int | None,
    motion: bool,
    start: int = 0,
    stop: int | None = None,
    seek: bool = True,
    threads: int = 1,
    pixels: bool = True,
    chunk: int = 256,
) -> Iterator[Decoded]:
    """The same as :func:`decode`, ``chunk`` frames at a time, for files too long for memory."""
    path = Path(path)
    table = packet_table(path) if motion or (seek and start > 0) else None
    how = _How(short_side, motion, pixels, threads, chunk)
    if seek and start > 0:
        try:
            yield from _decoded(path, how, table, start, stop, seek=True)
            return
        except _MissedError:
            pass  # the file's index sent us past the frame: count from the beginning
    yield from _decoded(path, how, table, start, stop, seek=False)


@dataclass(frozen=True)
class _How:
    short_side: int | None
    motion: bool
    pixels: bool
    threads: int
    chunk: int


def _decoded(
    path: Path, how: _How, table: PacketTable | None, start: int, stop: int | None, *, seek: bool
) -> Iterator[Decoded]:
    """One pass over the file."""
    with open_video(path) as (container, stream):
        open_decoder(stream.codec_context, path, motion=how.motion, pixels=how.pixels, threads=how.threads)
        reader = Reader(container, stream)
        frames = reader.frames()
        placed = with_distances(frames, table) if how.motion else ((frame, 0, 0) for frame in frames)
        picture: Picture | None = None
        held: _Chunk | None = None
        for each in _chosen_frames(reader, placed, table if seek else None, start, stop):
            picture = picture or Picture(each[0], how.short_side, stream.codec_context.name, reader.size)
            held = held or _Chunk(picture, pixels=how.pixels, motion=how.motion)
            held.add(*each)
            if len(held) == how.chunk:
                yield held.gather(reader)
                held = None
        if picture is None:
            where = "" if start == 0 else f" from frame {start} on"
            raise VideoError(f"'{path}': no frame could be decoded{where}: {reader.reason or 'the file ends first'}.")
        if held is not None:
            yield held.gather(reader)


def decode(
    path: str | Path,
    *,
    short_side: int | None,
    motion: bool,
    start: int = 0,
    stop: int | None = None,
    seek: bool = True,
    threads: int = 1,
    pixels: bool = True,
) -> Decoded:
    """Decodes frames ``start`` to ``stop`` (exclusive) of a file.

    Args:
        path: the file.
        short_side: pixels to which the shorter side is scaled; None keeps the size.
        motion: also the motion vectors of the stream. Their grid has a cell for every 4 pixels of the source, or for
            a multiple of 4 such that its shorter side is not far from half of ``short_side``.
        start: the first frame.
        stop: the frame after the last; None for all. Fewer frames come back where the file ends earlier.
        seek: whether a later ``start`` may be reached through a keyframe. False counts frames from the beginning,
            which a damaged file needs for its frames to keep their numbers.
        threads: threads of the decoder. With ``motion`` they share the slices of a picture, and most files have but one
            a picture: processes, each with a file of its own, are then the way to use more cores.
        pixels: False leaves the frames away, and the decoder's work on them that the vectors do not need.

    Raises:
        VideoError: nothing could be decoded; names the file and the reason.
        DataError: ``motion`` was requested and the codec does not export it.
    """
    how: dict[str, Any] = {"seek": seek, "threads": threads, "pixels": pixels}
    parts = list(decode_chunks(path, short_side=short_side, motion=motion, start=start, stop=stop, **how))
    with_motion = parts[0].motion is not None
    return Decoded(
        frames=np.concatenate([part.frames for part in parts]),
        motion=np.concatenate([p.motion for p in parts if p.motion is not None]) if with_motion else None,
        motion_valid=np.concatenate([p.motion_valid for p in parts if p.motion_valid is not None])
        if with_motion
        else None,
        source_size=parts[-1].source_size,
        times=np.concatenate([part.times for part in parts]),
        types=np.concatenate([part.types for part in parts]),
        bad_packets=parts[-1].bad_packets,
        reason=parts[-1].reason,
    )
