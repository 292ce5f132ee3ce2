"""A small made-up set of questions: batches for trying a method without a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.questions import ClipFrames, OptionTokens, Part, QuestionBatch, QuestionNeeds
from kinema.core.seeds import generator_at
from kinema.core.spans import Tokens

SEED = 7
PAD, CLS, SEP, MASK = 0, 2, 3, 4
"""The special tokens; 1 is that of an unknown word."""
TOPICS, ANSWERS = 8, 8
_TOPIC, _MARK, _ANSWER = 5, 13, 15
VOCABULARY = 23
"""Rows that an embedding of the tokens needs."""
FEATURES, FRAMES, LINES = 6, 4, 2


@dataclass(frozen=True)
class QuestionExample:
    """16 questions, in batches of 8, of 3 options, 2 lines and 4 frames of 6 features.

    A clip has a topic, and shows and names one thing in each of its halves. A question names the topic and a half; its
    options are the thing of that half, the thing of the other half, and one that is not there. Words tell the answer,
    and so do the frames. Under the task 'question' the options are questions, of which one has the clip's topic.

    Attributes:
        rows: questions there are.
        classes: options of a question.
        size: questions of a batch.
        features: D, features of a frame.
        vocabulary: rows that an embedding of the tokens needs.
        mask_id: the token that hides another.
    """

    rows: ClassVar[int] = 16
    classes: ClassVar[int] = 3
    size: ClassVar[int] = 8
    features: ClassVar[int] = FEATURES
    vocabulary: ClassVar[int] = VOCABULARY
    mask_id: ClassVar[int] = MASK

    def batch(self, needs: QuestionNeeds, step: int, *, rows: slice = slice(None)) -> QuestionBatch:
        """The batch of a step: all questions come by in turn.

        Args:
            needs: what the batch holds.
            step: its number; equal numbers give equal batches.
            rows: which questions of it, for instance those of one rank.

        Raises:
            ConfigError: more candidates are asked for than there are topics.
        """
        if needs.task == "question" and needs.candidates > TOPICS:
            raise ConfigError(f"candidates is {needs.candidates}, and the example has {TOPICS} questions to tell.")
        index = (torch.arange(self.size) + step * self.size) % self.rows
        count = self.classes if needs.task == "answer" else needs.candidates
        answer = torch.randint(count, (self.size,), generator=generator_at(SEED, "places", step, needs.task))
        inputs = [_inputs(int(row), int(place), needs, count) for row, place in zip(index, answer, strict=True)]
        options = _collated([each for one in inputs for each in one])
        frames = self._frames(index, step)
        place = answer + torch.arange(self.size) * count
        masked = _hidden(_taken(options, place), needs.masked, step) if needs.masked else None
        lines = torch.tensor([[0.0, 2.0], [2.0, 4.0]]).expand(self.size, LINES, 2).contiguous()
        labels = needs.labels or needs.task == "question"
        spans = needs.labels and needs.task == "answer"
        first = (torch.arange(self.size)[rows, None] * count + torch.arange(count)).flatten()
        return QuestionBatch(
            index[rows],
            _taken(options, first),
            lines[rows],
            ClipFrames(frames[rows], torch.tensor([0.5, 1.5, 2.5, 3.5]).expand(self.size, FRAMES)[rows].contiguous()),
            answer[rows] if labels else None,
            torch.stack([_half(index) * 2.0, _half(index) * 2.0 + 2], dim=1)[rows] if spans else None,
            _taken(masked, torch.arange(self.size)[rows]) if masked is not None else None,
        )

    def _frames(self, index: Tensor, step: int) -> Tensor:
        looks = torch.randn(ANSWERS, FEATURES, generator=generator_at(SEED, "looks"))
        shown = torch.stack([torch.tensor(_things(int(row))).repeat_interleave(2) for row in index])
        noise = torch.randn(self.size, FRAMES, FEATURES, generator=generator_at(SEED, "frames", step))
        return looks[shown] + 0.2 * noise


def _half(index: Tensor) -> Tensor:
    return (index // TOPICS % LINES).float()


def _things(row: int) -> tuple[int, int]:
    """The things of the two halves of a row's clip."""
    first = (row * 3) % ANSWERS
    return first, (first + 1 + row % (ANSWERS - 2)) % ANSWERS


def _inputs(row: int, place: int, needs: QuestionNeeds, count: int) -> list[list[tuple[int, int, int]]]:
    """The inputs of a question, one an option: (id, part, line) of each token."""
    topic, half, things = row % TOPICS, row // TOPICS % LINES, _things(row)
    lines = [
        (token, int(Part.LINE), line)
        for line, thing in enumerate(things)
        for token in (_TOPIC + topic, _MARK + line, _ANSWER + thing)
    ]
    sep = (SEP, int(Part.OTHER), -1)
    found = []
    for option in range(count):
        at = (option - place) % count  # 0 at the true place
        head = [(CLS, int(Part.OTHER), -1)]
        if needs.task == "answer":
            third = next(each for each in range(ANSWERS) if each not in things)
            thing = (things[half], things[1 - half], third)[at]
            head += [(_TOPIC + topic, int(Part.QUESTION), -1), (_MARK + half, int(Part.QUESTION), -1), sep]
            head += [(_ANSWER + thing, int(Part.OPTION), -1)]
        else:
            head += [(_TOPIC + (topic + at) % TOPICS, int(Part.OPTION), -1), (_MARK + half, int(Part.OPTION), -1)]
        found.append([*head, sep, *lines, sep])
    return found


def _collated(rows: list[list[tuple[int, int, int]]]) -> OptionTokens:
    table = torch.tensor(rows)  # all are equally long
    ids, part, line = (table[..., column].contiguous() for column in range(3))
    return OptionTokens(Tokens(ids, torch.ones_like(ids, dtype=torch.bool)), part, line)


def _taken(x: OptionTokens, rows: Tensor) -> OptionTokens:
    return OptionTokens(Tokens(x.tokens.ids[rows], x.tokens.mask[rows]), x.part[rows], x.line[rows])


def _hidden(x: OptionTokens, share: float, step: int) -> OptionTokens:
    """The same with so many of each input's words hidden, at least one."""
    words = x.part != Part.OTHER
    draw = torch.rand(x.part.shape, generator=generator_at(SEED, "masks", step)).masked_fill(~words, math.inf)
    most = max(1, round(share * int(words[0].sum())))
    hide = draw.argsort(dim=1).argsort(dim=1) < most
    return OptionTokens(Tokens(x.tokens.ids.masked_fill(hide, MASK), x.tokens.mask), x.part, x.line)
