"""Stretches of a video by seconds, ``clip.mp4@12.5-15``, and still pictures, as queries and ``encode`` take them."""

from __future__ import annotations

import re
from pathlib import Path

from kinema.core.clips import ClipSpec
from kinema.core.errors import UsageError
from kinema.data.video.files import exists, on_disk
from kinema.data.video.timeline import Timeline

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""File name extensions of still images."""

PICTURE = "rgb"
"""The view that a still picture has."""

_RANGE = re.compile(r"(.+)@([^@]*)", re.DOTALL)
_SECONDS = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)-(\d{1,7}(?:\.\d{1,6})?)")


def is_picture(file: Path) -> bool:
    """Whether a file's name is that of a still image."""
    return file.suffix.lower() in PICTURES and "%" not in file.name


def parse_stretch(query: str | Path) -> tuple[Path, tuple[float, float] | None]:
    """The file that is named, and the stretch of it in seconds; None for all of it.

    Args:
        query: a path, or PATH@START-END. An existing file with an '@' in its name takes precedence, and a ``Path`` is
            never anything but a path.

    Raises:
        UsageError: it is empty, or what stands behind the '@' is no stretch of the file.
    """
    text = str(query)
    if not text or "\0" in text:
        raise UsageError(f"The query is {text!r}.", "Name a video, VIDEO@START-END in seconds, or a picture.")
    split = _RANGE.fullmatch(text)
    if isinstance(query, Path) or exists(on_disk(Path(text))) or split is None:
        return Path(text), None
    found = _SECONDS.fullmatch(split[2])
    if found is None:
        if not exists(on_disk(Path(split[1]))):
            return Path(text), None
        raise UsageError(f"'{split[2]}' is no stretch of '{split[1]}'.", "Write it in seconds: clip.mp4@12.5-15")
    start, end = float(found[1]), float(found[2])
    if end <= start:
        raise UsageError(f"The stretch {split[2]} of '{split[1]}' ends before it begins.", "Write clip.mp4@12.5-15")
    return Path(split[1]), (start, end)


def window_of(clip: ClipSpec, file: Path, line: Timeline, stretch: tuple[float, float]) -> tuple[tuple[int, int], str]:
    """(first frame, frames) of a stretch, at least a clip if the video is long enough; and a note for the user.

    Args:
        clip: settings of a clip.
        file: the video, for messages.
        line: when each of its frames is shown.
        stretch: (start, end) in seconds.

    Raises:
        UsageError: the video ends before the stretch begins.
    """
    frames, span = line.frames, clip.span
    first, last = line.first_at(stretch[0]), line.end_at(stretch[1])
    if first >= frames:
        raise UsageError(f"The stretch from {stretch[0]:g} s on is not in '{file}', which lasts {line.duration:.2f} s.")
    wide, beyond = min(span, frames), ""
    if stretch[1] > line.duration + 1 / line.fps:
        beyond = f"'{file.name}' ends at {line.duration:.2f} s, and so does the stretch. "
    if last - first >= wide:
        return (first, last - first), beyond.strip()
    begin = max(0, min(frames - wide, (first + last - wide) // 2))
    since, until = line.seconds((begin, wide))
    lasts = f"{until - since if line.times else span / line.fps:.2f} s"
    note = f"The stretch is shorter than a clip of this encoder ({lasts}) and was widened to one."
    return (begin, wide), beyond + note
