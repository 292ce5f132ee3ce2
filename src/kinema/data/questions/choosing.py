"""Which lines of a clip an input keeps, where all of them do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.data.pairs.texts import Vocabulary, words_of
from kinema.data.questions.table import TimedLine

Choose = Literal["nearest", "first"]
_LEAST = 4
"""A line is not cut to fewer tokens."""


class LineChooser:
    """Chooses lines by their words.

    Args:
        known: how rare words are; a word that is not among them counts as the rarest.
    """

    def __init__(self, known: Vocabulary) -> None:
        self._idf = dict(zip(known.words, known.idf, strict=True))
        self._rarest = max(known.idf, default=1.0)
        self._numbers: dict[str, int] = {}
        self._videos: dict[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = {}

    def nearness(self, video: str, lines: Sequence[TimedLine], texts: Iterable[str]) -> NDArray[np.float64]:
        """How near each line's words are to those of some texts: the cosine of their TF-IDF vectors, float64 [S].

        The length of the texts' vector, which is the same for all lines, is left out.

        Args:
            video: whose lines they are; they are looked at once.
            lines: all of the video's.
            texts: for instance a question and all of its options.
        """
        if video not in self._videos:
            self._videos[video] = self._looked_at(lines)
        words, line, value = self._videos[video]
        asked = Counter(word for text in texts for word in words_of(text))
        weight = np.zeros(len(self._numbers))
        for word, count in asked.items():
            number = self._numbers.get(word)
            if number is not None:
                weight[number] = count * self._idf.get(word, self._rarest)
        found: NDArray[np.float64] = np.bincount(line, value * weight[words], minlength=len(lines)).astype(np.float64)
        return found

    def _looked_at(
        self, lines: Sequence[TimedLine]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The words of all lines by number, the line that each is of, and its weight in that line's unit vector."""
        words: list[int] = []
        line: list[int] = []
        value: list[float] = []
        for number, each in enumerate(lines):
            counts = Counter(words_of(each.text))
            weights = {word: count * self._idf.get(word, self._rarest) for word, count in counts.items()}
            length = sum(weight * weight for weight in weights.values()) ** 0.5
            for word, weight in weights.items():
                words.append(self._numbers.setdefault(word, len(self._numbers)))
                line.append(number)
                value.append(weight / length)
        return np.asarray(words, np.int64), np.asarray(line, np.int64), np.asarray(value, np.float64)


def kept_lines(lengths: NDArray[np.int64], room: int, order: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Which lines are kept, in the order of time, each with how many of its tokens are.

    Lines are taken in an order as long as they fit whole; those that do not are passed over. Of the first alone, where
    not even it fits, a beginning is kept.

    Args:
        lengths: int64 [S], tokens of each line.
        room: tokens that there are for lines.
        order: int64, the numbers of lines, the ones that are wanted most first.
    """
    found: list[tuple[int, int]] = []
    left = room
    for number in order.tolist():
        length = int(lengths[number])
        if length <= left:
            found.append((number, length))
            left -= length
        elif not found and left >= _LEAST:
            return [(number, left)]
        if not left:
            break
    return sorted(found)
