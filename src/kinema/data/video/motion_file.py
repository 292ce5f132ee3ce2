"""The motion vectors of one video, as arrays and as a file.

Arrays of a whole video fit in memory for most videos and not for all: a file is written from pieces, so that an hour
takes no more memory than a minute.
"""

from __future__ import annotations

import functools
import gzip
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import UsageError
from kinema.core.files import write_atomic
from kinema.core.version import RELEASE
from kinema.data.video.decoding import Decoded, decode, decode_chunks
from kinema.data.video.film import Film, open_mp4
from kinema.data.video.motion import CELL, SUBPIXEL
from kinema.data.video.motion_drawing import Drawer, add_speeds, full_speed
from kinema.data.video.reading import open_video, packet_table

Progress = Callable[[int, int], None]

UNITS = (
    f"motion: (dx, dy) of what is seen, from the frame before to this one, x to the right and y down, "
    f"in 1/{SUBPIXEL} pixel of the source as displayed; times: seconds; cell: pixels"
)

_UNKNOWN = -32768
_LEVEL = 6
_PIECE = 64
_PIECE_OF_PIXELS = 8


@dataclass(frozen=True)
class MotionVectors:
    """The motion of one video.

    Args:
        motion: int16 [N, h, w, 2]: (dx, dy) of what is seen, from the frame before to this one, in sixteenths of a
            pixel of the source as displayed; x to the right, y down. 0 where the stream has none.
        valid: bool [N, h, w]: where the stream has a vector; nowhere on a keyframe.
        times: float64 [N]: when each frame is shown, in seconds; NaN where the stream does not say.
        types: str [N]: picture types, 'I', 'P', 'B'; '?' where unknown.
        source_size: (height, width) of the source as displayed, in pixels. A cell of the grid covers 4 x 4 of them.
        bad_packets: packets that could not be decoded, and frames that the decoder marked as damaged.
        reason: the decoder's message for the first of these; empty where there were none.
    """

    motion: NDArray[np.int16]
    valid: NDArray[np.bool_]
    times: NDArray[np.float64]
    types: NDArray[np.str_]
    source_size: tuple[int, int]
    bad_packets: int = 0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.motion)

    def pixels(self) -> NDArray[np.float32]:
        """The motion in pixels a frame, float32 [N, h, w, 2]."""
        return self.motion.astype(np.float32) / np.float32(SUBPIXEL)


def motion_vectors(
    path: str | Path, *, start: int = 0, stop: int | None = None, seek: bool = True, threads: int = 1
) -> MotionVectors:
    """The motion vectors that the encoder of a video left in its stream, rasterised; no pixel is made for them.

    Args:
        path: the file: H.264, MPEG-1, -2 or -4.
        start: the first frame.
        stop: the frame after the last; None for all.
        seek: whether a later ``start`` may be reached through a keyframe; see :func:`kinema.data.decode`.
        threads: threads of the decoder, which share the slices of a picture where it has several.

    Raises:
        VideoError: nothing could be decoded; names the file and the reason.
        DataError: the codec does not export its vectors; names it and the command that re-encodes.
    """
    where: dict[str, Any] = {"start": start, "stop": stop, "seek": seek, "threads": threads}
    read = decode(Path(path), short_side=None, motion=True, pixels=False, **where)
    assert read.motion is not None
    assert read.motion_valid is not None
    return MotionVectors(
        read.motion, read.motion_valid, read.times, read.types, read.source_size, read.bad_packets, read.reason
    )


@dataclass
class Written:
    """What was found of a video while its file was written.

    Args:
        frames: how many there are.
        with_motion: how many of them have a vector anywhere; keyframes do not.
        source_size: (height, width) of the source as displayed, in pixels.
        bad_packets: packets that could not be decoded, and frames that the decoder marked as damaged.
        reason: what the decoder said of the first of these; empty where there were none.
    """

    frames: int = 0
    with_motion: int = 0
    source_size: tuple[int, int] = (0, 0)
    bad_packets: int = 0
    reason: str = ""

    def count(self, part: Decoded) -> None:
        """Adds the next piece of the video."""
        assert part.motion_valid is not None
        self.frames += len(part)
        self.with_motion += int(part.motion_valid.any(axis=(1, 2)).sum())
        self.source_size, self.bad_packets, self.reason = part.source_size, part.bad_packets, part.reason


