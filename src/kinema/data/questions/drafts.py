"""Questions as a reader of tables and known sets collects them, each looked at as it comes."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.splits import read_split, tidy
from kinema.data.questions.table import Question, TimedLine
from kinema.data.video.files import claims_video

log = logging.getLogger(__name__)

TWICE = "an option that stands twice"
FORM = (
    "A line of questions.jsonl is an object with id, video, question, options (a list of texts) and answer (from 0); "
    "it may have start and end in seconds, split, type, difficulty and group."
)
_FEW = 5


@dataclass
class Draft:
    """What was read of a set, before it is known what fits together.

    Args:
        root: the folder.
        layout: what it is read as.
        lines: of each video that has any, from elsewhere than ``root``/subtitles and ``root``/objects.
        durations: seconds of the videos of which the set says it.
        hint: how the set must look.
        rows: the questions, in the order of the data.
        lost: those that were left out, and why.
    """

    root: Path
    layout: str = "questions"
    lines: Mapping[str, Sequence[TimedLine]] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    hint: str = FORM
    rows: list[Question] = field(default_factory=list)
    lost: list[tuple[Question, str]] = field(default_factory=list)
    _mended: list[str] = field(default_factory=list)

    def add(
        self,
        where: str,
        *,
        id: Any,
        video: Any,
        question: Any,
        options: Sequence[Any],
        answer: Any = None,
        span: tuple[Any, Any] = (None, None),
        **about: Any,
    ) -> None:
        """Adds a question, or leaves it out where one of its options stands twice.

        Args:
            where: the file and the line, for messages: ``'qa.json', question 12``.
            id: a text or a number.
            video: its name; commas and spaces behind it are taken off.
            question: a text.
            options: texts.
            answer: a whole number, from 0; None where it is not known.
            span: the seconds at which the stretch begins and ends; None, or NaN, where it is not known.
            about: split, type, difficulty, group and show, texts or None.

        Raises:
            DataError: a value is none that its key holds.
        """
        texts = tuple(self._text(where, option, f"option {number}") for number, option in enumerate(options))
        if len(texts) < 2:
            raise DataError(f"{where}: it has {len(texts)} options; at least 2 are needed.", self.hint)
        start, end = self._span(where, span)
        words = {key: "" if value is None else tidy(str(value)) for key, value in about.items()}
        row = Question(
            id=self._text(where, id if isinstance(id, str) else _number_text(id), "id"),
            video=self.name(self._text(where, video, "video")),
            question=self._text(where, question, "question"),
            options=texts,
            answer=self._answer(where, answer, len(texts)),
            start=start,
            end=end,
            split=read_split(words.get("split")),
            type=words.get("type", ""),
            difficulty=words.get("difficulty", ""),
            group=words.get("group", ""),
            show=words.get("show", ""),
            where=where,
        )
        same = {text.casefold() for text in texts}
        if len(same) < len(texts):
            twice = next(text for text in texts if sum(each.casefold() == text.casefold() for each in texts) > 1)
            self.lost.append((row, f"{TWICE}: '{twice[:60]}'"))
            return
        self.rows.append(row)

    def name(self, written: str) -> str:
        """The name of a video: without a video's ending, and without commas and spaces around it.

        Args:
            written: as it stands in the data.
        """
        found = tidy(written).strip(" ,;\t")
        if found != tidy(written) or written != written.strip():
            self._mended.append(written)
        found = found.replace("\\", "/")
        return found.rpartition(".")[0] if claims_video(found) and "." in found else found

    def finish(self) -> None:
        """Looks at the questions together, and says what was mended and left out.

        Raises:
            DataError: there is none, two are of one id, or they have different numbers of options.
        """
        if not self.rows:
            more = f"; {len(self.lost)} were left out: {self.lost[0][1]}" if self.lost else ""
            raise DataError(f"There is no question in '{self.root}'{more}.", self.hint)
        first: dict[str, Question] = {}
        for row in [*self.rows, *(row for row, _ in self.lost)]:
            if row.id in first:
                raise DataError(
                    f"Two questions are called '{row.id}': {first[row.id].where}, and {row.where}.",
                    "Give each an id of its own.",
                )
            first[row.id] = row
        one = self.rows[0]
        other = next((row for row in self.rows if len(row.options) != len(one.options)), None)
        if other is not None:
            raise DataError(
                f"'{one.id}' has {len(one.options)} options ({one.where}), and '{other.id}' has {len(other.options)} "
                f"({other.where}).",
                "Give every question as many options; split the set where they are of several kinds.",
            )
        if self._mended:
            log.warning(
                "%d names of videos had commas or spaces around them, which were taken off: %s.",
                len(self._mended),
                few([f"'{each}'" for each in dict.fromkeys(self._mended)]),
            )
        if self.lost:
            named = few([f"'{row.id}' ({row.where})" for row, _ in self.lost])
            log.warning(
                "%d questions are left out, because an option of theirs stands twice: %s.", len(self.lost), named
            )

    def _text(self, where: str, value: Any, what: str) -> str:
        if not isinstance(value, str):
            raise DataError(f"{where}: '{what}' is {_kind(value)}; a text was expected.", self.hint)
        found = " ".join(tidy(value).split())
        if not found:
            raise DataError(f"{where}: '{what}' is empty.", self.hint)
        return value if what == "video" else found

    def _answer(self, where: str, value: Any, count: int) -> int:
        if value is None:
            return -1
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"{where}: 'answer' is {value!r}; the number of an option was expected.", self.hint)
        if not 0 <= value < count:
            raise DataError(
                f"{where}: 'answer' is {value}, and the {count} options are numbered from 0 to {count - 1}.",
                "Leave it out where it is not known.",
            )
        return value

    def _span(self, where: str, span: tuple[Any, Any]) -> tuple[float, float]:
        found = []
        for name, value in zip(("start", "end"), span, strict=True):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise DataError(f"{where}: '{name}' is {value!r}; seconds were expected.", self.hint)
            found.append(math.nan if value is None else float(value))
        start, end = found
        if math.isnan(start) and math.isnan(end):
            return math.nan, math.nan
        if math.isnan(start) or math.isnan(end):
            raise DataError(f"{where}: only one of 'start' and 'end' is given.", "Give both, or none.")
        if not 0 <= start <= end < math.inf:
            raise DataError(
                f"{where}: the stretch from {start:g} to {end:g} s is none.",
                "Seconds count from the video's beginning, and a stretch ends after it begins.",
            )
        return start, end


def few(values: Sequence[str], most: int = _FEW) -> str:
    """The first few values, and how many more there are.

    Args:
        values: as they are to be shown.
        most: how many are.
    """
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")


def _number_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _kind(value: Any) -> str:
    named = {type(None): "missing", list: "a list", dict: "an object", bool: "true or false"}
    return named.get(type(value), "a number")
