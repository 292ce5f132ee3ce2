"""From a file to pixels and motion, whatever state the file is in.

Frames are numbered in order of display from 0. Whole files are decoded from the beginning; a far part of a long one is
reached through the keyframe before it, by time, so that variable frame rates do no harm. What a damaged file still
gives is kept: packets that cannot be decoded are counted and passed over. Pixels are taken as square.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.files import source_of, status
from kinema.data.motion import (
    PacketTable,
    distances_from_types,
    grid_shape,
    h264_is_reference,
    pool,
    rasterise,
    require_motion,
    rotate,
    tells_motion,
)

_HEAD = 4096
_TOGETHER = 16
_NO_PIXELS = {"skip_loop_filter": "all", "skip_idct": "all"}
"""What a decoder may leave undone where only the vectors are wanted: they are read before any pixel is made."""


@dataclass(frozen=True)
class Decoded:
    """Frames of one video.

    Args:
        frames: uint8 [N, H, W, 3], RGB, turned for display; [N, 0, 0, 3] where pixels were not asked for.
        motion: int16 [N, h, w, 2] or None: (dx, dy) of what is seen, from the frame before to this one, in sixteenths
            of a pixel of the source as displayed.
        motion_valid: bool [N, h, w] or None: where the stream told a motion.
        source_size: (height, width) of the source as displayed, in pixels.
        times: float64 [N]: when each frame is shown, in seconds; NaN where the stream does not say.
        types: str [N]: each frame's picture type, 'I', 'P' or 'B' ('S' in some MPEG-4); '?' where it is unknown.
        bad_packets: packets that could not be decoded, and frames that the decoder marked as damaged.
        reason: what the decoder said of the first of these; empty where there were none.
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


