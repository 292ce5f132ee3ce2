"""Decodes videos into a store's flat files: ``python -m …store_worker FOLDER N SHORT_SIDE MOTION SOUND``."""

from __future__ import annotations

import sys
import zlib
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from kinema.core.errors import KinemaError
from kinema.core.files import open_plain
from kinema.data.clips.store_files import UNKNOWN, Entry
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.files import why_other
from kinema.data.video.hearing import whole_sound
from kinema.data.video.manifest import Video
from kinema.data.workers import Job, serve


def store_video(
    job: Job, number: int, short_side: int, motion: bool, rgb: IO[bytes], fields: IO[bytes], sounds: IO[bytes] | None
) -> Job:
    """Appends one video to the open files; its :class:`Entry` as JSON values."""
    rgb_at, motion_at = rgb.seek(0, 2), fields.seek(0, 2)
    entry = Entry(row=job["row"], file=number, rgb_at=rgb_at, motion_at=motion_at)
    frames, checks = 0, [0, 0, 0]
    path = Path(job["path"])
    try:
        _require_unchanged(path, job)
        for part in decode_chunks(path, short_side=short_side, motion=motion):
            checks[0] = _append(rgb, part.frames, checks[0])
            cells = (0, 0)
            if part.motion is not None and part.motion_valid is not None:
                part.motion[~part.motion_valid] = UNKNOWN
                checks[1] = _append(fields, part.motion, checks[1])
                cells = (part.motion.shape[1], part.motion.shape[2])
            frames += len(part)
            entry = Entry(
                row=job["row"],
                file=number,
                frames=frames,
                size=(part.frames.shape[1], part.frames.shape[2]),
                cells=cells,
                source_size=part.source_size,
                rgb_at=rgb_at,
                motion_at=motion_at,
            )
        rgb.flush()
        fields.flush()
        if sounds is not None:
            at, wanted = sounds.seek(0, 2), job["sound"]
            video, stretch = Video(**wanted["video"]), (wanted["rate"], wanted["first"], wanted["samples"])
            for sound in whole_sound(path, video, *stretch):
                checks[2] = _append(sounds, sound, checks[2])
            sounds.flush()
            entry = replace(entry, sound_at=at, samples=stretch[2])
        _require_unchanged(path, job)
    except _PassingError as error:
        return asdict(Entry(row=job["row"], failed=str(error), passing=True))
    except KinemaError as error:
        return asdict(Entry(row=job["row"], failed=error.message))
    except OSError as error:
        return {"row": job["row"], "errno": error.errno or 5}
    return asdict(replace(entry, checks=(checks[0], checks[1], checks[2])))


class _PassingError(Exception):
    """The file is not there as it was scanned; another time it may be."""


def _require_unchanged(path: Path, job: Job) -> None:
    """Raises where the file is not the one that was scanned: what is stored must be what the manifest names."""
    if reason := why_other(path, job["size"], job["mtime_ns"]):
        raise _PassingError(reason)


def _append(file: IO[bytes], values: NDArray[Any], check: int) -> int:
    """Writes an array behind what is there; the CRC-32 of all of it so far."""
    content = values.tobytes()
    file.write(content)
    return zlib.crc32(content, check)


def main(arguments: list[str]) -> None:
    """Serves until standard input ends."""
    folder, number, short_side, motion = Path(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3] == "1"
    with ExitStack() as files:
        rgb, fields = (files.enter_context(open_plain(folder / f"{number}.{end}", "ab")) for end in ("rgb", "motion"))
        sounds = files.enter_context(open_plain(folder / f"{number}.sound", "ab")) if arguments[4] == "1" else None
        serve(lambda job: store_video(job, number, short_side, motion, rgb, fields, sounds))


if __name__ == "__main__":
    main(sys.argv[1:])
