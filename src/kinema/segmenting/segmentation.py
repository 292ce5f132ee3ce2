"""Which stretch of which video is which step, what the steps are called, and what they look like.

It is kept in a run's folder as ``segments/segments.json``, an object of JSON::

    {
      "kinema_segments": 1,
      "root": "/footage", "root_from_here": "../../footage",
      "settings": {…},
      "steps": [{"number": 1, "name": "", "seconds": 74.5,
                 "typical": [{"video": "a.mp4", "start": 3.0, "end": 7.5, "share": 0.9}]}],
      "videos": [{"path": "a.mp4", "duration": 60.0, "digest": "",
                  "segments": [{"start": 0.0, "end": 7.5, "step": 1}]}],
      "left_out": {"b.mp4": "it is shorter than a clip"}
    }

Times are seconds on a video's own clock, that of its presentation times. Those of one video are in order and do not
overlap; there may be gaps between them. Written times are compared to the millisecond, which is also what the formats
for others hold.
"""

from __future__ import annotations

import contextlib
import math
import operator
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError, StorageError, UsageError
from kinema.core.files import write_json
from kinema.core.lock import LOCK, held
from kinema.core.reading import read_object, shaped, unwritable
from kinema.data.moving import found_root, way_to
from kinema.data.video.files import exists
from kinema.data.video.manifest import inside_root

PLACE = "segments/segments.json"
"""The file, below a run's folder."""

LONGEST_NAME = 200
"""Characters of a step's name."""

_FORMAT = 1
_MARK = "kinema_segments"
_AGAIN = "Make it anew with `kinema segment RUN VIDEOS`."
_LOOKED_AT = 20
_LONGEST = 1e7
"""Seconds of a video; a third of a year."""


def milliseconds(seconds: float) -> int:
    """A time to the nearest millisecond, half a one upwards."""
    return math.floor(seconds * 1000 + 0.5)


