"""The batches of questions of one phase: every question once an epoch, in another order each time.

All batches are of one size: the last one of an epoch is filled up from the epoch's beginning. What is drawn depends on
the seed, the epoch and the place in it alone, so that a run goes on at any batch as if it had never stopped.

Under the task 'question' the options are questions: the clip's own, at a place that is drawn, among questions of other
clips of the same show. None of them is one that is asked about the clip too, and no two are the same.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.core.ops import rank_slice, world_size
from kinema.core.questions import QuestionBatch, QuestionNeeds
from kinema.core.seeds import generator_at, seed_at
from kinema.data.questions.encoding import RawQuestions, hidden
from kinema.data.questions.table import Questions

if TYPE_CHECKING:
    from kinema.data.questions.config import LoadedQuestions


class QuestionModule:
    """Batches of questions.

    Args:
        loaded: the questions.
        needs: what the method needs of each.
        batch_size: questions of a batch on each rank.
        seed: of the run.

    Raises:
        ConfigError: ``batch_size`` is below 1, or the clips are shown by nothing that questions could be matched with.
        DataError: there is no question with an answer, or there are too few questions to choose among.
    """

    def __init__(self, loaded: LoadedQuestions, needs: QuestionNeeds, *, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
        self.batch_size = batch_size
        self._loaded, self._needs, self._seed = loaded, needs, seed
        answers = needs.task == "answer" and needs.labels
        self._rows = np.asarray(loaded.answered if answers else loaded.rows, np.int64)
        if not len(self._rows):
            raise DataError("None of the questions to learn from has an answer.", "Give answers.")
        self._candidates = Candidates(loaded.table, needs.candidates) if needs.task == "question" else None

    @property
    def batches(self) -> int:
        """Batches of every epoch, on every rank."""
        return math.ceil(len(self._rows) / (self.batch_size * world_size()))

    def loader(self, epoch: int, first: int = 0) -> Iterable[RawQuestions]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        whole, part = self.batch_size * world_size(), rank_slice(self.batch_size)
        order = self._rows[
            torch.randperm(len(self._rows), generator=generator_at(self._seed, "questions", epoch)).numpy()
        ]
        for batch in range(first, self.batches):
            slots = np.arange(batch * whole, (batch + 1) * whole)
            raw = self._raw(order[slots % len(order)], epoch, slots)  # all ranks' questions, for one length of theirs
            yield raw if world_size() == 1 else raw.part(part)

    @property
    def workers(self) -> int:
        """None read beside the training: texts are ids by now, and features are read from where they lie."""
        return 0

    def sample(self) -> tuple[RawQuestions, float]:
        """The first batch, and the seconds that reading one takes."""
        began = time.perf_counter()
        raw = next(iter(self.loader(0)))
        return raw, time.perf_counter() - began

    def batch(self, raw: RawQuestions, generator: torch.Generator, *, labels: bool = False) -> QuestionBatch:
        """A batch as the method sees it, on the device of ``raw``.

        Under the task 'question' the place of the clip's own question is always in it: it was drawn, and tells nothing
        that a person said of the data. There are no stretches then.

        Args:
            raw: as the loader yields it.
            generator: on the CPU; draws which words are hidden.
            labels: whether the method may see the answers and the stretches.
        """
        needs, masked = self._needs, None
        if needs.masked:
            count = len(raw.options) // len(raw)
            places = torch.arange(len(raw), device=raw.answer.device) * count + raw.answer.clamp(min=0)
            mask_id = self._loaded.tokenizer.mask_id
            masked = hidden(raw.options, places, needs.masked, mask_id, generator)
        drawn = needs.task == "question"
        return QuestionBatch(
            raw.index,
            raw.options,
            raw.lines,
            raw.frames,
            raw.answer if labels or drawn else None,
            raw.span if labels and not drawn else None,
            masked,
        )

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """None: a question has no embedding by itself.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{type(method).__name__} asks for features of every row, and questions have none.",
            "Choose a method of questions, for instance video-qa.",
        )

    def _raw(self, rows: NDArray[np.int64], epoch: int, slots: NDArray[np.int64]) -> RawQuestions:
        composer = self._loaded.composer
        if self._candidates is None:
            return composer.answers(rows.tolist())
        drawn = [
            self._candidates.of(int(row), np.random.default_rng(seed_at(self._seed, "candidates", epoch, int(slot))))
            for row, slot in zip(rows, slots, strict=True)
        ]
        return composer.matches(rows.tolist(), [texts for texts, _ in drawn], [place for _, place in drawn])


class Candidates:
    """Questions of other clips that a clip's own is to be told from.

    Args:
        table: the questions.
        count: how many there are, the clip's own among them.

    Raises:
        DataError: there are fewer, even of all shows together.
    """

    def __init__(self, table: Questions, count: int) -> None:
        self._table, self._count = table, count
        self._own: dict[str, set[str]] = defaultdict(set)
        pools: dict[str, dict[str, str]] = defaultdict(dict)
        for row in table.rows:
            key = _key(row.question)
            self._own[row.video].add(key)
            pools[row.show].setdefault(key, row.question)
            pools[""].setdefault(key, row.question)
        self._pools = {show: list(pool.items()) for show, pool in pools.items()}
        for video, own in self._own.items():
            if len(pools[""]) - len(own) < count - 1:
                raise DataError(
                    f"Of the questions about other clips than '{video}' {len(pools['']) - len(own)} are none of its "
                    f"own, and {count - 1} are needed to match questions with clips.",
                    "Take fewer candidates, or leave that phase out: --method.pretrain_epochs 0.",
                )

    def of(self, row: int, generator: np.random.Generator) -> tuple[list[str], int]:
        """The candidates of a row, and the place of its own.

        Args:
            row: its number.
            generator: draws them.
        """
        asked = self._table.rows[row]
        own = self._own[asked.video]
        pool = self._pools[asked.show]
        if asked.show and sum(key not in own for key, _ in pool) < self._count - 1:
            pool = self._pools[""]
        taken: dict[str, str] = {}
        tries = 0
        while len(taken) < self._count - 1:
            if tries > 20 * self._count:  # a clip that nearly all questions are about
                others = [each for each in pool if each[0] not in own and each[0] not in taken]
                picked = generator.permutation(len(others))[: self._count - 1 - len(taken)]
                taken |= dict(others[place] for place in picked)
                break
            key, text = pool[int(generator.integers(len(pool)))]
            tries += 1
            if key not in own:
                taken.setdefault(key, text)
        found = list(taken.values())
        place = int(generator.integers(self._count))
        return [*found[:place], asked.question, *found[place:]], place


def _key(question: str) -> str:
    """What two questions that are the same have in common."""
    return question.casefold().rstrip(" ?.")
