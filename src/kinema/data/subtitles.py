"""Subtitles as they are found: SubRip (``.srt``) and WebVTT (``.vtt``) to plain text with times.

Which of the two it is is told by the first line, 'WEBVTT', and not by the file's name. In SubRip a cue goes on to the
next one, over empty lines too; in WebVTT to the first empty line. Tags, positions and styles are taken out. What cannot
be used is left out and named with its line (:class:`Subtitles`).
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.splits import tidy
from kinema.data.written import read_written

log = logging.getLogger(__name__)

ENDINGS = (".srt", ".vtt")
"""How the names of subtitles end, in capitals too."""

MOST_BYTES = 1 << 26
"""A file of subtitles that is larger is refused: days of speech are a few MB."""

_ARROW = "-->"
_LONGEST = 1000
"""Characters of a line of times with its settings, at most."""

_HINT = "Subtitles are .srt or .vtt: lines like 00:00:01,000 --> 00:00:02,500, each with its text below."
_LINES = re.compile(r"\r*\n|\r")
_TIME = r"(?:(\d{1,4})\s*:\s*)?(\d{1,5})\s*:\s*(\d{1,2})(?:\s*[,.:]\s*(\d{1,9}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:[\s\u00a0]+.*)?\s*", re.DOTALL)
_NUMBER = re.compile(r"\s*[+\ufeff]?(\d{1,9})\s*")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.,]*>|</>")
_BRACES = re.compile(r"\{(?:\\|[A-Za-z]:)[^{}]*\}")
_BREAK = re.compile(r"\\[Nnh]")
_INVISIBLE = re.compile("[\u0000-\u0008\u000e-\u001b\u007f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BLOCKS = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)")


@dataclass(frozen=True)
class Cue:
    """A subtitle.

    Args:
        start: seconds from the beginning of the video at which it is shown.
        end: seconds at which it is taken away; more than ``start``.
        text: in one line, without tags; never empty.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Subtitles:
    """What a file of subtitles holds.

    Args:
        cues: in the order of their times; they may overlap.
        encoding: how the file was read: 'UTF-8', 'UTF-16', 'Windows-1252', ...
        guessed: whether nothing in the file said so.
        left_out: what was not used, each with its line: times that are none, that end before they begin; for instance
            'line 12: it ends at 3 s and begins at 4 s'.
        empty: lines at which cues without any text begin; they are left out.
        unordered: lines at which cues begin that are earlier than the one before; they are used, in the order of time.
    """

    cues: tuple[Cue, ...]
    encoding: str
    guessed: bool = False
    left_out: tuple[str, ...] = ()
    empty: tuple[int, ...] = ()
    unordered: tuple[int, ...] = ()

    @classmethod
    def read(cls, path: str | Path) -> Subtitles:
        """Reads a file and says nothing of it but what it returns; see :func:`read_subtitles`.

        Args:
            path: the file.

        Raises:
            DataError: it cannot be read, is no text, or holds no cue that can be used; the message says why.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
        except (OSError, ValueError) as error:
            raise DataError(f"The subtitles '{path}' cannot be read: {getattr(error, 'strerror', error)}.") from error
        if size > MOST_BYTES:
            raise DataError(f"'{path}' has {size:,} bytes; subtitles have {MOST_BYTES:,} at most.", _HINT)
        written = read_written(path)
        if not tidy(written.text):
            raise DataError(f"The subtitles '{path}' are empty.", _HINT)
        found = _Parser(written.text)
        if not found.cues:
            raise DataError(f"The subtitles '{path}' hold no cue that can be used: {found.why()}.", _HINT)
        cues = tuple(sorted(found.cues, key=lambda cue: (cue.start, cue.end)))
        return cls(
            cues,
            written.encoding,
            written.guessed,
            tuple(found.left_out),
            tuple(found.empty),
            tuple(found.unordered),
        )

    def remarks(self) -> str:
        """What a user should know of how it was read, in a line; empty where there is nothing."""
        said = []
        if self.guessed:
            said.append(f"it is not UTF-8 and was read as {self.encoding}; save it as UTF-8 if letters are wrong")
        for lines, what in ((self.left_out, "cannot be used"), (self.empty, "without text")):
            if lines:
                shown = [str(line) if isinstance(line, str) else f"line {line}" for line in lines]
                said.append(f"{_counted(len(lines))} {what} ({_few(shown)})")
        if self.unordered:
            lines_of = _few([f"line {line}" for line in self.unordered])
            said.append(f"{_counted(len(self.unordered))} earlier than the one before ({lines_of}); put in order")
        return ". ".join(said)


def read_subtitles(path: str | Path) -> tuple[Cue, ...]:
    """The subtitles of a file, in the order of their times.

    UTF-8, UTF-16 and UTF-32 with a byte-order mark, else Windows-1252 or Latin-1; a warning says which was guessed, and
    names cues that cannot be used, that are empty, or out of order.

    Args:
        path: a file as SubRip or WebVTT.

    Raises:
        DataError: it cannot be read, is no text, or holds no cue that can be used; the message says why.
    """
    found = Subtitles.read(path)
    said = found.remarks()
    if said:
        log.warning("Subtitles '%s': %s.", path, said)
    return found.cues


def claims_subtitles(name: str) -> bool:
    """Whether a file's name ends like that of subtitles."""
    return name.lower().endswith(ENDINGS)


