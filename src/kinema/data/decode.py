"""From a file to pixels and motion, whatever state the file is in.

Frames are numbered in order of display from 0. Whole files are decoded from the beginning; a far part of a long one is
reached through the keyframe before it, by time, so that variable frame rates do no harm. What a damaged file still
gives is kept: packets that cannot be decoded are counted and passed over. Pixels are taken as square.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from kinema.data.motion_vectors import (
    PacketTable,
    distances_from_types,
    grid_shape,
    h264_is_reference,
    pool,
    rasterise,
    require_motion,
    rotate,
)

_HEAD = 4096


@dataclass(frozen=True)
class Decoded:
    """Frames of one video.

    Args:
        frames: uint8 [N, H, W, 3], RGB, turned for display.
        motion: int16 [N, h, w, 2] or None: (dx, dy) of what is seen, from the frame before to this one, in sixteenths
            of a pixel of the source as displayed.
        motion_valid: bool [N, h, w] or None: where the stream told a motion.
        source_size: (height, width) of the source as displayed, in pixels.
        bad_packets: packets that could not be decoded, and frames that the decoder marked as damaged.
        reason: what the decoder said of the first of these; empty where there were none.
    """

    frames: NDArray[np.uint8]
    motion: NDArray[np.int16] | None
    motion_valid: NDArray[np.bool_] | None
    source_size: tuple[int, int]
    bad_packets: int = 0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.frames)


def reason_of(error: BaseException) -> str:
    """What a library's error says, without the file's name and the error's number."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file: its container and its first stream of moving pictures.

    Raises:
        VideoError: the file is missing, is no video, or holds no video stream.
    """
    try:
        file, how = source_of(path)
        container = av.open(file, metadata_errors="replace", **how)
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        reason = "the file is empty" if path.is_file() and path.stat().st_size == 0 else reason_of(error)
        raise VideoError(f"'{path}' could not be opened: {reason}.") from error
    with container:
        for stream in container.streams.video:
            if Disposition.attached_pic not in stream.disposition:
                yield container, stream
                return
        raise VideoError(f"'{path}' holds no video stream.")


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

    def frames(self) -> Iterator[Any]:
        """The decoder's frames in order of display, until the stream ends or gives no more."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._note(reason_of(error))
                packet = None
            self.packets += packet is not None and packet.size > 0
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


class _Picture:
    """Turns decoder frames of one file into RGB arrays of one size."""

    def __init__(self, first: Any, short_side: int | None) -> None:
        self.stored = (first.height, first.width)
        self.turns = quarter_turns(first.rotation)
        self.target = output_size(first.height, first.width, short_side)
        self.displayed = self.stored[::-1] if self.turns % 2 else self.stored
        self.factor = motion_grid(*self.stored, short_side)[2]
        self._reformatter = VideoReformatter()

    def rgb(self, frame: Any) -> NDArray[np.uint8]:
        height, width = self.target
        picture = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=Interpolation.BILINEAR
        )
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        turned: NDArray[np.uint8] = np.rot90(rows.reshape(height, width, 3), self.turns).copy()
        return turned

    def field(self, frame: Any, past: int, future: int) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        side = frame.side_data.get("MOTION_VECTORS") if (frame.height, frame.width) == self.stored else None
        records = None if side is None else side.to_ndarray()
        field, valid = rasterise(records, *self.stored, past, future)
        return rotate(*pool(field, valid, self.factor), self.turns)


def _chosen_frames(
    reader: Reader, table: PacketTable | None, start: int, stop: int | None
) -> Iterator[tuple[int, Any]]:
    """Numbers and frames from ``start`` to ``stop``, reached through a keyframe where the table allows it."""
    shown = table.shown() if table is not None and start > 0 else []
    if not shown:
        for number, frame in enumerate(reader.frames()):
            if stop is not None and number >= stop:
                return
            if number >= start:
                yield number, frame
        return
    if start >= len(shown):
        return
    places = {pts: number for number, pts in enumerate(shown)}
    reader.container.seek(shown[start], backward=True, stream=reader.stream)
    for frame in reader.frames():
        number = places.get(frame.pts, -1)
        if stop is not None and number >= stop:
            return
        if number >= start:
            yield number, frame


def decode_chunks(
    path: Path,
    *,
    short_side: int | None,
    motion: bool,
    start: int = 0,
    stop: int | None = None,
    seek: bool = True,
    threads: int = 1,
    chunk: int = 256,
) -> Iterator[Decoded]:
    """The same as :func:`decode`, ``chunk`` frames at a time, for files too long for memory."""
    table = packet_table(path) if motion or (seek and start > 0) else None
    with open_video(path) as (container, stream):
        context = stream.codec_context
        context.thread_count, context.thread_type = threads, "AUTO"
        if motion:
            require_motion(context.name, str(path))
            context.options = {"flags2": "+export_mvs"}
        reader = Reader(container, stream)
        distance = _distances(table) if motion else None
        picture: _Picture | None = None
        rgb: list[NDArray[np.uint8]] = []
        held: list[Any] = []
        for _, frame in _chosen_frames(reader, table if seek else None, start, stop):
            picture = picture or _Picture(frame, short_side)
            rgb.append(picture.rgb(frame))
            if motion:
                held.append(picture.field(frame, *distance.get(frame.pts, (0, 0))) if distance else frame)
            if len(rgb) == chunk and (distance is not None or not motion):
                yield _gather(picture, rgb, held, reader)
                rgb, held = [], []
        if picture is None:
            where = "" if start == 0 else f" from frame {start} on"
            raise VideoError(f"'{path}': no frame could be decoded{where}: {reader.reason or 'the file ends first'}.")
        if motion and distance is None:
            past, future = distances_from_types([PictureType(frame.pict_type).name for frame in held])
            held = [picture.field(f, int(p), int(q)) for f, p, q in zip(held, past, future, strict=True)]
        if rgb:
            yield _gather(picture, rgb, held, reader)


def _distances(table: PacketTable | None) -> dict[int, tuple[int, int]] | None:
    if table is None:
        return None
    past, future = table.distances()
    return dict(zip(sorted(table.pts), zip(past.tolist(), future.tolist(), strict=True), strict=True))


def _gather(picture: _Picture, rgb: list[NDArray[np.uint8]], fields: list[Any], reader: Reader) -> Decoded:
    return Decoded(
        frames=np.stack(rgb),
        motion=np.stack([field for field, _ in fields]) if fields else None,
        motion_valid=np.stack([valid for _, valid in fields]) if fields else None,
        source_size=picture.displayed,
        bad_packets=reader.bad,
        reason=reader.reason,
    )


def decode(
    path: Path,
    *,
    short_side: int | None,
    motion: bool,
    start: int = 0,
    stop: int | None = None,
    seek: bool = True,
    threads: int = 1,
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
        threads: threads of the decoder.

    Raises:
        VideoError: nothing could be decoded; names the file and the reason.
        DataError: ``motion`` was asked of a codec that does not export it.
    """
    parts = list(
        decode_chunks(path, short_side=short_side, motion=motion, start=start, stop=stop, seek=seek, threads=threads)
    )
    with_motion = parts[0].motion is not None
    return Decoded(
        frames=np.concatenate([part.frames for part in parts]),
        motion=np.concatenate([p.motion for p in parts if p.motion is not None]) if with_motion else None,
        motion_valid=np.concatenate([p.motion_valid for p in parts if p.motion_valid is not None])
        if with_motion
        else None,
        source_size=parts[-1].source_size,
        bad_packets=parts[-1].bad_packets,
        reason=parts[-1].reason,
    )
