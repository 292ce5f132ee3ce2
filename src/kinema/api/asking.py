"""Questions about one video: what ``kinema ask`` does, as a function, and as an object that answers many."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.api.asking_frames import Frames, encoder_of, learnt_about, made_frames, rate_learnt, stored_frames
from kinema.api.models import load
from kinema.core.devices import chosen_device
from kinema.core.errors import DataError, KinemaError, UsageError
from kinema.core.progress import Shown
from kinema.core.splits import tidy
from kinema.data.clips.reader import Model
from kinema.data.pairs.reader import PairReader
from kinema.data.questions.beside import Beside, Input, beside
from kinema.data.questions.checking import check_lines
from kinema.data.questions.frames import frame_times
from kinema.data.questions.lines import objects_of, ordered, subtitles_of
from kinema.data.questions.table import TimedLine
from kinema.data.video.files import exists
from kinema.data.video.manifest import Video
from kinema.data.video.scanning import read_videos
from kinema.recipes.json import read_recipe

log = logging.getLogger(__name__)

LEAST_OPTIONS, MOST_OPTIONS = 2, 100
"""Options of a question."""

KEPT = 64
"""Videos whose frames an :class:`Asker` keeps as features, so that a second question about one is answered at once."""

_WANTED = "kinema ask answers questions about videos by a run of video-qa: kinema pretrain video-qa DATA --out RUN"


class TooLongError(UsageError):
    """A video whose features would have to be made first, and that is longer than the caller allows."""


@dataclass(frozen=True)
class Asked:
    """The answer to a question about a video.

    Args:
        video: the video, as it was named.
        question: the question.
        options: what may be the answer.
        shares: the share of each option, in their order; together 1.
        start: seconds from the beginning of the video at which the stretch begins that was looked at most; None where
            the run sees neither frames nor lines.
        end: the end of it.
        said: the lines of that stretch, subtitles and labels of objects.
        missing: what the run learnt with and this video lacks; the answer was given without.
        notes: what a person should know of the answer, a sentence each; of each of ``missing`` why it is.
        subtitles: the file of the subtitles that were read, or None.
        frames: where the features of the frames come from, a file or a run; None where the run sees no frames.
        seconds: how long the answer took.
    """

    video: str
    question: str
    options: tuple[str, ...]
    shares: tuple[float, ...]
    start: float | None = None
    end: float | None = None
    said: tuple[TimedLine, ...] = ()
    missing: tuple[Input, ...] = ()
    notes: tuple[str, ...] = ()
    subtitles: str | None = None
    frames: str | None = None
    seconds: float = 0.0

    @property
    def chosen(self) -> int:
        """The place of the option with the largest share, from 0."""
        return max(range(len(self.shares)), key=self.shares.__getitem__)

    @property
    def answer(self) -> str:
        """The option with the largest share."""
        return self.options[self.chosen]

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        fields = dataclasses.asdict(self)
        return {**fields, "chosen": self.chosen, "answer": self.answer}


def ask(
    run: str | PathLike[str] | Any,
    video: str | Path,
    question: str,
    options: Sequence[str],
    *,
    subtitles: str | Path | None = None,
    features_run: str | Path | Any | None = None,
    device: str | None = None,
    console: Shown = None,
) -> Asked:
    """Answers a multiple-choice question about a video by a run of video-qa.

    Beside the video are looked for, by its name without the ending: subtitles ``STEM.srt``, ``.vtt`` or ``.json``,
    ``objects/STEM.json`` and ``features/STEM.npy``; see :mod:`kinema.data.questions.beside`. Where a run learnt with
    frames and no features are stored, they are made by the run that made those of its training data. What the run
    learnt with and cannot be had is named in a warning and in ``missing``.

    Args:
        run: the run's folder, or its model as :func:`kinema.load` gives it.
        video: the file.
        question: the question.
        options: what may be the answer: two or more, as many as the run learnt with or not.
        subtitles: the file of the subtitles, .srt, .vtt or .json; by default what lies beside the video.
        features_run: the run that makes features of the frames, where that of the training data is elsewhere now.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        UsageError: there is no question, there are fewer than two options or one stands twice, or the run is of
            another method.
        DataError: the video cannot be read; subtitles are empty, or lie outside of the video; features are of another
            width than the run's.
        RunError: there is no run.
    """
    check_question(question, options)
    asker = Asker(run, features_run=features_run, device=device, console=console)
    return asker.ask(video, question, options, subtitles=subtitles)


def check_question(question: str, options: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The question and its options without the space around them.

    Args:
        question: the question.
        options: what may be the answer.

    Raises:
        UsageError: the question or an option is empty, there are fewer than two options or too many, or one stands
            twice.
    """
    if isinstance(options, str):
        raise UsageError("The options are one text.", 'Give several: ["she sits down", "she waves"].')
    asked, given = _plain(question), tuple(_plain(option) for option in options)
    if not asked:
        raise UsageError("There is no question.", 'Write one: kinema ask RUN VIDEO "What does she do?" --options A B')
    if len(given) < LEAST_OPTIONS:
        raise UsageError(
            f"There {'is 1 option' if given else 'are no options'}; at least {LEAST_OPTIONS} are needed.",
            'Give what may be the answer: --options "she sits down" "she waves"',
        )
    if len(given) > MOST_OPTIONS:
        raise UsageError(f"There are {len(given)} options; {MOST_OPTIONS} can be asked at most.", "Leave some out.")
    if "" in given:
        raise UsageError(f"Option {given.index('') + 1} is empty.", "Leave it out, or write what may be the answer.")
    seen: dict[str, int] = {}
    for number, option in enumerate(given, 1):
        before = seen.setdefault(option.casefold(), number)
        if before != number:
            raise UsageError(
                f"The option '{option}' stands twice, as number {before} and {number}.", "Leave one of them out."
            )
    return asked, given


