"""What is said and seen in time: ``subtitles/VIDEO.srt``, ``.vtt`` or ``.json``, and ``objects/VIDEO.json``.

Subtitles in JSON are a list of ``{"start": 1.0, "end": 2.5, "text": "…"}``. Objects are a list of ``{"start", "end",
"labels": ["a cat", …]}``, or of ``{"time", "labels"}``, which counts from half a second before it to half a second
after. Neighbouring stretches with the same labels become one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import load_json, reason_of
from kinema.core.splits import tidy
from kinema.data.questions.drafts import few
from kinema.data.questions.table import TimedLine
from kinema.data.subtitles import ENDINGS, Subtitles, plain_text

log = logging.getLogger(__name__)

SUBTITLES, OBJECTS = "subtitles", "objects"
_HINT = (
    "Subtitles are .srt, .vtt, or .json, a list of {start, end, text} in seconds. Where nobody speaks in a clip, leave "
    "its file away: it is then counted among those without."
)
_OBJECTS_HINT = "Objects are .json, a list of {start, end, labels} or of {time, labels} in seconds."
_HALF = 0.5


def indexed(folder: Path, endings: Sequence[str]) -> dict[str, list[Path]]:
    """The files of a folder, in all depths, by their path below it without the ending.

    Args:
        folder: need not be there.
        endings: of names, in lower case.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix.lower() in endings and path.is_file() and not path.name.startswith("."):
            name = tidy(path.relative_to(folder).with_suffix("").as_posix())
            found.setdefault(name, []).append(path)
    return found


def one_of(video: str, files: Mapping[str, Sequence[Path]]) -> Path | None:
    """The file of a video; None where there is none.

    Args:
        video: its name.
        files: as :func:`indexed` gives them.

    Raises:
        DataError: there are several.
    """
    found = files.get(tidy(video), ())
    if len(found) > 1:
        named = ", ".join(f"'{path.name}'" for path in found)
        raise DataError(f"'{video}' has {len(found)} files in '{found[0].parent}': {named}.", "Keep one of them.")
    return found[0] if found else None


def read_subtitle_files(folder: Path, videos: Sequence[str]) -> dict[str, tuple[TimedLine, ...]]:
    """The subtitles of each video that has a file of them.

    Args:
        folder: of the files.
        videos: their names.

    Raises:
        DataError: a file is empty, cannot be read or holds no line; the message gives the clip's name. Or there are
            files, and none is named as a video.
    """
    files = indexed(folder, (*ENDINGS, ".json"))
    found: dict[str, tuple[TimedLine, ...]] = {}
    said: list[str] = []
    for video in videos:
        path = one_of(video, files)
        if path is not None:
            found[video], remarks = subtitles_of(path, video)
            said += [f"'{path.name}': {remarks}"] * bool(remarks)
    _check_named(folder, files, found, videos)
    if said:
        log.warning("Of %d files of subtitles something is to be said: %s.", len(said), few(said, 3))
    return found


def subtitles_of(path: Path, video: str) -> tuple[tuple[TimedLine, ...], str]:
    """The subtitles of a file in the order of their times, and what a user should know of how it was read.

    Args:
        path: a .srt, .vtt or .json.
        video: whose they are, for messages.

    Raises:
        DataError: it is empty, cannot be read, or holds no line.
    """
    try:
        if path.suffix.lower() == ".json":
            return _from_json(path)
        found = Subtitles.read(path)
    except DataError as error:
        raise DataError(f"The clip '{video}' has no subtitles that can be used. {error.message}", _HINT) from error
    return tuple(TimedLine(cue.start, cue.end, cue.text) for cue in found.cues), found.remarks()


def read_object_files(folder: Path, videos: Sequence[str]) -> dict[str, tuple[TimedLine, ...]]:
    """The objects of each video that has a file of them, as lines.

    Args:
        folder: of the files.
        videos: their names.

    Raises:
        DataError: a file is damaged, or there are files and none is named as a video.
    """
    files = indexed(folder, (".json",))
    found = {video: objects_of(path) for video in videos if (path := one_of(video, files)) is not None}
    _check_named(folder, files, found, videos)
    return found


