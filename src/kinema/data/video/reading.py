"""An open file: its container and streams, its packets, and a reader of frames that damage does not stop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

from kinema.core.errors import VideoError
from kinema.data.video.files import source_of, status
from kinema.data.video.limits import LARGEST_PIXELS, too_large
from kinema.data.video.motion import PacketTable, distances_from_types, h264_is_reference, require_motion
from kinema.data.video.tracks import main_track
from kinema.data.workers import progressed

_HEAD = 4096
_BOUNDED = {"max_pixels": str(LARGEST_PIXELS)}
"""Decoders refuse larger pictures themselves: a stream may claim other sizes as it goes on than at its beginning."""
_NO_PIXELS = {"skip_loop_filter": "all", "skip_idct": "all"}
"""What a decoder may leave undone where only the vectors are wanted: they are read before any pixel is made."""


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
    """The stream of moving pictures that is read (:mod:`kinema.data.video.tracks`), or None."""
    return main_track(container)


class TooLargeError(VideoError):
    """The pictures of a file are larger than what is decoded.

    Args:
        path: the file.
        size: (height, width) that its stream claims.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        super().__init__(f"'{path}': {too_large(*size)}.", "Scale it down, for instance with ffmpeg -vf scale=3840:-2.")
        self.size = size

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoError, (self.message, self.hint)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file: its container, and the stream of moving pictures that is read, which decodes none above the bound.

    Raises:
        VideoError: the file is missing, is no video, holds no video stream, or one for which there is no decoder.
        TooLargeError: its pictures have more than :data:`kinema.data.video.limits.LARGEST_PIXELS`.
    """
    with open_file(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise VideoError(f"'{path}' holds no video stream.")
        if stream.codec_context is None:
            raise VideoError(f"'{path}': its video is of a codec that cannot be decoded.")
        if too_large(stream.codec_context.height, stream.codec_context.width):
            raise TooLargeError(path, (stream.codec_context.height, stream.codec_context.width))
        stream.codec_context.options = dict(_BOUNDED)
        yield container, stream


def packets_of(container: Any, *streams: Any) -> Iterator[Any]:
    """The packets of a stream, or of all, to be left at any point; each is progress of a worker's job.

    PyAV's own iterator loses memory when it is left, unless it is closed.
    """
    with closing(container.demux(*streams)) as packets:
        for packet in packets:
            progressed()
            yield packet


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
            for packet in packets_of(container, stream):
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


def forget_packets() -> None:
    """Forgets the packets of files that were read, because reading one failed for a reason that may have passed."""
    _packet_table.cache_clear()


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


def open_decoder(context: Any, path: Path, *, motion: bool, pixels: bool, threads: int) -> None:
    """Configures the decoder; this must happen before the first packet."""
    # With several frames at once FFmpeg may read a picture's vectors while another thread is still writing them
    # (seen with its release 8: one frame in twenty of a 320 x 240 file differed from run to run).
    context.thread_count, context.thread_type = threads, "SLICE" if motion else "AUTO"
    if motion:
        require_motion(context.name, str(path))
        context.options = _BOUNDED | {"flags2": "+export_mvs"} | ({} if pixels else _NO_PIXELS)


@dataclass
class Reader:
    """Decodes one stream from its current position, and counts what went wrong."""

    container: Any
    stream: Any
    bad: int = 0
    reason: str = ""
    packets: int = 0
    size: tuple[int, int] | None = field(default=None, init=False)
    """(height, width) of the file's first picture, known once it was read or a later one was sought."""
    _begun: bool = field(default=False, init=False)

    def frames(self, needless: Callable[[Any], bool] | None = None) -> Iterator[Any]:
        """The decoder's frames in order of display, until the stream ends or gives no more.

        Args:
            needless: says of a packet that its picture is not wanted; it is left out if no other refers to it. Only
                for a decoder of one thread, which logs all messages of a packet before the next.
        """
        context, leaves_out = self.stream.codec_context, False
        given = packets_of(self.container, self.stream)
        while True:
            try:
                packet = next(given, None)
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
                self.size = self.size or (frame.height, frame.width)
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
                packet = next((packet for packet in packets_of(self.container, self.stream) if packet.size), None)
                with suppress(av.FFmpegError, ValueError, MemoryError):
                    self.stream.decode(packet)
                    context = self.stream.codec_context
                    self.size = (context.height, context.width) if context.height and context.width else None
                    context.flush_buffers()
            self.container.seek(pts, backward=True, stream=self.stream)
        except av.FFmpegError as error:
            self._note(f"it cannot be sought in ({reason_of(error)})")
            return False
        return True

    def _note(self, reason: str) -> None:
        self.bad += 1
        self.reason = self.reason or reason


def type_of(frame: Any) -> str:
    """The frame's picture type: 'I', 'P', 'B' or 'S'; '?' where it is unknown."""
    name: str = PictureType(frame.pict_type).name
    return "?" if name == "NONE" else name


Placed = tuple[Any, int, int]
"""A frame of the decoder with the frames to its references in the past and in the future."""


def with_distances(frames: Iterator[Any], table: PacketTable | None) -> Iterator[Placed]:
    """Frames in order of display with the distances to their references."""
    if table is None:
        return distances_from_types((frame, type_of(frame)) for frame in frames)
    past, future = table.distances()
    known = dict(zip(sorted(table.pts), zip(past.tolist(), future.tolist(), strict=True), strict=True))
    return ((frame, *known.get(frame.pts, (0, 0))) for frame in frames)