def answers_questions(run: str | PathLike[str] | Any) -> bool:
    """Whether a run, or a model, answers questions about videos; of what is no run, False.

    Args:
        run: a run's folder, or a model.
    """
    if not isinstance(run, str | PathLike):
        return getattr(run, "modality", None) == "question"
    try:
        return bool(read_recipe(Path(run) / "recipe.json").data.unit == "questions")
    except KinemaError:
        return False


class Asker:
    """A run of video-qa that answers questions about any video; it keeps the features that it makes.

    Args:
        run: the run's folder, or its model.
        features_run: the run that makes features of frames; by default the one that the run's features.json names.
        device: where to compute.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Attributes:
        model: the run's ``kinema.data.questions.reader.QuestionReader``.

    Raises:
        UsageError: it is a run of another method.
        RunError: there is no run.
    """

    def __init__(
        self,
        run: str | PathLike[str] | Any,
        *,
        features_run: str | Path | Any | None = None,
        device: str | None = None,
        console: Shown = None,
    ) -> None:
        chosen_device(device)
        if isinstance(run, str | PathLike):
            if not answers_questions(run) and (Path(run) / "recipe.json").is_file():
                raise UsageError(f"'{run}' is a run of another method.", _WANTED)
            run = load(run)
        if getattr(run, "modality", None) != "question":
            raise UsageError(f"The model of '{getattr(run, 'name', run)}' reads {_unit(run)}.", _WANTED)
        self.model = run
        self._features_run, self._device, self._console = features_run, device, console
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], NDArray[np.float32]] = OrderedDict()

    def ask(
        self,
        video: str | Path,
        question: str,
        options: Sequence[str],
        *,
        subtitles: str | Path | None = None,
        longest: float | None = None,
        name: str | None = None,
    ) -> Asked:
        """Answers a question about a video; see :func:`ask`.

        Args:
            video: the file.
            question: the question.
            options: what may be the answer.
            subtitles: the file of the subtitles; by default what lies beside the video.
            longest: seconds that a video may have whose features must be made first; None for any.
            name: what the video is called in the answer; its path by default.

        Raises:
            TooLongError: the video has more.
            UsageError: as :func:`ask`.
            DataError: likewise.
        """
        began = time.monotonic()
        asked, given = check_question(question, options)
        file = Path(video)
        found = beside(file, None if subtitles is None else Path(subtitles))
        clip = _Clip(name or str(video), file, _looked_at(file), found, self.model.shown)
        lines = clip.lines()
        frames = self._frames(clip, longest)
        seen = {} if frames is None else {"frames": frames.features, "times": frames.times}
        answers = self.model.ask(asked, given, lines=lines, device=self._device, **seen)
        for note in clip.notes:
            log.warning("%s", note)
        start, end = _stretch(answers.spans[0], clip.facts.duration)
        said = () if start is None or end is None else tuple(x for x in lines if x.start < end and x.end > start)
        return Asked(
            clip.name,
            asked,
            given,
            tuple(float(share) for share in answers.shares[0]),
            start,
            end,
            said,
            tuple(clip.missing),
            tuple(clip.notes),
            None if found.subtitles is None or "subtitles" not in clip.learnt else str(found.subtitles),
            None if frames is None else frames.origin,
            time.monotonic() - began,
        )

    @cached_property
    def _learnt_on(self) -> Mapping[str, Any]:
        return learnt_about(self.model.run)

    def _frames(self, clip: _Clip, longest: float | None) -> Frames | None:
        """The features of a video's frames; None where the run sees none, or they cannot be had."""
        if "frames" not in clip.learnt:
            return None
        if clip.beside.frames is not None:
            return stored_frames(clip.beside.frames, self.model.features, clip.facts.duration, self._learnt_on)
        encoder = self._encoder
        if isinstance(encoder, str):
            clip.lacks("frames", encoder)
            return None
        if longest is not None and clip.facts.duration > longest:
            raise TooLongError(
                f"'{clip.name}' has {clip.facts.duration:.0f} s, and features are made of {longest:.0f} s at most.",
                "Make them beforehand: kinema features RUN DATA",
            )
        rate = rate_learnt(self._learnt_on, self.model.config.rate)
        features = self._made(encoder[0], clip, rate)
        return Frames(features, frame_times(len(features), rate), encoder[1])

    @cached_property
    def _encoder(self) -> tuple[Model | PairReader, str] | str:
        """What makes features, and where it lies; or why there is nothing that does."""
        return encoder_of(self._features_run, self._learnt_on, self.model.features, self.model.run)

    def _made(self, encoder: Model | PairReader, clip: _Clip, rate: float) -> NDArray[np.float32]:
        key = (str(clip.file.resolve()), clip.facts.size, clip.facts.mtime_ns)
        with self._lock:
            features = self._kept.pop(key, None)
        if features is None:
            features = made_frames(
                encoder, clip.file, clip.facts, self._learnt_on, rate, device=self._device, console=self._console
            )
        with self._lock:
            self._kept[key] = features
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return features


