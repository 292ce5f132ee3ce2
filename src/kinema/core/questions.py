"""The records of questions about videos: options as tokens, timed lines, frames, and what a method needs of them.

Axes: B questions of a batch, K options of each, L tokens of the longest input, S lines of timed text of the question
that has most, F frames of the longest clip, D features of a frame. Rows of options are ordered by question: row b K + k
is option k of question b. All times are seconds from the beginning of the video.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.records import mapped
from kinema.core.spans import Tokens

QuestionTask = Literal["answer", "question"]
QUESTION_VIEW = "question"
"""The one view of a question: its tower reads question, option, lines and frames together."""


class Part(IntEnum):
    """What a token belongs to; OTHER is padding, and the tokenizer's special tokens."""

    OTHER = 0
    QUESTION = 1
    OPTION = 2
    LINE = 3


@dataclass(frozen=True)
class QuestionNeeds:
    """What a method needs of each question.

    Args:
        task: 'answer': the options are the question's own; 'question': they are questions, the clip's own among some
            of other clips, and there are no answers in the input (the pretraining of video-qa).
        candidates: how many options 'question' has; under 'answer' the data's own number.
        masked: share of the true option's tokens that are hidden in a second input of it; 0 for no such input.
        labels: whether the batch must hold the true options, and the stretches where they are known.
    """

    task: QuestionTask = "answer"
    candidates: int = 5
    masked: float = 0.0
    labels: bool = True

    def __post_init__(self) -> None:
        if self.task not in get_args(QuestionTask):
            raise ConfigError(f"task is '{self.task}'.", f"Choose one of: {', '.join(get_args(QuestionTask))}.")
        if self.candidates < 2:
            raise ConfigError(f"candidates is {self.candidates}; at least 2 are needed.")
        if not 0 <= self.masked < 1:
            raise ConfigError(f"masked is {self.masked}; it is a share of the tokens, at least 0 and below 1.")

    def also(self, disturbances: Iterable[object]) -> QuestionNeeds:
        """The same: nothing is done to questions beside what the needs say.

        Raises:
            ConfigError: there are disturbances, which are of clips.
        """
        if tuple(disturbances):
            raise ConfigError("Disturbances are of clips, and the data are questions.", "Leave them out.")
        return self


@dataclass(frozen=True)
class OptionTokens:
    """Inputs as one text each: ``[CLS] question [SEP] option [SEP] line line … [SEP]``.

    Args:
        tokens: N sequences.
        part: int64 [N, L], a :class:`Part` for each token.
        line: int64 [N, L], the number of the line that a token belongs to; -1 outside of lines.
    """

    tokens: Tokens
    part: Tensor
    line: Tensor

    def __post_init__(self) -> None:
        for name in ("part", "line"):
            x = getattr(self, name)
            if x.shape != self.tokens.ids.shape or x.dtype != torch.int64:
                raise ShapeError(
                    f"OptionTokens.{name} is {x.dtype} {tuple(x.shape)}; expected int64 {tuple(self.tokens.ids.shape)}."
                )

    def __len__(self) -> int:
        return len(self.tokens)

    def to(self, device: torch.device | str) -> OptionTokens:
        """The same on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> OptionTokens:
        """The same in page-locked memory."""
        return mapped(self, lambda x: x.pin_memory())


@dataclass(frozen=True)
class ClipFrames:
    """The frames of each question's clip, as features.

    Args:
        features: float [B, F, D]; zeros where a clip has fewer.
        times: float32 [B, F], the middle of each frame in seconds, ascending; NaN where there is no frame.
    """

    features: Tensor
    times: Tensor

    def __post_init__(self) -> None:
        if self.features.dim() != 3 or not self.features.is_floating_point():
            raise ShapeError(
                f"ClipFrames.features is {self.features.dtype} {tuple(self.features.shape)}; expected float [B, F, D]."
            )
        if self.times.shape != self.features.shape[:2] or not self.times.is_floating_point():
            raise ShapeError(
                f"ClipFrames.times is {self.times.dtype} {tuple(self.times.shape)}; expected float "
                f"{tuple(self.features.shape[:2])}."
            )

    @property
    def mask(self) -> Tensor:
        """Bool [B, F], True where there is a frame."""
        return ~self.times.isnan()

    def to(self, device: torch.device | str) -> ClipFrames:
        """The same on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> ClipFrames:
        """The same in page-locked memory."""
        return mapped(self, lambda x: x.pin_memory())


