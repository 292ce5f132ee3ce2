"""Questions as raw batches: inputs of tokens, the times of their lines, and the frames of their clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.ops import rand_rows
from kinema.core.questions import ClipFrames, OptionTokens
from kinema.core.records import mapped
from kinema.core.spans import Tokens
from kinema.data.questions.choosing import LineChooser, kept_lines
from kinema.data.questions.frames import FrameSource
from kinema.data.questions.table import Question, Questions, TimedLine
from kinema.data.questions.tokens import Layout, QuestionCoder, Room, TokenTable, room_for

if TYPE_CHECKING:
    from kinema.data.questions.config import QuestionsConfig

Context = Literal["whole", "stretch", "none"]


@dataclass(frozen=True)
class RawQuestions:
    """Several questions as they are read.

    Args:
        index: int64 [B], rows of the table.
        options: B K inputs, one an option.
        lines: float32 [B, S, 2], when each line begins and ends; NaN where a question has fewer.
        frames: of each clip; None where there are none.
        answer: int64 [B], the true option; -1 where it is not known.
        span: float32 [B, 2], the stretch that is needed to answer; NaN where it is not known.
    """

    index: Tensor
    options: OptionTokens
    lines: Tensor
    frames: ClipFrames | None
    answer: Tensor
    span: Tensor

    def __len__(self) -> int:
        return self.index.shape[0]

    def first(self, count: int) -> RawQuestions:
        """The first so many questions."""
        return self.part(slice(0, count))

    def part(self, rows: slice) -> RawQuestions:
        """The questions from ``rows.start`` up to ``rows.stop``, padded as they are."""
        each = len(self.options) // len(self)
        options = mapped(self.options, lambda x: x[rows.start * each : rows.stop * each])
        others = mapped(replace(self, options=None), lambda x: x[rows])  # type: ignore[arg-type]
        return replace(others, options=options)

    def to(self, device: torch.device | str) -> RawQuestions:
        """The same on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> RawQuestions:
        """The same in page-locked memory."""
        return mapped(self, Tensor.pin_memory)


@dataclass(frozen=True)
class _Held:
    """The lines of a video that are shown.

    Args:
        lines: they.
        starts: float64 [S].
        ends: float64 [S].
        lengths: int64 [S], tokens of each.
    """

    lines: tuple[TimedLine, ...]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    lengths: NDArray[np.int64]