@dataclass
class _Clip:
    """A video that is asked about: what is known of it, and what is missing."""

    name: str
    file: Path
    facts: Video
    beside: Beside
    learnt: tuple[Input, ...]
    missing: list[Input] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lacks(self, what: Input, why: str) -> None:
        """Notes what the run learnt with and cannot be had."""
        self.missing.append(what)
        self.notes.append(f"The run learnt with {what}, and '{self.name}' is answered without: {why}.")

    def lines(self) -> tuple[TimedLine, ...]:
        """What is said, and the labels of objects, in the order of their times, as far as the run learnt with them.

        Raises:
            DataError: a file is empty or damaged, or what it says lies outside of the video.
        """
        said: tuple[TimedLine, ...] = ()
        seen: tuple[TimedLine, ...] = ()
        if "subtitles" in self.learnt:
            if self.beside.subtitles is None:
                self.lacks("subtitles", "no .srt, .vtt or .json of its name lies beside it")
            else:
                said, remarks = subtitles_of(self.beside.subtitles, self.name)
                if remarks:
                    self.notes.append(f"Subtitles '{self.beside.subtitles.name}': {remarks}.")
        if "objects" in self.learnt:
            if self.beside.objects is None:
                self.lacks("objects", "there is no objects/NAME.json of its name")
            else:
                seen = objects_of(self.beside.objects)
        lines = ordered([*said, *seen])
        check_lines(self.name, lines, said, self.facts.duration)
        return lines


def _looked_at(file: Path) -> Video:
    """What a scan says of a video.

    Raises:
        DataError: it is not there, or cannot be read.
    """
    if not exists(file):
        raise DataError(f"There is no video '{file}'.", "Name a file of video.")
    facts = read_videos(file.absolute().parent, [file.name], workers=1)[0]
    if facts.health == "unreadable" or not facts.frames:
        raise DataError(
            f"'{file}' cannot be read as video: {facts.reason or 'it has no frames'}.", "Name another file."
        )
    return facts


def _stretch(span: NDArray[np.float32], duration: float) -> tuple[float | None, float | None]:
    """A stretch within the video; two times None where the run looked at none."""
    if np.isnan(span).any():
        return None, None
    start, end = (min(max(0.0, float(x)), duration) for x in span)
    return start, end


def _plain(text: str) -> str:
    return " ".join(tidy(text).split())


def _unit(model: Any) -> str:
    return str(getattr(model, "unit", "something else"))
