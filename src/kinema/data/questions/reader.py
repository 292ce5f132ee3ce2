"""A trained model of questions in a user's hands: what ``kinema.load`` gives of a run on questions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.errors import DataError, RunError, UsageError
from kinema.core.questions import Answers, QuestionBatch, QuestionScores
from kinema.core.reader import Reader
from kinema.core.reading import read_object
from kinema.data.questions.beside import INPUTS, Input
from kinema.data.questions.config import SHOWN, QuestionsConfig
from kinema.data.questions.drafts import Draft
from kinema.data.questions.encoding import Composer, Context, RawQuestions
from kinema.data.questions.frames import GivenFrames, frame_times
from kinema.data.questions.lines import ordered
from kinema.data.questions.table import Clip, Questions, TimedLine
from kinema.data.questions.tokens import QuestionCoder

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Source = Literal["subtitles", "objects", "frames"]
SOURCES = ("subtitles", "objects", "frames")
_BATCH = 16


class QuestionReader(Reader):
    """A network that answers questions about videos.

    Args:
        tower: a ``kinema.networks.questions.QuestionTower``.
        view: its name, 'question'.
        config: how questions are read.
        name: what made it: 'video-qa'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        towers: those of all views; there is one.
        run_digest: gives the SHA-256 of the weights that the run keeps.
        coder: what texts are read with; that of the run by default.
    """

    modality, unit = "question", "questions"

    def __init__(
        self,
        tower: Any,
        view: str,
        config: QuestionsConfig,
        *,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        towers: Any = None,  # noqa: ARG002 - there is one view
        run_digest: Callable[[], str] | None = None,
        coder: QuestionCoder | None = None,
    ) -> None:
        self.tower = tower.eval().requires_grad_(False)
        self.view, self.views = view, (view,)
        self.config, self.name, self.run, self.seed = config, name, run, seed
        self._digest, self._given = run_digest, coder

    @property
    def dim(self) -> int:
        """Dimensions of what an answer's share is read off."""
        return int(self.tower.dim)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights that the run keeps; empty without a run."""
        return self._digest() if self._digest is not None else ""

    @property
    def features(self) -> int:
        """D, features of a frame that the network takes; 0 where it takes none."""
        return int(self.tower.features)

    @cached_property
    def shown(self) -> tuple[Input, ...]:
        """What clips were shown by when it learnt: of 'frames', 'subtitles' and 'objects' those that the data had.

        Raises:
            RunError: the run's record of it is damaged.
        """
        config = self.config
        if config.context == "none":
            return ()
        kept = None if self.run is None or not (self.run / SHOWN).is_file() else read_object(self.run / SHOWN)
        had = INPUTS if kept is None else kept.get("shown")
        if not isinstance(had, list | tuple) or not set(had) <= set(INPUTS):
            raise RunError(f"'{self.run}/{SHOWN}' does not say what was shown.", "The run is damaged; train again.")
        now = {"frames": config.frames and self.features > 0, "subtitles": config.subtitles, "objects": config.objects}
        return tuple(name for name in INPUTS if name in had and now[name])

    def __repr__(self) -> str:
        return f"QuestionReader({self.name!r})"

    def open(self, data: str | Path | Questions) -> Questions:
        """The questions of a table, a folder or a known data set, with the splits and folds of the run.

        Args:
            data: what a user names.

        Raises:
            DataError: there are none, or something does not fit together.
        """
        return self.config.open(data)

    def answers(
        self,
        table: Questions,
        *,
        without: Sequence[Source] = (),
        shift: float = 0.0,
        context: Context | None = None,
        progress: Progress | None = None,
        device: str | None = None,
        batch_size: int = _BATCH,
    ) -> Answers:
        """What the model answers to the questions of a table, in its order.

        Args:
            table: the questions; answers in it are not looked at.
            without: what is not shown to the network: 'subtitles', 'objects', 'frames'.
            shift: seconds that are added to the times of all lines; which lines are shown does not change by it.
            context: what of a clip is shown, 'whole', 'stretch' or 'none'; as in training by default.
            progress: is called with (questions done, questions).
            device: where to compute; a GPU where there is one, by default.
            batch_size: questions that are answered together.

        Raises:
            UsageError: something else is to be left out, or the context is none.
            DataError: the frames have another number of features than the network takes.
        """
        config = self._config(without, context)
        missing = sorted(set(self.shown) - set(without) - set(config.shown(table)))
        if missing and config.context != "none":
            log.warning("The run learnt with %s, and the data have none: it answers without.", " and ".join(missing))
        composer = config.composer(table, self._coder)
        return self._answers(composer, len(table), shift, progress, device, batch_size)

    def ask(
        self,
        question: str,
        options: Sequence[str],
        *,
        lines: Iterable[TimedLine] = (),
        frames: NDArray[Any] | None = None,
        times: NDArray[Any] | None = None,
        device: str | None = None,
    ) -> Answers:
        """The answer to one question about one clip: shares [1, K], and the stretch [1, 2] that was looked at.

        Args:
            question: in words.
            options: the answers to choose from, at least two, each once.
            lines: what is said and which objects are seen, in seconds.
            frames: float [F, D], features of the clip's frames; None for none.
            times: float [F], the middle of each frame in seconds; by default one frame a second, the first at .5.
            device: where to compute; a GPU where there is one, by default.

        Raises:
            DataError: the question is empty, an option stands twice, or the frames are not those of the network.
        """
        draft = Draft(Path())
        draft.add("the question", id="asked", video="clip", question=question, options=list(options))
        if draft.lost:
            raise DataError(f"There is {draft.lost[0][1]}.", "Give each option once.")
        given = None
        if frames is not None:
            features = np.asarray(frames, np.float32)
            if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
                raise DataError(f"The frames are {features.shape}; finite features [F, D] were expected.")
            when = frame_times(len(features), 1.0) if times is None else np.asarray(times, np.float32)
            if when.shape != (len(features),) or not np.isfinite(when).all():
                raise DataError(f"The times are {when.shape}, and there are {len(features)} frames.")
            given = GivenFrames(features, when)
        width = given.width if given is not None else 0
        clip = Clip(ordered(list(lines)), width=width)
        table = Questions(Path(), tuple(draft.rows), clips={"clip": clip})
        composer = self.config.composer(table, self._coder, frames=given)
        return self._answers(composer, 1, 0.0, None, device, 1)

    def encode(self, items: Any, **options: Any) -> Any:  # noqa: ARG002 - the contract
        """A question has no embedding by itself.

        Raises:
            UsageError: always; it names what to do.
        """
        raise UsageError(
            f"A run of {self.name} answers questions, and gives no embedding of a {type(items).__name__}.",
            "Ask it: model.ask(question, options, lines=…, frames=…), or model.answers(table).",
        )

    @cached_property
    def _coder(self) -> QuestionCoder:
        if self._given is not None:
            return self._given
        if self.run is None:
            raise RunError(
                "The model is of no run, so that its tokenizer is not known.", "Load it from its run's folder."
            )
        return QuestionCoder.read(self.run)

    def _config(self, without: Sequence[Source], context: Context | None) -> QuestionsConfig:
        unknown = [each for each in without if each not in SOURCES]
        if unknown:
            raise UsageError(f"'{unknown[0]}' cannot be left out.", f"Choose of: {', '.join(SOURCES)}.")
        left_out: dict[str, Any] = dict.fromkeys(without, False)
        if context is not None:
            left_out["context"] = context
        return replace(self.config, **left_out)

    def _answers(
        self,
        composer: Composer,
        count: int,
        shift: float,
        progress: Progress | None,
        device: str | None,
        batch_size: int,
    ) -> Answers:
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        self._fits(composer)
        where = self._device_for(device)
        self.tower.to(where)
        shares = np.zeros((count, composer.table.count), np.float32)
        spans = np.full((count, 2), np.nan, np.float32)
        for first in range(0, count, batch_size):
            rows = range(first, min(first + batch_size, count))
            scores = self._scores(composer.answers(rows, shift=shift), where)
            shares[rows.start : rows.stop] = scores.logits.float().softmax(dim=1).cpu().numpy()
            spans[rows.start : rows.stop] = _looked_at(scores)
            if progress is not None:
                progress(rows.stop, count)
        return Answers(shares, spans)

    def _scores(self, raw: RawQuestions, device: torch.device | str) -> QuestionScores:
        moved = raw.to(device)
        batch = QuestionBatch(moved.index, moved.options, moved.lines, moved.frames)
        with torch.no_grad():
            scores: QuestionScores = self.tower(batch.options, batch.lines, batch.frames)
        return scores

    def _fits(self, composer: Composer) -> None:
        """Refuses frames of another width, and says where a network that takes frames is given none."""
        shown = composer.features if composer.config.context != "none" else 0
        if shown and shown != self.features:
            takes = f"{self.features} features a frame" if self.features else "no frames"
            raise DataError(
                f"The network takes {takes}, and the data have {shown}.",
                "Make the features by the network that the run was trained on, or leave them out.",
            )


def _looked_at(scores: QuestionScores) -> NDArray[np.float32]:
    """The stretch that was looked at most for the option that was chosen, float32 [B, 2]; NaN where there is none."""
    rows = torch.arange(len(scores.logits), device=scores.logits.device)
    if not scores.place.shape[2]:
        return np.full((len(rows), 2), np.nan, np.float32)
    place = scores.place[rows, scores.logits.argmax(dim=1)].argmax(dim=1)
    found: NDArray[np.float32] = scores.moments[rows, place].float().cpu().numpy()
    return found