class Composer:
    """Puts inputs together.

    Args:
        table: the questions.
        config: what of a clip is shown, and how much.
        coder: the tokenizer, and the words by which lines are chosen.
        tokens: the ids of all texts of the table.
        frames: of the clips; None for none.
    """

    def __init__(
        self,
        table: Questions,
        config: QuestionsConfig,
        coder: QuestionCoder,
        tokens: TokenTable,
        frames: FrameSource | None,
    ) -> None:
        self.table, self.config, self.tokens = table, config, tokens
        self.frames = frames if frames is not None and frames.width and config.frames else None
        self._layout, self._chooser = Layout.of(coder.tokenizer), LineChooser(coder.known)
        self._held: dict[str, _Held] = {}

    @property
    def features(self) -> int:
        """D, features of a frame; 0 of none."""
        return self.frames.width if self.frames is not None else 0

    def answers(self, rows: Sequence[int], context: Context | None = None, shift: float = 0.0) -> RawQuestions:
        """Questions with their own options.

        Args:
            rows: their numbers in the table.
            context: what of a clip is shown; as the settings say by default.
            shift: seconds that are added to the times of all lines, after they were chosen.
        """
        shown = [self.table.rows[row] for row in rows]
        return self._raw(
            rows,
            [(row.question, row.options) for row in shown],
            [row.answer for row in shown],
            context or self.config.context,
            shift,
        )

    def matches(self, rows: Sequence[int], candidates: Sequence[Sequence[str]], places: Sequence[int]) -> RawQuestions:
        """Clips with questions as options; each clip is shown whole.

        Args:
            rows: numbers in the table.
            candidates: the questions of each.
            places: where the clip's own is.
        """
        return self._raw(rows, [(None, each) for each in candidates], places, "whole", 0.0)

    def losing(self, context: Context | None = None) -> tuple[list[int], list[int]]:
        """The rows that lose lines, and those that lose a part of the question or of an option.

        Args:
            context: what of a clip is shown; as the settings say by default.
        """
        lines, words = [], []
        for number, row in enumerate(self.table.rows):
            held = self._lines(row.video)
            within = self._within(row, held, context or self.config.context)
            room = self._room(row.question, row.options, bool(len(within)))
            if int(held.lengths[within].sum()) > room.lines:
                lines.append(number)
            if room.cut:
                words.append(number)
        return lines, words

    def _raw(
        self,
        rows: Sequence[int],
        asked: Sequence[tuple[str | None, Sequence[str]]],
        places: Sequence[int],
        context: Context,
        shift: float,
    ) -> RawQuestions:
        inputs: list[NDArray[np.int32]] = []
        times: list[NDArray[np.float64]] = []
        for row, (question, options) in zip(rows, asked, strict=True):
            found, when = self._inputs(self.table.rows[row], question, options, context)
            inputs += found
            times.append(when)
        lines = np.full((len(rows), max(map(len, times)), 2), np.nan, np.float32)
        for place, when in enumerate(times):
            lines[place, : len(when)] = when + shift
        span = np.asarray([(self.table.rows[row].start, self.table.rows[row].end) for row in rows], np.float32)
        return RawQuestions(
            torch.tensor(list(rows), dtype=torch.int64),
            self._layout.collated(inputs),
            torch.from_numpy(lines),
            self._frames(rows, context),
            torch.tensor(list(places), dtype=torch.int64),
            torch.from_numpy(span.reshape(len(rows), 2)),
        )

    def _inputs(
        self, row: Question, question: str | None, options: Sequence[str], context: Context
    ) -> tuple[list[NDArray[np.int32]], NDArray[np.float64]]:
        """The inputs of a question, one an option, and when each of their lines begins and ends, float64 [S, 2]."""
        held = self._lines(row.video)
        within = self._within(row, held, context)
        room = self._room(question, options, bool(len(within)))
        kept = self._kept(row.video, held, within, room.lines, [*options, *([question] if question else [])])
        ids = [self.tokens.ids(held.lines[number].text)[:length] for number, length in kept]
        asked = None if question is None else self.tokens.ids(question)[: room.question]
        answers = [self.tokens.ids(option)[: room.option] for option in options]
        numbers = [number for number, _ in kept]
        return self._layout.inputs(asked, answers, ids), np.stack([held.starts[numbers], held.ends[numbers]], axis=1)

    def _kept(
        self, video: str, held: _Held, within: NDArray[np.int64], room: int, texts: Sequence[str]
    ) -> list[tuple[int, int]]:
        if int(held.lengths[within].sum()) <= room:
            return [(number, int(held.lengths[number])) for number in within.tolist()]
        order = within
        if self.config.choose == "nearest":
            near = self._chooser.nearness(video, held.lines, texts)
            order = within[np.argsort(-near[within], kind="stable")]
        return kept_lines(held.lengths, room, order)

    def _room(self, question: str | None, options: Sequence[str], lines: bool) -> Room:
        special = self._layout.special(1 + (question is not None) + lines)
        asked = 0 if question is None else len(self.tokens.ids(question))
        return room_for(asked, [len(self.tokens.ids(each)) for each in options], special, self.config.max_length)

    def _lines(self, video: str) -> _Held:
        """The lines of a video that the settings show; those without a token are none."""
        if video not in self._held:
            kinds = [kind for kind, shown in self.config.kinds.items() if shown]
            lines = tuple(
                line for line in self.table.lines(video) if line.kind in kinds and len(self.tokens.ids(line.text))
            )
            lengths = np.asarray([len(self.tokens.ids(line.text)) for line in lines], np.int64)
            starts, ends = (np.asarray([getattr(line, name) for line in lines]) for name in ("start", "end"))
            self._held[video] = _Held(lines, starts.astype(np.float64), ends.astype(np.float64), lengths)
        return self._held[video]

    def _within(self, row: Question, held: _Held, context: Context) -> NDArray[np.int64]:
        """The numbers of the lines that a question is shown."""
        if context == "none":
            return np.zeros(0, np.int64)
        if context == "whole" or not row.timed:
            return np.arange(len(held.lines))
        inside = (held.starts < row.end) & (held.ends > row.start)
        return np.flatnonzero(inside | ((held.starts >= row.start) & (held.ends <= row.end)))

    def _frames(self, rows: Sequence[int], context: Context) -> ClipFrames | None:
        """The frames of the clips; None where the set has none, or none is shown."""
        if self.frames is None or context == "none":
            return None
        chosen, when = [], []
        for row in rows:
            asked = self.table.rows[row]
            times = self.frames.times(asked.video)
            chosen.append(evenly(_seen(asked, times, context), self.config.frame_limit))
            when.append(times[chosen[-1]])
        most = max(1, *map(len, chosen)) if len(chosen) > 1 else max(1, len(chosen[0]))
        features = np.zeros((len(rows), most, self.frames.width), np.float32)
        times = np.full((len(rows), most), np.nan, np.float32)
        for place, (row, numbers) in enumerate(zip(rows, chosen, strict=True)):
            if len(numbers):
                features[place, : len(numbers)] = self.frames.read(self.table.rows[row].video, numbers)
                times[place, : len(numbers)] = when[place]
        return ClipFrames(torch.from_numpy(features), torch.from_numpy(times))


def evenly(frames: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """So many of some frames, spread evenly over them.

    Args:
        frames: their numbers, ascending.
        limit: how many are kept at most.
    """
    if len(frames) <= limit:
        return frames
    return frames[((np.arange(limit) + 0.5) * len(frames) / limit).astype(np.int64)]


def hidden(options: OptionTokens, rows: Tensor, share: float, mask_id: int, generator: torch.Generator) -> OptionTokens:
    """Some inputs with a share of their words hidden, at least one of each: question, option and lines alike.

    Args:
        options: inputs.
        rows: int64 [B], which of them.
        share: of the tokens that are no special ones.
        mask_id: what stands in their place.
        generator: on the CPU.
    """
    ids, mask, part, line = (x[rows] for x in (options.tokens.ids, options.tokens.mask, options.part, options.line))
    words = part != 0
    draw = rand_rows(*ids.shape, generator=generator).to(ids.device).masked_fill(~words, math.inf)
    most = (words.sum(dim=1) * share).round().clamp(min=1)
    hide = (draw.argsort(dim=1).argsort(dim=1) < most[:, None]) & words
    return OptionTokens(Tokens(ids.masked_fill(hide, mask_id), mask), part, line)


def _seen(row: Question, times: NDArray[np.float32], context: Context) -> NDArray[np.int64]:
    """The frames that a question is shown: all, or those of its stretch, of which the nearest one is always seen."""
    if context == "whole" or not row.timed or not len(times):
        return np.arange(len(times))
    inside = np.flatnonzero((times >= row.start) & (times <= row.end))
    if len(inside):
        return inside
    return np.asarray([int(np.abs(times - (row.start + row.end) / 2).argmin())])