def objects_of(path: Path) -> tuple[TimedLine, ...]:
    """The labels of objects of a file as lines, neighbouring ones with the same labels as one.

    Args:
        path: a .json.

    Raises:
        DataError: it cannot be read, or an entry is none.
    """
    found: list[TimedLine] = []
    for number, record in _records(path, _OBJECTS_HINT):
        where = f"'{path}', entry {number}"
        labels = record.get("labels")
        if not isinstance(labels, list) or not all(isinstance(each, str) for each in labels):
            raise DataError(f"{where}: 'labels' is no list of texts.", _OBJECTS_HINT)
        if "time" in record:
            at = _seconds(where, record, "time", _OBJECTS_HINT)
            start, end = max(0.0, at - _HALF), at + _HALF
        else:
            start, end = _stretch(where, record, _OBJECTS_HINT)
        text = " ".join(dict.fromkeys(filter(None, (" ".join(tidy(each).split()) for each in labels))))
        if text:
            found.append(TimedLine(start, end, text, "object"))
    return merged(found)


def merged(lines: Sequence[TimedLine]) -> tuple[TimedLine, ...]:
    """Lines in the order of their times; a line that goes on where one of the same text ends is one with it.

    Args:
        lines: in any order.
    """
    found: list[TimedLine] = []
    for line in ordered(lines):
        last = found[-1] if found else None
        if last is not None and last.text == line.text and last.kind == line.kind and line.start <= last.end + 1e-6:
            found[-1] = replace(last, end=max(last.end, line.end))
        else:
            found.append(line)
    return tuple(found)


def ordered(lines: Sequence[TimedLine]) -> tuple[TimedLine, ...]:
    """Lines in the order of their times; of those that begin together subtitles come first.

    Args:
        lines: in any order.
    """
    return tuple(sorted(lines, key=lambda line: (line.start, line.kind == "object", line.end)))


def _from_json(path: Path) -> tuple[tuple[TimedLine, ...], str]:
    found: list[TimedLine] = []
    empty: list[str] = []
    for number, record in _records(path, _HINT):
        where = f"'{path}', entry {number}"
        text = record.get("text")
        if not isinstance(text, str):
            raise DataError(f"{where}: 'text' is no text.", _HINT)
        start, end = _stretch(where, record, _HINT)
        shown = plain_text([text])
        if shown:
            found.append(TimedLine(start, end, shown))
        else:
            empty.append(f"entry {number}")
    if not found:
        raise DataError(f"'{path}' {'holds lines without text alone' if empty else 'is empty'}.", _HINT)
    return ordered(found), f"{len(empty)} entries without text ({few(empty)})" if empty else ""


def _records(path: Path, hint: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        found = load_json(path)
    except (OSError, ValueError) as error:
        why = "it is empty" if path.is_file() and not path.stat().st_size else reason_of(error)
        raise DataError(f"'{path}' cannot be read: {why}.", hint) from error
    if not isinstance(found, list):
        raise DataError(f"'{path}' holds no list.", hint)
    for number, record in enumerate(found):
        if not isinstance(record, dict):
            raise DataError(f"'{path}', entry {number}: it is no object.", hint)
        yield number, record


def _stretch(where: str, record: Mapping[str, Any], hint: str) -> tuple[float, float]:
    start, end = (_seconds(where, record, key, hint) for key in ("start", "end"))
    if end < start:
        raise DataError(f"{where}: it ends at {end:g} s and begins at {start:g} s.", hint)
    return start, end


def _seconds(where: str, record: Mapping[str, Any], key: str, hint: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DataError(f"{where}: '{key}' is {value!r}; seconds were expected.", hint)
    return float(value)


def _check_named(
    folder: Path, files: Mapping[str, Sequence[Path]], found: Mapping[str, object], videos: Sequence[str]
) -> None:
    if files and not found:
        raise DataError(
            f"None of the {len(files)} files in '{folder}' is named as one of the {len(videos)} videos; there are "
            f"'{next(iter(files.values()))[0].name}', for instance, and the video '{videos[0]}'.",
            "A file is called as its video, with its own ending.",
        )