@dataclass(frozen=True)
class QuestionBatch:
    """Questions with their options and what is seen and said.

    Args:
        index: int64 [B], rows of the table.
        options: B K inputs, one an option.
        lines: float32 [B, S, 2], when each line begins and ends; NaN where a question has fewer. S may be 0. Lines are
            subtitles and the labels of objects; all options of a question have the same.
        frames: of each clip; None where the set has none. A clip without frames has NaN times alone.
        answer: int64 [B], the true option, -1 where it is not known; None where the needs have no labels.
        span: float32 [B, 2], the stretch that is needed to answer; NaN where it is not known; None without labels.
        masked: B inputs, the true option's with tokens hidden; that of option 0 where the answer is not known, which
            no loss may use. None where the needs ask for none.
    """

    index: Tensor
    options: OptionTokens
    lines: Tensor
    frames: ClipFrames | None = None
    answer: Tensor | None = None
    span: Tensor | None = None
    masked: OptionTokens | None = None

    def __post_init__(self) -> None:
        rows = len(self.index)
        if not rows or len(self.options) % rows or len(self.options) < 2 * rows:
            raise ShapeError(f"QuestionBatch.options holds {len(self.options)} inputs of {rows} questions.")
        if self.lines.dim() != 3 or self.lines.shape[0] != rows or self.lines.shape[2] != 2:
            raise ShapeError(f"QuestionBatch.lines is {tuple(self.lines.shape)}; expected [{rows}, S, 2].")
        if int(self.options.line.max()) >= self.lines.shape[1]:
            raise ShapeError(
                f"A token belongs to line {int(self.options.line.max())}, and there are {self.lines.shape[1]}."
            )
        if self.frames is not None and len(self.frames.times) != rows:
            raise ShapeError(f"QuestionBatch.frames holds {len(self.frames.times)} clips of {rows} questions.")
        if self.answer is not None and (self.answer.shape != (rows,) or self.answer.dtype != torch.int64):
            raise ShapeError(
                f"QuestionBatch.answer is {self.answer.dtype} {tuple(self.answer.shape)}; expected int64 [{rows}]."
            )
        if self.span is not None and self.span.shape != (rows, 2):
            raise ShapeError(f"QuestionBatch.span is {tuple(self.span.shape)}; expected [{rows}, 2].")
        if self.masked is not None and len(self.masked) != rows:
            raise ShapeError(f"QuestionBatch.masked holds {len(self.masked)} inputs of {rows} questions.")

    def __len__(self) -> int:
        return self.index.shape[0]

    @property
    def count(self) -> int:
        """K, options of a question."""
        return len(self.options) // len(self.index)

    @property
    def line_mask(self) -> Tensor:
        """Bool [B, S], True where there is a line."""
        return ~self.lines[..., 0].isnan()

    def to(self, device: torch.device | str) -> QuestionBatch:
        """The same batch on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> QuestionBatch:
        """The same batch in page-locked memory."""
        return mapped(self, lambda x: x.pin_memory())


@dataclass(frozen=True)
class QuestionScores:
    """What a tower says of a batch.

    Args:
        logits: float [B, K], one an option.
        z: float [B, K, d], what each logit is read off; the contrastive term compares these.
        place: float [B, K, M], logits of where to look: M is S + F, first the lines and then the frames, and a question
            looks at its lines, or at its frames where it has no line; -inf elsewhere.
        moments: float32 [B, M, 2], the stretch of each place in seconds; NaN where there is none. A frame's reaches
            half of the way to its neighbours.
    """

    logits: Tensor
    z: Tensor
    place: Tensor
    moments: Tensor


@dataclass(frozen=True)
class Answers:
    """What a trained model answers to questions.

    Args:
        shares: float32 [N, K], the probability of each option; a row sums to 1.
        spans: float32 [N, 2], the stretch that it looked at most for the option it chose, in seconds; NaN where a
            question has neither lines nor frames.
    """

    shares: NDArray[np.float32]
    spans: NDArray[np.float32]


def weights_of(weights: str) -> tuple[Literal["text", "run"], str]:
    """What the weights of a plan name: 'text' and a text network, or 'run' and a run that may be either.

    Args:
        weights: 'text=RUN' or 'text=FOLDER', of a text method or of ``transformers``; or RUN, of questions or of text.

    Raises:
        ConfigError: another view is named, or nothing.
    """
    kind, sign, place = weights.partition("=")
    if not sign or "/" in kind:
        return "run", weights
    if kind != "text" or not place:
        raise ConfigError(
            f"The weights are '{weights}'.",
            "Write text=RUN, or text=FOLDER of transformers, or the folder of a run of questions.",
        )
    return "text", place
