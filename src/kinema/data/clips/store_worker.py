"""Decodes videos into a store's flat files: ``python -m …store_worker FOLDER N SHORT_SIDE MOTION SOUND``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from kinema.core.errors import KinemaError
from kinema.core.files import open_plain
from kinema.data.clips.store_files import UNKNOWN, Entry
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.hearing import read_sound
from kinema.data.video.manifest import Video
from kinema.data.workers import Job, serve


def store_video(
    job: Job, number: int, short_side: int, motion: bool, rgb: IO[bytes], fields: IO[bytes], sounds: IO[bytes] | None
) -> Job:
    """Appends one video to the open files; its :class:`Entry` as JSON values."""
    rgb_at, motion_at = rgb.seek(0, 2), fields.seek(0, 2)
    entry = Entry(row=job["row"], file=number, rgb_at=rgb_at, motion_at=motion_at)
    frames = 0
    try:
        for part in decode_chunks(Path(job["path"]), short_side=short_side, motion=motion):
            rgb.write(part.frames.tobytes())
            cells = (0, 0)
            if part.motion is not None and part.motion_valid is not None:
                part.motion[~part.motion_valid] = UNKNOWN
                fields.write(part.motion.tobytes())
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
            sound = read_sound(Path(job["path"]), video, *stretch, whole=True)
            sounds.write(sound.tobytes())
            sounds.flush()
            entry = replace(entry, sound_at=at, samples=len(sound))
    except KinemaError as error:
        return asdict(Entry(row=job["row"], failed=error.message))
    except OSError as error:
        return {"row": job["row"], "errno": error.errno or 5}
    return asdict(entry)


def main(arguments: list[str]) -> None:
    """Serves until standard input ends."""
    folder, number, short_side, motion = Path(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3] == "1"
    with ExitStack() as files:
        rgb, fields = (files.enter_context(open_plain(folder / f"{number}.{end}", "ab")) for end in ("rgb", "motion"))
        sounds = files.enter_context(open_plain(folder / f"{number}.sound", "ab")) if arguments[4] == "1" else None
        serve(lambda job: store_video(job, number, short_side, motion, rgb, fields, sounds))


if __name__ == "__main__":
    main(sys.argv[1:])
