"""Texts as ids: every distinct text is read by the tokenizer once, and inputs are put together of what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.errors import RunError
from kinema.core.questions import OptionTokens, Part
from kinema.core.spans import Tokens
from kinema.core.splits import tidy
from kinema.data.pairs.texts import TOKENIZER, Vocabulary
from kinema.data.questions.table import Questions

if TYPE_CHECKING:
    from kinema.data.documents.tokenizer import Tokenizer

Ids = NDArray[np.int32]

_AT_ONCE = 8192
_DAMAGED = "The run folder is damaged; train again."


@dataclass(frozen=True)
class QuestionCoder:
    """What a run reads texts with.

    Args:
        tokenizer: gives the ids.
        known: the words of the lines that were learnt from, and how rare each is; lines are chosen by them.
    """

    tokenizer: Tokenizer
    known: Vocabulary

    @classmethod
    def read(cls, run: Path) -> QuestionCoder:
        """What a run keeps.

        Args:
            run: its folder.

        Raises:
            RunError: something is not there, or damaged.
        """
        from kinema.data.documents.tokenizer import Tokenizer

        if not (run / TOKENIZER).is_file():
            raise RunError(f"'{run / TOKENIZER}' is not there.", _DAMAGED)
        return cls(Tokenizer.read(run / TOKENIZER), Vocabulary.read(run))

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json and words.json; raises StorageError where it cannot."""
        self.tokenizer.write(folder / TOKENIZER)
        self.known.write(folder)


class TokenTable:
    """The ids of texts, without special tokens.

    Args:
        tokenizer: gives them.
        texts: may repeat; each is read once.
        progress: is called with (texts done, texts).
    """

    def __init__(
        self, tokenizer: Tokenizer, texts: Iterable[str], progress: Callable[[int, int], None] | None = None
    ) -> None:
        distinct = list(dict.fromkeys(texts))
        self._numbers = {text: number for number, text in enumerate(distinct)}
        parts: list[Ids] = []
        lengths: list[int] = []
        for first in range(0, len(distinct), _AT_ONCE):
            found = tokenizer.encode(map(tidy, distinct[first : first + _AT_ONCE]))
            lengths += map(len, found)
            parts.append(np.asarray([each for ids in found for each in ids], np.int32))
            if progress is not None:
                progress(min(first + _AT_ONCE, len(distinct)), len(distinct))
        self._bounds = np.cumsum([0, *lengths], dtype=np.int64)
        self._ids = np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def ids(self, text: str) -> Ids:
        """The ids of a text that the table was made of, int32 [n].

        Args:
            text: one of them.
        """
        number = self._numbers[text]
        return self._ids[self._bounds[number] : self._bounds[number + 1]]


@dataclass(frozen=True)
class Room:
    """How much of an input each part may take.

    Args:
        question: tokens of the question that are kept.
        option: most tokens of an option.
        lines: tokens that are left for lines.
        cut: whether the question or an option loses some.
    """

    question: int
    option: int
    lines: int
    cut: bool


def room_for(question: int, options: Sequence[int], special: int, max_length: int) -> Room:
    """Shares out the tokens of an input: options first, then the question, and lines what is left.

    Where question and options do not fit together, neither is cut below half of the room. All options leave the same
    room for lines.

    Args:
        question: tokens of the question.
        options: tokens of each option.
        special: special tokens of the input.
        max_length: tokens of an input.
    """
    free, longest = max_length - special, max(options)
    kept = min(question, max(free - longest, free // 2))
    option = min(longest, free - kept)
    return Room(kept, option, free - kept - option, kept < question or option < longest)


@dataclass(frozen=True)
class Layout:
    """The special tokens of an input: ``[CLS] question [SEP] option [SEP] line line … [SEP]``.

    Args:
        prefix: ids before everything.
        suffix: ids behind each part.
        padding: the id of no token.
    """

    prefix: Ids
    suffix: Ids
    padding: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Layout:
        """That of a tokenizer, by what it puts around a text."""
        prefix, suffix = (np.asarray(each, np.int32) for each in (tokenizer.prefix, tokenizer.suffix))
        return cls(prefix, suffix, tokenizer.pad_id)

    def special(self, parts: int) -> int:
        """Special tokens of an input of so many parts."""
        return len(self.prefix) + parts * len(self.suffix)

    def inputs(self, question: Ids | None, options: Sequence[Ids], lines: Sequence[Ids]) -> list[NDArray[np.int32]]:
        """The inputs of a question, one an option, int32 [3, n] each: ids, parts, lines.

        Args:
            question: its ids; None where there is none, as where the options are questions.
            options: the ids of each.
            lines: the ids of each, in the order of time.
        """
        head = [_marked(self.prefix, Part.OTHER)]
        if question is not None:
            head += [_marked(question, Part.QUESTION), _marked(self.suffix, Part.OTHER)]
        tail = [_marked(self.suffix, Part.OTHER)]
        if lines:
            tail += [_marked(ids, Part.LINE, number) for number, ids in enumerate(lines)]
            tail.append(_marked(self.suffix, Part.OTHER))
        before, after = np.concatenate(head, axis=1), np.concatenate(tail, axis=1)
        return [np.concatenate([before, _marked(option, Part.OPTION), after], axis=1) for option in options]

    def collated(self, rows: Sequence[NDArray[np.int32]]) -> OptionTokens:
        """Inputs as one batch, padded on the right to the longest.

        Args:
            rows: as :meth:`inputs` gives them.
        """
        lengths = np.asarray([row.shape[1] for row in rows], np.int64)
        mask = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
        found = np.empty((3, *mask.shape), np.int64)
        for table, empty in zip(found, (self.padding, int(Part.OTHER), -1), strict=True):
            table[:] = empty
        found[:, mask] = np.concatenate(rows, axis=1)
        ids, part, line = (torch.from_numpy(table) for table in found)
        return OptionTokens(Tokens(ids, torch.from_numpy(mask)), part, line)


def texts_of(table: Questions) -> Iterable[str]:
    """All texts of a set, in its order: questions, their options, and the lines of the videos that are asked about.

    Args:
        table: the questions.
    """
    for row in table.rows:
        yield row.question
        yield from row.options
    for video in table.videos:
        for line in table.lines(video):
            yield line.text


def _marked(ids: Ids, part: Part, line: int = -1) -> NDArray[np.int32]:
    found = np.empty((3, len(ids)), np.int32)
    found[0], found[1], found[2] = ids, int(part), line
    return found
