"""A small picture of a video every tenth of a second: what is compared to find the same footage twice.

A fingerprint is what survives another encoder, another size and another frame rate: the light in 8 x 8 fields of the
picture, the mean of all frames shown within a tenth of a second. It needs no network, and 1.3 kB a second.

``python -m kinema.data.video.fingerprint`` answers a line for each file that it is given, in a process of its own.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from kinema.core.errors import KinemaError, VideoError
from kinema.data.video.manifest import Manifest
from kinema.data.video.picture import SCALING, quarter_turns
from kinema.data.video.reading import Reader, open_video
from kinema.data.workers import Job, run_jobs, serve

RATE = 10
"""Pictures of a fingerprint a second."""

SIDE = 8
"""Fields of a picture, across and down."""

_FINE = 4 * SIDE
_LONGEST_GAP = 60.0
"""A frame may stand for so long, in seconds: slides of a call do."""
_JUMP = 1.0
"""What is made of a longer gap: a jump in damaged times is no footage."""


def fingerprint(path: str | Path) -> NDArray[np.float16]:
    """The light of a video, float16 [S, 8, 8], 0 to 255: picture s is what is shown from s / 10 s on, for 1 / 10 s.

    Time begins with the first frame, and the whole picture is stretched to a square as it is displayed. Where no frame
    begins within a tenth of a second, the one before is still shown. What of a damaged file decodes is used.

    Args:
        path: the file.

    Raises:
        VideoError: nothing could be decoded; names the file and the reason.
    """
    path = Path(path)
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = 1
        reader = Reader(container, stream)
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        pictures: list[NDArray[np.float16]] = []
        total, count = np.zeros((SIDE, SIDE)), 0
        for time, light in _timed(reader, fps):
            # The margin is for times that a container rounds: a frame at .0999 belongs to the next tenth.
            place = int(time * RATE + 0.02)
            while len(pictures) < place:
                pictures.append((total / count).astype(np.float16) if count else pictures[-1])
                total, count = np.zeros((SIDE, SIDE)), 0
            total, count = total + light, count + 1
        if not count:
            raise VideoError(f"'{path}': no frame could be decoded: {reader.reason or 'the stream is empty'}.")
        pictures.append((total / count).astype(np.float16))
    return np.stack(pictures)


def _timed(reader: Reader, fps: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Each frame's time since the first one, never falling, and its light [8, 8]."""
    reformatter, turns = VideoReformatter(), 0
    now, before = 0.0, None
    for number, frame in enumerate(reader.frames()):
        if number == 0:
            turns = quarter_turns(frame.rotation)
        else:
            step = 1 / fps if frame.time is None or before is None else frame.time - before
            now += max(step, 0.0) if step <= _LONGEST_GAP else _JUMP
        before = frame.time
        yield now, np.rot90(_light(reformatter, frame), turns)


def _light(reformatter: VideoReformatter, frame: Any) -> NDArray[np.float32]:
    picture = reformatter.reformat(
        frame, width=_FINE, height=_FINE, format="gray", interpolation=Interpolation.AREA, threads=SCALING
    )
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:_FINE, :_FINE]
    each = _FINE // SIDE
    light: NDArray[np.float32] = rows.reshape(SIDE, each, SIDE, each).mean((1, 3), dtype=np.float32)
    return light


def fingerprints(
    manifest: Manifest, *, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> tuple[dict[int, NDArray[np.float16]], dict[int, str]]:
    """Fingerprints of the videos of a manifest, made by processes of their own.

    Args:
        manifest: rows that are unreadable are passed over.
        workers: processes.
        progress: is called with (videos done, videos).

    Returns:
        The fingerprint of every row that could be read; and the reason of every one that could not.
    """
    failed = {row: v.reason for row, v in enumerate(manifest.videos) if v.health == "unreadable"}
    rows = [row for row in range(len(manifest)) if row not in failed]
    jobs: list[Job] = [{"file": str(manifest.file(row))} for row in rows]
    found: dict[int, NDArray[np.float16]] = {}
    if progress is not None:
        progress(0, len(rows))
    arguments: list[list[str]] = [[] for _ in range(max(1, workers))]
    answers = run_jobs("kinema.data.video.fingerprint", arguments, jobs, lambda _, reason: {"failed": reason})
    for done, (number, answer) in enumerate(answers, start=1):
        if "failed" in answer:
            failed[rows[number]] = answer["failed"]
        else:
            bits = np.frombuffer(base64.b64decode(answer["light"]), dtype=np.float16)
            found[rows[number]] = bits.reshape(-1, SIDE, SIDE)
        if progress is not None:
            progress(done, len(rows))
    return dict(sorted(found.items())), failed


def _answer(job: Job) -> Job:
    try:
        return {"light": base64.b64encode(fingerprint(job["file"]).tobytes()).decode("ascii")}
    except KinemaError as error:
        return {"failed": error.message}


if __name__ == "__main__":
    serve(_answer)
