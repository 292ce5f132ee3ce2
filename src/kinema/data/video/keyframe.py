"""The keyframes of a video alone, without the frames between: a cheap summary of a long one.

Each keyframe's packet goes to the decoder by itself, and the decoder is emptied after it, so that nothing waits for
frames that never come. That gives what decoding the whole file gives, bit for bit, since a keyframe refers to no other
frame. In an open group of pictures the frames that are shown before the keyframe but stored after it do, and are not
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, VideoError
from kinema.data.video.motion import PacketTable
from kinema.data.video.picture import Picture
from kinema.data.video.reading import Reader, open_video, packet_table, packets_of, reason_of


def keyframes(
    path: str | Path, *, short_side: int | None, start: int = 0, stop: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Decodes the keyframes among frames ``start`` to ``stop`` (exclusive) of a file.

    Raw streams, whose packets carry no times, give no number away without counting: all their frames are decoded, and
    only the keyframes become pictures. A keyframe that is damaged beyond decoding is left out.

    Args:
        path: the file.
        short_side: pixels to which the shorter side is scaled; None keeps the size.
        start: the first frame that may be one.
        stop: the frame after the last; None for all.

    Returns:
        uint8 [K, H, W, 3], RGB, turned for display, and int64 [K], their numbers in order of display, ascending: those
        of ``Video.keyframes`` where packets have times.

    Raises:
        VideoError: the file cannot be opened, or no keyframe there can be decoded.
    """
    path = Path(path)
    table = packet_table(path)
    wanted = None if table is None else _wanted(table, start, stop)
    pictures: list[NDArray[np.uint8]] = []
    numbers: list[int] = []
    picture: Picture | None = None
    reason = ""
    # Where seeking fails or comes down too late, or times are guessed after it (MPEG program streams), all is read.
    for seek in (True, False):
        with open_video(path) as (container, stream):
            # Threads by frame would keep each keyframe waiting, and damaged streams look different with them.
            stream.codec_context.thread_count, stream.codec_context.thread_type = 1, "AUTO"
            reader = Reader(container, stream)
            found = _counted(reader, start, stop) if wanted is None else _alone(reader, wanted, seek)
            for number, frame in found:
                picture = picture or Picture(frame, short_side, stream.codec_context.name, reader.size)
                pictures.append(picture.rgb(frame))
                numbers.append(number)
            reason = reason or reader.reason
        if not wanted:
            break
    if not pictures:
        where = f" from frame {start} on" if stop is None else f" among frames {start} to {stop}"
        raise VideoError(f"'{path}': no keyframe could be decoded{where}: {reason or 'there is none'}.")
    order = np.argsort(numbers, kind="stable")
    return np.stack(pictures)[order], np.asarray(numbers, dtype=np.int64)[order]


def nearest_keyframe(numbers: Sequence[int] | NDArray[np.int64], frame: int) -> int:
    """The number of the keyframe that is nearest to a frame; of two equally near ones the earlier.

    Args:
        numbers: the keyframes' numbers, in any order.
        frame: the frame's number.

    Raises:
        DataError: there are no keyframes.
    """
    if len(numbers) == 0:
        raise DataError(f"No keyframe is near frame {frame}: the video has none that are known.")
    return min((int(number) for number in numbers), key=lambda number: (abs(number - frame), number))


def _wanted(table: PacketTable, start: int, stop: int | None) -> dict[int, int]:
    """The times of the keyframes among these frames, with their numbers."""
    places = {pts: number for number, pts in enumerate(table.shown())}
    return {
        pts: places[pts]
        for pts, key in zip(table.pts, table.keyframe, strict=True)
        if key and start <= places.get(pts, -1) and (stop is None or places[pts] < stop)
    }


def _alone(reader: Reader, wanted: dict[int, int], seek: bool) -> Iterator[tuple[int, Any]]:
    """Keyframes in the order of the file, each with its number; what was found leaves ``wanted``."""
    if not wanted:
        return
    try:
        if seek and min(wanted.values()) > 0 and not reader.seek(min(wanted)):
            return
        for packet in packets_of(reader.container, reader.stream):
            if packet.is_keyframe and packet.size and packet.pts in wanted:
                frame = _only_frame(reader, packet)
                if frame is not None:
                    yield wanted[packet.pts], frame
                del wanted[packet.pts]
                if not wanted:
                    return
    except av.FFmpegError as error:
        reader.reason = reader.reason or reason_of(error)


def _only_frame(reader: Reader, packet: Any) -> Any | None:
    context = reader.stream.codec_context
    frames = []
    for part in (packet, None):
        try:
            frames += context.decode(part)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            reader.reason = reader.reason or reason_of(error)
    context.flush_buffers()
    return next((frame for frame in frames if frame.pts == packet.pts), None)


def _counted(reader: Reader, start: int, stop: int | None) -> Iterator[tuple[int, Any]]:
    for number, frame in enumerate(reader.frames()):
        if stop is not None and number >= stop:
            return
        if number >= start and frame.key_frame:
            yield number, frame