def reason_of(error: BaseException) -> str:
    """What a library's error says, without the file's name and the error's number."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


@contextmanager
def open_file(path: Path) -> Iterator[Any]:
    """Opens a file, whatever streams it holds: its container.

    Raises:
        VideoError: the file is missing, or is nothing that FFmpeg knows.
    """
    try:
        file, how = source_of(path)
        container = av.open(file, metadata_errors="replace", **how)
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        reason = "the file is empty" if path.is_file() and path.stat().st_size == 0 else reason_of(error)
        raise VideoError(f"'{path}' could not be opened: {reason}.") from error
    with container:
        yield container


def video_stream(container: Any) -> Any | None:
    """The first stream of moving pictures, or None."""
    streams = (s for s in container.streams.video if Disposition.attached_pic not in s.disposition)
    return next(streams, None)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file: its container and its first stream of moving pictures.

    Raises:
        VideoError: the file is missing, is no video, holds no video stream, or one for which there is no decoder.
    """
    with open_file(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise VideoError(f"'{path}' holds no video stream.")
        if stream.codec_context is None:
            raise VideoError(f"'{path}': its video is of a codec that cannot be decoded.")
        yield container, stream


@functools.lru_cache(maxsize=64)
def _packet_table(path: Path, _size: int, _mtime: int) -> PacketTable | None:
    pts: list[int] = []
    reference: list[bool] = []
    keyframe: list[bool] = []
    hidden: list[bool] = []
    latest: int | None = None
    with open_video(path) as (container, stream):
        extradata = stream.codec_context.extradata or b""
        is_h264 = stream.codec_context.name == "h264"
        length_size = (extradata[4] & 3) + 1 if len(extradata) > 4 and extradata[0] == 1 else 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                if packet.pts is None:
                    return None
                late = latest is not None and packet.pts < latest
                latest = packet.pts if latest is None else max(latest, packet.pts)
                pts.append(packet.pts)
                keyframe.append(packet.is_keyframe)
                hidden.append(packet.is_discard)
                reference.append(h264_is_reference(_head(packet), length_size) if is_h264 else not late)
        except av.FFmpegError:
            pass
    if len(set(pts)) < len(pts):
        return None
    return PacketTable(tuple(pts), tuple(reference), tuple(keyframe), tuple(hidden))


def _head(packet: Any) -> bytes:
    return bytes(memoryview(packet)[:_HEAD]) if packet.size > _HEAD else bytes(packet)


def packet_table(path: Path) -> PacketTable | None:
    """The packets of a file's video stream, or None where they carry no distinct times (raw streams).

    Raises:
        VideoError: the file cannot be opened.
    """
    try:
        state = status(path)
    except OSError as error:
        raise VideoError(f"'{path}' could not be opened: {reason_of(error)}.") from error
    return _packet_table(path, *state)


@dataclass
class Reader:
    """Decodes one stream from wherever it stands, and counts what went wrong."""

    container: Any
    stream: Any
    bad: int = 0
    reason: str = ""
    packets: int = 0
    _begun: bool = field(default=False, init=False)

    def frames(self, needless: Callable[[Any], bool] | None = None) -> Iterator[Any]:
        """The decoder's frames in order of display, until the stream ends or gives no more.

        Args:
            needless: says of a packet that its picture is not wanted; it is left out if no other refers to it. Only
                for a decoder of one thread, which has said all of a packet before the next.
        """
        context, leaves_out = self.stream.codec_context, False
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._note(reason_of(error))
                packet = None
            self.packets += packet is not None and packet.size > 0
            if needless is not None and packet is not None and needless(packet) != leaves_out:
                leaves_out = not leaves_out
                context.skip_frame = "NONREF" if leaves_out else "DEFAULT"
            try:
                decoded = self.stream.decode(packet)
            except av.EOFError:
                return
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self._note(reason_of(error))
                decoded = []
            for frame in decoded:
                if frame.is_corrupt:
                    self._note("the decoder marked frames as damaged")
                yield frame
            if packet is None or packet.size == 0:
                return

    def seek(self, pts: int) -> bool:
        """Goes to the keyframe at or before a time; False where the container cannot.

        The first packet is decoded before the first leap: it may hold what later keyframes do not repeat. x264 writes
        its version there alone, by which FFmpeg knows the streams of old versions whose 4:4:4 pictures want another
        decoding.
        """
        try:
            if not self._begun:
                self._begun = True
                packet = next((packet for packet in self.container.demux(self.stream) if packet.size), None)
                with suppress(av.FFmpegError, ValueError, MemoryError):
                    self.stream.decode(packet)
                    self.stream.codec_context.flush_buffers()
            self.container.seek(pts, backward=True, stream=self.stream)
        except av.FFmpegError as error:
            self._note(f"it cannot be sought in ({reason_of(error)})")
            return False
        return True

    def _note(self, reason: str) -> None:
        self.bad += 1
        self.reason = self.reason or reason


def output_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """(height, width) once the shorter side is scaled to ``short_side`` pixels, the shape kept; None keeps all."""
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
    """Turns decoder frames of one file into RGB arrays of one size."""

    def __init__(self, first: Any, short_side: int | None, codec: str) -> None:
        self._codec = codec
        self.stored = (first.height, first.width)
        self.turns = quarter_turns(first.rotation)
        self.target = output_size(first.height, first.width, short_side)
        self.displayed = self.stored[::-1] if self.turns % 2 else self.stored
        self.factor = motion_grid(*self.stored, short_side)[2]
        self._reformatter = VideoReformatter()

    def rgb(self, frame: Any) -> NDArray[np.uint8]:
        """Uint8 [H, W, 3], turned for display."""
        height, width = self.target
        picture = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=Interpolation.BILINEAR
        )
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        turned: NDArray[np.uint8] = np.rot90(rows.reshape(height, width, 3), self.turns).copy()
        return turned

    def records(self, frame: Any) -> bytes:
        """A copy of the frame's vectors: they would keep the decoder's whole picture alive."""
        if (frame.height, frame.width) != self.stored or not tells_motion(self._codec, _type_of(frame)):
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
        self._types.append(_type_of(frame))
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


def _type_of(frame: Any) -> str:
    name: str = PictureType(frame.pict_type).name
    return "?" if name == "NONE" else name


Placed = tuple[Any, int, int]
"""A frame of the decoder with the frames to its references in the past and in the future."""


def with_distances(frames: Iterator[Any], table: PacketTable | None) -> Iterator[Placed]:
    """Frames in order of display with the distances to their references."""
    if table is None:
        return distances_from_types((frame, _type_of(frame)) for frame in frames)
    past, future = table.distances()
    known = dict(zip(sorted(table.pts), zip(past.tolist(), future.tolist(), strict=True), strict=True))
    return ((frame, *known.get(frame.pts, (0, 0))) for frame in frames)


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


def open_decoder(context: Any, path: Path, *, motion: bool, pixels: bool, threads: int) -> None:
    """Sets what the decoder does; all of it has to be said before the first packet."""
    # With several frames at once FFmpeg may read a picture's vectors while another thread is still writing them
    # (seen with its release 8: one frame in twenty of a 320 x 240 file differed from run to run).
    context.thread_count, context.thread_type = threads, "SLICE" if motion else "AUTO"
    if motion:
        require_motion(context.name, str(path))
        context.options = {"flags2": "+export_mvs"} | ({} if pixels else _NO_PIXELS)


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
            picture = picture or Picture(each[0], how.short_side, stream.codec_context.name)
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
        DataError: ``motion`` was asked of a codec that does not export it.
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