def plain_text(lines: Sequence[str]) -> str:
    """The lines of a cue as one, without tags, positions and what cannot be seen, and with entities as characters.

    Args:
        lines: as they are written.
    """
    text = "\n".join(lines)
    text = html.unescape(_BREAK.sub(" ", _BRACES.sub("", _TAG.sub("", text))))
    return tidy(" ".join(_INVISIBLE.sub("", text).split()))


class _Parser:
    """Goes through the lines once.

    Args:
        text: of the file, without a byte-order mark.
    """

    def __init__(self, text: str) -> None:
        self.cues: list[Cue] = []
        self.left_out: list[str] = []
        self.empty: list[int] = []
        self.unordered: list[int] = []
        lines = _LINES.split(text.lstrip("\ufeff"))
        first = next((line for line in lines if line.strip()), "")
        if first.lstrip().startswith("WEBVTT"):
            self._take(_webvtt(lines))
        else:
            self._take(_subrip(lines))

    def why(self) -> str:
        """Why there is no cue."""
        if not self.left_out and not self.empty:
            return f"there is no line with '{_ARROW}'"
        more = f"{_counted(len(self.empty))} without text" if self.empty else ""
        return "; ".join(part for part in (_few(self.left_out), more) if part)

    def _take(self, found: Iterator[tuple[int, str, list[str]]]) -> None:
        last = 0.0
        for line, timing, lines in found:
            times = _times(timing)
            if times is None:
                self.left_out.append(f"line {line}: '{timing.strip()[:60]}' is no pair of times")
                continue
            start, end = times
            text = plain_text(lines)
            if not text:
                self.empty.append(line)
            elif end <= start:
                self.left_out.append(f"line {line}: it ends at {end:g} s and begins at {start:g} s")
            else:
                if start < last:
                    self.unordered.append(line)
                last = start
                self.cues.append(Cue(start, end, text))


def _subrip(lines: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(line, times, lines of text) of each cue of SubRip: the text goes on to the next cue's number or times."""
    marks = [number for number, line in enumerate(lines) if _ARROW in line]
    last: int | None = None
    begins = []
    for number, mark in enumerate(marks):
        floor = marks[number - 1] + 1 if number else 0
        at, last = _begin_of(lines, mark, floor, last)
        begins.append(at)
    for mark, stop in zip(marks, [*begins, len(lines)][1:], strict=True):
        yield mark + 1, lines[mark], list(lines[mark + 1 : stop])


def _begin_of(lines: Sequence[str], mark: int, floor: int, last: int | None) -> tuple[int, int | None]:
    """Where a cue begins: at its number, where the line of the times has one above it; and the number."""
    above = mark - 1
    while above >= floor and not lines[above].strip():
        above -= 1
    number = _NUMBER.fullmatch(lines[above]) if above >= floor else None
    if number is None:
        return mark, last
    # With empty lines in between it is a number only if it is the next one; otherwise it is what somebody says.
    near = above == mark - 1
    if near or last is None or int(number[1]) == last + 1:
        return above, int(number[1])
    return mark, last


def _webvtt(lines: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(line, times, lines of text) of each cue of WebVTT; notes, styles, regions and names of cues are passed over."""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if _BLOCKS.match(line):
            while number < len(lines) and lines[number].strip():
                number += 1
        elif _ARROW in line:
            stop = number
            while stop < len(lines) and lines[stop] and not lines[stop].strip():  # a line of spaces ends no cue there
                stop += 1
            while stop < len(lines) and lines[stop].strip() and _ARROW not in lines[stop]:
                stop += 1
            yield number, line, list(lines[number:stop])
            number = stop


def _times(line: str) -> tuple[float, float] | None:
    found = _TIMING.fullmatch(line) if len(line) < _LONGEST else None
    if found is None:
        return None
    groups = found.groups()
    return _seconds(*groups[:4]), _seconds(*groups[4:])


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return float(f"{whole}.{fraction or 0}")


def _counted(count: int) -> str:
    return f"{count} cue{'s' * (count > 1)}"


def _few(values: Sequence[str], most: int = 5) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return "; ".join(values[:most]) + more
