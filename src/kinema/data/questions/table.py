"""Questions as a table: a row a question with its options; and beside the rows what is said and seen in each video."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from kinema.core.files import write_json
from kinema.core.labelling import LabelReading
from kinema.core.tables import matching, numbered
from kinema.data.listing import write_list
from kinema.data.moving import way_to

LineKind = Literal["subtitle", "object"]
SplitOrigin = Literal["data", "drawn", "folds", "none"]
KEYS = ("id", "video", "split", "type", "difficulty", "group")
"""What questions are selected by."""


@dataclass(frozen=True, slots=True)
class TimedLine:
    """What is said, or what is seen, in a stretch of a video.

    Args:
        start: seconds from the beginning of the video.
        end: seconds; not before ``start``.
        text: a subtitle in one line, or the labels of objects with spaces between; never empty.
        kind: 'subtitle' or 'object'.
    """

    start: float
    end: float
    text: str
    kind: LineKind = "subtitle"


@dataclass(frozen=True)
class Question:
    """A question about a video.

    Args:
        id: unique in its table.
        video: the name of the video, without an ending.
        question: in words.
        options: the answers to choose from, each once.
        answer: the number of the true one, from 0; -1 where it is not known.
        start: second at which the stretch begins that is needed to answer; NaN where none is known.
        end: second at which it ends.
        split: for instance 'train' or 'test', or None.
        type: what kind of question it is, for instance 'while'; empty where none is said.
        difficulty: likewise, for instance '1'.
        group: questions of one group never part between learning and measuring; the video where none is said.
        where: the file and the line that it stands in, for messages.
        show: what the video is of, for instance a series: questions of other videos that a question is told from are
            of the same. Empty where it is not known.
        digest: SHA-256 of video, question and options, in hexadecimal.
    """

    id: str
    video: str
    question: str
    options: tuple[str, ...]
    answer: int = -1
    start: float = math.nan
    end: float = math.nan
    split: str | None = None
    type: str = ""
    difficulty: str = ""
    group: str = ""
    where: str = ""
    show: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.video)
        if not self.digest:
            content = json.dumps([self.video, self.question, list(self.options)], ensure_ascii=False)
            found = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
            object.__setattr__(self, "digest", found)

    @property
    def path(self) -> str:
        """What names the row: its id."""
        return self.id

    @property
    def label(self) -> None:
        """None: a question has options of its own and no class."""
        return

    @property
    def source(self) -> str:
        """Its group."""
        return self.group

    @property
    def attributes(self) -> Mapping[str, str]:
        """None beside its fields."""
        return {}

    @property
    def timed(self) -> bool:
        """Whether the stretch is known that is needed to answer."""
        return not (math.isnan(self.start) or math.isnan(self.end))

    def value(self, key: str) -> str | None:
        """Its id, video, split, type, difficulty or group; None where it has none."""
        found: str | None = getattr(self, key) if key in KEYS else None
        return found or None


@dataclass(frozen=True)
class Clip:
    """What there is of a video.

    Args:
        lines: what is said and which objects are seen, in the order of their times.
        frames: the file of its frames' features, float [F, D]; None where there is none.
        count: F.
        width: D.
        duration: seconds; None where it is not known.
        digest: SHA-256 of the features; empty where there are none.
    """

    lines: tuple[TimedLine, ...] = ()
    frames: Path | None = None
    count: int = 0
    width: int = 0
    duration: float | None = None
    digest: str = ""


_NOTHING = Clip()


@dataclass(frozen=True)
class Questions:
    """Questions about the videos of one root folder; a question's row number is its index in ``rows``.

    Args:
        root: the folder.
        rows: the questions, in the order of the data. All have as many options, and none has one of them twice.
        layout: 'questions' of a questions.jsonl, or the name of a known set.
        clips: what there is of each video, by its name.
        rate: frames of the stored features a second: frame f is seen at (f + .5) / rate.
        split_from: what told the splits: the 'data', 'drawn' where groups were held out by chance, 'folds'; 'none'.
        lost: the questions that were left out, and why, as pairs of a question and a reason.
        frames_from: what features.json says of the features; empty where there is none.
        reading: how labels were read: there are none.
    """

    root: Path
    rows: tuple[Question, ...]
    layout: str = "questions"
    clips: Mapping[str, Clip] = field(default_factory=dict)
    rate: float = 1.0
    split_from: SplitOrigin = "none"
    lost: tuple[tuple[Question, str], ...] = field(default=(), compare=False)
    frames_from: Mapping[str, Any] = field(default_factory=dict, compare=False)
    reading: LabelReading | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def count(self) -> int:
        """K, options of a question; 0 of no question."""
        return len(self.rows[0].options) if self.rows else 0

    @property
    def videos(self) -> tuple[str, ...]:
        """The videos that are asked about, each once, sorted."""
        return tuple(sorted({row.video for row in self.rows}))

    def clip(self, video: str) -> Clip:
        """What there is of a video; of one that is not known, nothing.

        Args:
            video: its name.
        """
        return self.clips.get(video, _NOTHING)

    def lines(self, video: str) -> tuple[TimedLine, ...]:
        """What is said and which objects are seen in a video, in the order of their times.

        Args:
            video: its name.
        """
        return self.clip(video).lines

    def frames(self, video: str) -> Path | None:
        """The file of a video's features, float [F, D]; None where there is none.

        Args:
            video: its name.
        """
        return self.clip(video).frames

    def duration(self, video: str) -> float | None:
        """How many seconds a video has: by itself, else by its features; None where neither is there.

        Args:
            video: its name.
        """
        return self.clip(video).duration

    @property
    def frame_width(self) -> int:
        """D, features of a frame; 0 where there are none."""
        return next((clip.width for video in self.videos if (clip := self.clip(video)).frames is not None), 0)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that learning depends on.

        That is each question with its options, answer, stretch, split, type, difficulty, group and show; and of each
        video that is asked about the lines with their times, the features, and how many of them are seen a second.
        """
        found = hashlib.sha256()
        for row in sorted(self.rows, key=lambda row: row.id):
            span = [None if math.isnan(x) else x for x in (row.start, row.end)]
            about = [row.answer, *span, row.split, row.type, row.difficulty, row.group, row.show]
            found.update(json.dumps([row.id, row.digest, *about], ensure_ascii=False).encode("utf-8", "replace"))
        for video in self.videos:
            clip = self.clip(video)
            lines = [[line.start, line.end, line.text, line.kind] for line in clip.lines]
            rate = self.rate if clip.frames is not None else None
            content = json.dumps([video, lines, clip.digest, rate], ensure_ascii=False)
            found.update(content.encode("utf-8", "replace"))
        return found.hexdigest()

    def select(self, where: Mapping[str, str]) -> Questions:
        """The questions for which every named key has the named value.

        Args:
            where: keys are 'id', 'video', 'split', 'type', 'difficulty' and 'group'.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        rows = matching(self.rows, where, KEYS, "question")
        split = where.get("split")
        lost = self.lost if split is None else tuple(each for each in self.lost if (each[0].split or "") == split)
        return replace(self, rows=rows, lost=lost)

    def usable(self) -> Questions:
        """The same: what cannot be used was left out when it was read."""
        return self

    def of(self, rows: Sequence[int]) -> Questions:
        """Some questions, in the order of their numbers here.

        Args:
            rows: their numbers.
        """
        return replace(self, rows=tuple(self.rows[row] for row in rows))

    def classes(self) -> tuple[str, ...]:
        """None: questions have no classes."""
        return ()

    def label_ids(self) -> tuple[int, ...]:
        """-1 of every question."""
        return (-1,) * len(self.rows)

    def source_ids(self) -> tuple[int, ...]:
        """Each question's group as its number among the sorted groups."""
        return numbered(row.group for row in self.rows)

    def write(self, path: Path) -> None:
        """Writes the list atomically, as JSON where the name ends in '.json' and as Parquet otherwise.

        Raises:
            StorageError: it could not be written.
        """
        if path.suffix != ".json":
            write_list(path, self, Question, "questions")
            return
        rows = [{key: _plain(value) for key, value in asdict(row).items()} for row in self.rows]
        head = {"kinema_questions": 1, "root": str(self.root.resolve()), "root_from_here": way_to(self.root, path)}
        write_json(path, {**head, "questions": rows})


FIELDS = tuple(each.name for each in fields(Question))


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