class _Plain:
    """A record whose numbers are Python's own, so that it can be written: numpy's become that."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            if each.type in ("int", "float"):
                value = getattr(self, each.name)
                object.__setattr__(self, each.name, operator.index(value) if each.type == "int" else value.__float__())


@dataclass(frozen=True)
class Segment(_Plain):
    """One stretch of a video in which one step is done.

    Args:
        start: seconds on the video's clock.
        end: seconds on it, later than ``start`` by a millisecond or more.
        step: the number of the step.
    """

    start: float
    end: float
    step: int


@dataclass(frozen=True)
class SegmentedVideo(_Plain):
    """One video and its segments.

    Args:
        path: below the root, with forward slashes.
        duration: seconds.
        segments: in order of time, without overlap.
        digest: of the file that was segmented, in hexadecimal; empty where it is not known.
    """

    path: str
    duration: float
    segments: tuple[Segment, ...]
    digest: str = ""


@dataclass(frozen=True)
class Typical(_Plain):
    """A clip that shows a step well.

    Args:
        video: its path below the root.
        start: seconds on the video's clock.
        end: seconds on it.
        share: how much of the clip belongs to the step, from 0 to 1.
    """

    video: str
    start: float
    end: float
    share: float


@dataclass(frozen=True)
class Step(_Plain):
    """One step.

    Args:
        number: from 1.
        name: what a person calls it; empty where nobody named it.
        typical: its most typical clips, the best first.
        seconds: how long it is seen in all videos together.
    """

    number: int
    name: str = ""
    typical: tuple[Typical, ...] = ()
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """Its name, or 'step 3' where it has none."""
        return self.name or f"step {self.number}"


@dataclass(frozen=True)
class Segmentation:
    """Videos divided into steps.

    Args:
        root: the folder of the videos.
        videos: each once.
        steps: in order of their numbers.
        settings: what it was made with, as JSON values.
        left_out: videos that were not segmented, by path, with the reason.

    Raises:
        DataError: the segments of a video are out of order, overlap or are longer than it; a step is not among
            ``steps``, or two have one name; a path leads out of the root. The message names the place.
    """

    root: Path
    videos: tuple[SegmentedVideo, ...]
    steps: tuple[Step, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_paths([*(video.path for video in self.videos), *self.left_out])
        _check_steps(self.steps)
        numbers = {step.number for step in self.steps}
        for video in self.videos:
            _check_segments(video, numbers)
        lengths = {video.path: video.duration for video in self.videos}
        for step in self.steps:
            for clip in step.typical:
                _check_clip(step, clip, lengths)

    @cached_property
    def titles(self) -> Mapping[int, str]:
        """What each step is called, by its number: 'tighten the screw', or 'step 3'."""
        return {step.number: step.title for step in self.steps}

    def renamed(self, names: Mapping[int, str]) -> Segmentation:
        """The same with other names of steps.

        Args:
            names: by the step's number; an empty name takes the name away. White space around a name is left away.

        Raises:
            UsageError: there is no such step, a name is no plain text of up to :data:`LONGEST_NAME` characters, or two
                steps would be called the same.
        """
        unknown = sorted(names.keys() - self.titles.keys())
        if unknown:
            raise UsageError(f"There is no step {unknown[0]}.", f"There are {_listed(self.titles)}.")
        tidy = {number: unicodedata.normalize("NFC", name.strip()) for number, name in names.items()}
        for number, name in tidy.items():
            if problem := _problem_of_name(name):
                raise UsageError(
                    f"Step {number} cannot be called {name[:80]!r}: {problem}.", "Give a short plain text."
                )
        steps = tuple(replace(step, name=tidy.get(step.number, step.name)) for step in self.steps)
        if twice := _twice(step.title for step in steps):
            raise UsageError(f"Two steps would be called '{twice}'.", "Give each a name of its own.")
        return replace(self, steps=steps)

    def write(self, path: Path) -> None:
        """Writes it atomically, as the module says.

        Raises:
            StorageError: it could not be written.
        """
        write_json(
            path,
            {
                _MARK: _FORMAT,
                "root": str(self.root.resolve()),
                "root_from_here": way_to(self.root, path),
                "settings": dict(self.settings),
                "steps": [asdict(step) for step in self.steps],
                "videos": [asdict(video) for video in self.videos],
                "left_out": dict(self.left_out),
            },
        )

    @classmethod
    def read(cls, path: Path, root: Path | None = None) -> Segmentation:
        """Reads what :meth:`write` wrote.

        Args:
            path: the file.
            root: the folder of the videos, where it has moved; otherwise the one written in the file or, if that does
                not hold them, the one that lies where it lay, seen from the file, or the file's own folder.

        Raises:
            DataError: the file is missing, is no such record, or is damaged.
        """
        if not path.is_file():
            raise DataError(f"There are no segments '{path}'.", "Make them with `kinema segment RUN VIDEOS`.")
        found = read_object(path, error=DataError, hint=_AGAIN)
        if found.get(_MARK) != _FORMAT:
            raise DataError(f"'{path}' holds no segments of this version of kinema.", _AGAIN)
        read = shaped(found, _File, f"'{path}'", error=DataError, hint=_AGAIN)
        if any(unwritable(text) or "\0" in text for text in (read.root, read.root_from_here)):
            raise DataError(f"'{path}' is damaged: the folder of the videos has a name that is no text.", _AGAIN)
        try:
            made = cls(root or Path(read.root), read.videos, read.steps, read.settings, read.left_out)
        except DataError as error:
            raise DataError(f"'{path}' is damaged: {error.message}", error.hint or _AGAIN) from error
        if root is not None:
            return made
        some = [video.path for video in read.videos[:_LOOKED_AT]]
        there = found_root(read.root, read.root_from_here, path, lambda place: any(exists(place / one) for one in some))
        return replace(made, root=there)


def name_steps(path: Path, names: Mapping[int, str]) -> Segmentation:
    """Names steps in a file of segments, which no other process may change meanwhile.

    Args:
        path: the file.
        names: by the step's number; an empty name takes the name away.

    Returns:
        What the file holds now.

    Raises:
        DataError: the file is missing or damaged.
        UsageError: see :meth:`Segmentation.renamed`.
        StorageError: another process writes it, or it cannot be written; it is as it was.
    """
    if not path.is_file():  # a lock would make its folder
        return Segmentation.read(path)
    with writing(path):
        named = Segmentation.read(path).renamed(names)
        # All else stays as it was written: the videos may be away, and the way to them must not be lost.
        content = read_object(path, error=DataError, hint=_AGAIN)
        write_json(path, content | {"steps": [asdict(step) for step in named.steps]})
    return named


def writing(path: Path) -> contextlib.AbstractContextManager[None]:
    """Holds the lock of a file of segments.

    Args:
        path: the file.

    Raises:
        StorageError: another process holds it, or the folder cannot be written.
    """

    def taken(who: str) -> StorageError:
        return StorageError(
            f"Another process (number {who}) is writing '{path}'; nothing was changed.",
            "Wait until it has ended, then try again.",
        )

    return held(path.parent / LOCK, taken)


@dataclass(frozen=True)
class _File:
    """What the file holds."""

    kinema_segments: int
    root: str
    root_from_here: str
    settings: dict[str, Any]
    steps: tuple[Step, ...]
    videos: tuple[SegmentedVideo, ...]
    left_out: dict[str, str]


def _check_paths(paths: Iterable[str]) -> None:
    for path, count in Counter(paths).items():
        if count > 1:
            raise DataError(f"The video '{path[:200]}' is there {count} times.")
        if unwritable(path):
            raise DataError(f"The name {path[:200]!r} of a video is no text.")
        inside_root(path, "a segmentation")


def _check_steps(steps: tuple[Step, ...]) -> None:
    numbers = [step.number for step in steps]
    if numbers != sorted(set(numbers)) or min(numbers, default=1) < 1:
        raise DataError(f"The steps are numbered {', '.join(map(str, numbers[:40]))}, not upwards from 1.")
    for step in steps:
        if problem := _problem_of_name(step.name) or (
            "it ends in white space" if step.name != step.name.strip() else ""
        ):
            raise DataError(f"Step {step.number} is called {step.name[:80]!r}: {problem}.")
        if not 0 <= step.seconds < math.inf:
            raise DataError(f"Step {step.number} takes {step.seconds} s.")
    if twice := _twice(step.title for step in steps):
        raise DataError(f"Two steps are called '{twice}'.")


def _check_segments(video: SegmentedVideo, numbers: set[int]) -> None:
    where = f"the video '{video.path}'"
    if not 0 <= video.duration < _LONGEST:
        raise DataError(f"{where[0].upper()}{where[1:]} lasts {video.duration} s.")
    before = 0
    for place, segment in enumerate(video.segments, 1):
        named = f"Segment {place} of {where}, {segment.start} to {segment.end} s,"
        _check_stretch(segment.start, segment.end, video.duration, named)
        if milliseconds(segment.start) < before:
            raise DataError(f"{named} begins before the one before it ends.")
        if segment.step not in numbers:
            raise DataError(f"{named} is of step {segment.step}, which is not among the steps.")
        before = milliseconds(segment.end)


def _check_clip(step: Step, clip: Typical, lengths: Mapping[str, float]) -> None:
    named = f"A typical clip of step {step.number}, {clip.start} to {clip.end} s of '{clip.video[:200]}',"
    if clip.video not in lengths:
        raise DataError(f"{named} is of a video that is not there.")
    _check_stretch(clip.start, clip.end, lengths[clip.video], named)
    if not 0 <= clip.share <= 1:
        raise DataError(f"{named} has a share of {clip.share}.")


def _check_stretch(start: float, end: float, duration: float, named: str) -> None:
    if not (0 <= start < _LONGEST and 0 <= end < _LONGEST):  # NaN is not
        raise DataError(f"{named} is no stretch of time.")
    if milliseconds(end) <= milliseconds(start):
        raise DataError(f"{named} is shorter than a millisecond.")
    if milliseconds(end) > milliseconds(duration):
        raise DataError(f"{named} ends after its video, which lasts {duration} s.")


def _problem_of_name(name: str) -> str:
    """Why a text is no name of a step; empty where it is one. No name at all is no problem."""
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    for letter in name:
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or ord(letter) & 0xFFFE == 0xFFFE:
            return f"it holds the control character {letter!a}"
    return ""


def _twice(titles: Iterable[str]) -> str:
    return next((title for title, count in Counter(titles).items() if count > 1), "")


def _listed(titles: Mapping[int, str]) -> str:
    """Steps for a message: '1, 2 (tighten the screw) and 3'."""
    if not titles:
        return "none"
    shown = [str(n) if title == f"step {n}" else f"{n} ({title})" for n, title in titles.items()][:40]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