def write_motion(video: str | Path, out: str | Path, *, progress: Progress | None = None) -> Written:
    """Writes the motion of a video as arrays (.npz) or drawn over its frames (.mp4).

    Arrays: ``motion`` int16 [N, h, w, 2] and ``valid`` bool [N, h, w] as in :class:`MotionVectors`, ``times``,
    ``types``, ``source_size`` (height, width), ``cell`` (pixels), ``subpixel`` (units of motion in a pixel), ``units``
    in words, and ``kinema``, the version that wrote them. The file is there whole or not at all.

    Args:
        video: the file: H.264, MPEG-1, -2 or -4.
        out: the file to write.
        progress: is called with (frames done, frames).

    Raises:
        UsageError: ``out`` ends in neither, or is the video itself.
        VideoError: nothing could be decoded; names the file and the reason.
        DataError: the codec does not export its vectors; names it and the command that re-encodes.
        StorageError: ``out`` could not be written.
    """
    source, target = Path(video), Path(out)
    writers: dict[str, Callable[[Path, IO[bytes], Written, Progress], None]]
    writers = {".npz": functools.partial(write_arrays, folder=target.parent), ".mp4": write_drawn}
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise UsageError(
            f"'{out}' ends in neither {' nor '.join(writers)}.", "Arrays go into an .npz, drawn frames into an .mp4."
        )
    if target.exists() and source.exists() and os.path.samefile(source, target):
        raise UsageError(f"'{out}' is the video itself.", "Name another file to write.")
    next(decode_chunks(source, short_side=None, motion=True, pixels=False, stop=1))  # what cannot be read says so first
    table = packet_table(source)
    total = len(table.shown()) if table is not None else 0
    written = Written()
    write_atomic(target, lambda file: writer(source, file, written, _over_passes(progress, total)))
    return written


def _over_passes(progress: Progress | None, total: int) -> Progress:
    """Reports the progress of so many passes over ``total`` frames; a stream without times has no total."""

    def report(done: int, passes: int) -> None:
        if progress is not None:
            progress(done, max(done, passes * total))

    return report


def write_arrays(source: Path, file: IO[bytes], written: Written, progress: Progress, *, folder: Path) -> None:
    """Writes the .npz. How many frames there are is known at the end only: the field waits in a nameless file."""
    times, types = [], []
    with tempfile.TemporaryFile(dir=folder) as room:
        with gzip.GzipFile(fileobj=room, mode="wb", compresslevel=1) as waiting:
            for part in decode_chunks(source, short_side=None, motion=True, pixels=False, chunk=_PIECE):
                assert part.motion is not None
                assert part.motion_valid is not None
                shape = part.motion.shape[1:]
                waiting.write(np.where(part.motion_valid[..., None], part.motion, _UNKNOWN).astype(np.int16).tobytes())
                times.append(part.times)
                types.append(part.types)
                written.count(part)
                progress(written.frames, 1)
        frame_bytes = int(np.prod(shape)) * 2

        def fields() -> Iterator[NDArray[np.int16]]:
            room.seek(0)
            with gzip.GzipFile(fileobj=room, mode="rb") as waiting:
                while piece := waiting.read(_PIECE * frame_bytes):
                    yield np.frombuffer(piece, dtype=np.int16).reshape(-1, *shape)

        small = {
            "times": np.concatenate(times),
            "types": np.concatenate(types),
            "source_size": np.asarray(written.source_size),
            "cell": np.asarray(CELL),
            "subpixel": np.asarray(SUBPIXEL),
            "units": np.asarray(UNITS),
            "kinema": np.asarray(RELEASE),
        }
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            known = (field[..., 0] != _UNKNOWN for field in fields())
            _add(archive, "valid", (written.frames, *shape[:2]), np.dtype(bool), known)
            whole = (np.where(field == _UNKNOWN, np.int16(0), field) for field in fields())
            _add(archive, "motion", (written.frames, *shape), np.dtype(np.int16), whole)
            for name, value in small.items():
                _add(archive, name, value.shape, value.dtype, iter([value]))


def _add(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], kind: np.dtype[Any], pieces: Iterator[NDArray[Any]]
) -> None:
    """One array of an .npz, piece by piece."""
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_2_0(member, header)
        for piece in pieces:
            member.write(piece.tobytes())


def write_drawn(source: Path, file: IO[bytes], written: Written, progress: Progress) -> None:
    """Writes the .mp4: once through the video for the speeds that it holds, and once more to draw."""
    speeds = np.zeros(0, dtype=np.int64)
    done = 0
    for part in decode_chunks(source, short_side=None, motion=True, pixels=False, chunk=_PIECE):
        assert part.motion is not None
        assert part.motion_valid is not None
        speeds = add_speeds(speeds, part.motion, part.motion_valid)
        done += len(part)
        progress(done, 2)
    with open_video(source) as (_, stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        base = stream.time_base
    with open_mp4(file) as container:
        film = Film(container, rate, base)
        drawer: Drawer | None = None
        for part in decode_chunks(source, short_side=None, motion=True, chunk=_PIECE_OF_PIXELS):
            assert part.motion is not None
            assert part.motion_valid is not None
            drawer = drawer or Drawer(part.source_size, full_speed(speeds))
            for frame, field, valid, time in zip(part.frames, part.motion, part.motion_valid, part.times, strict=True):
                film.add(drawer.draw(frame, field, valid), time)
            written.count(part)
            progress(done + written.frames, 2)
        film.close()
