"""The settings of questions as data, and what they load: from a table of questions to batches."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError, DataError
from kinema.core.files import write_json
from kinema.core.questions import QuestionNeeds
from kinema.core.seeds import seed_at
from kinema.data.pairs.texts import TOKENIZER, Vocabulary
from kinema.data.questions.beside import Input
from kinema.data.questions.choosing import Choose
from kinema.data.questions.drafts import few
from kinema.data.questions.encoding import Composer, Context
from kinema.data.questions.frames import ABOUT, FrameSource, StoredFrames
from kinema.data.questions.table import LineKind, Questions
from kinema.data.questions.tokens import QuestionCoder, TokenTable, texts_of

if TYPE_CHECKING:
    from kinema.data.documents.tokenizer import Tokenizer
    from kinema.data.questions.example import QuestionExample
    from kinema.data.questions.module import QuestionModule
    from kinema.data.questions.reader import QuestionReader

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

SHOWN = "shown.json"
"""The file in which a run keeps what clips were shown by: of 'frames', 'subtitles' and 'objects'."""

TOKENIZERS = (TOKENIZER, "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model")
"""Any of which a folder holds that a tokenizer can be read from."""
_LEAST_LENGTH = 16
_WORDS = 1 << 20
"""Most words that lines are chosen by."""
_KEPT = 4
_learnt: dict[tuple[str, int, tuple[bool, bool]], Tokenizer] = {}


@dataclass(frozen=True)
class QuestionsConfig:
    """How questions about videos are read, and what of a clip is shown with them.

    Args:
        context: what of the clip is shown: the 'whole' of it; the 'stretch' that is needed to answer, and the whole
            where none is known; or 'none', the question alone.
        subtitles: whether what is said is shown.
        objects: whether the labels of objects are.
        frames: whether the features of frames are.
        rate: frames of the features a second, where features.json does not say it; 0 for not known, which is 1.
        frame_limit: most frames of a clip, spread evenly over it.
        max_length: most tokens of an input: question, one option, and lines, with the special tokens.
        choose: which lines are kept where not all fit: the 'nearest', whose words are nearest to those of the question
            and all its options by TF-IDF; or the 'first'. Those that are kept stay in the order of time.
        vocabulary: most tokens of a tokenizer that is learnt from the texts.
        tokenizer: a tokenizer.json, or a folder or a run with one; empty to learn one.
        folds: into how many parts the groups are drawn, of which one is measured on; 0 for the data's own splits.
        fold: which of them is the split 'test', from 0; the others are 'train'.
        held_out: the share of groups held out for measurement, where the data have no splits and there are no folds.
        split: which draw of them, of the folds, and of the questions whose answers are used.
        labelled: the share of the questions to learn from whose answers are used; the pretraining sees all.
    """

    unit: ClassVar[str] = "questions"
    rows: ClassVar[str] = "questions"
    least: ClassVar[int] = 2
    scan: ClassVar[str] = "Each needs as many options as the others, each of them once."
    takes: ClassVar[str] = (
        "a questions.jsonl (id, video, question, options, answer) or a folder with one, with subtitles/VIDEO.srt and "
        "features/VIDEO.npy beside it, or a known data set as NAME:PATH"
    )
    loading: ClassVar[str] = "reading questions"
    left_out_file: ClassVar[str] = "left_out.json"
    identity: ClassVar[tuple[str, ...]] = (
        *("context", "subtitles", "objects", "frames", "rate", "frame_limit", "max_length", "choose", "vocabulary"),
        *("tokenizer", "folds", "fold", "held_out", "split", "labelled"),
    )
    changeable: ClassVar[tuple[str, ...]] = ()

    context: Context = "whole"
    subtitles: bool = True
    objects: bool = True
    frames: bool = True
    rate: float = 0.0
    frame_limit: int = 64
    max_length: int = 256
    choose: Choose = "nearest"
    vocabulary: int = 8192
    tokenizer: str = ""
    folds: int = 0
    fold: int = 0
    held_out: float = 0.25
    split: int = 0
    labelled: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("context", get_args(Context)), ("choose", get_args(Choose))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is '{getattr(self, name)}'.", f"Choose one of: {', '.join(known)}.")
        if not 0 <= self.rate < math.inf:
            raise ConfigError(f"rate is {self.rate}; it is frames a second, or 0 where they say it themselves.")
        if self.frame_limit < 1:
            raise ConfigError(
                f"frame_limit is {self.frame_limit}; it must be at least 1.", "To show none, set frames to false."
            )
        if self.max_length < _LEAST_LENGTH:
            raise ConfigError(f"max_length is {self.max_length}; it must be at least {_LEAST_LENGTH}.")
        if self.vocabulary < 1:
            raise ConfigError(f"vocabulary is {self.vocabulary}; it must be at least 1.")
        self._check_parts()

    def _check_parts(self) -> None:
        """Refuses folds and shares that are none."""
        if self.folds < 0 or self.folds == 1:
            raise ConfigError(f"folds is {self.folds}; it must be at least 2, or 0 for none.")
        if not 0 <= self.fold < max(1, self.folds):
            raise ConfigError(f"fold is {self.fold}, and there are {self.folds} folds, counted from 0.")
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; it is a share of groups, from 0 to below 1.")
        if not 0 < self.labelled <= 1:
            raise ConfigError(f"labelled is {self.labelled}; it is a share of the questions, above 0 and at most 1.")

    @property
    def kinds(self) -> Mapping[LineKind, bool]:
        """Which kinds of lines are shown."""
        return {"subtitle": self.subtitles, "object": self.objects}

    def open(self, data: str | Path | Questions) -> Questions:
        """The questions of a table, a folder or a known data set, each with its split; a table is taken as it is.

        Raises:
            DataError: there are none, or something does not fit together; the message says what.
        """
        if isinstance(data, Questions):
            return data
        if not isinstance(data, str | Path):
            raise DataError(
                f"Questions are read from a table or a folder; a {type(data).__name__} was given.",
                "Give a questions.jsonl, or a folder with one.",
            )
        from kinema.data.questions.reading import read_questions

        return read_questions(
            data, held_out=self.held_out, split=self.split, folds=self.folds, fold=self.fold, rate=self.rate
        )

    def check(self, needs: Any) -> None:
        """Refuses what is not ``QuestionNeeds``.

        Raises:
            ConfigError: says what the data are; or questions are to be matched with clips of which nothing is shown.
        """
        for one in needs if isinstance(needs, list | tuple) else [needs]:
            if not isinstance(one, QuestionNeeds):
                raise ConfigError(
                    f"The method needs {type(one).__name__}, and the data are questions about videos.",
                    "Choose a method of questions, for instance video-qa.",
                )
            nothing = self.context == "none" or not (self.subtitles or self.objects or self.frames)
            if one.task == "question" and nothing:
                raise ConfigError(
                    "A phase matches questions with clips, and nothing of a clip is shown.",
                    "Leave that phase out (--method.pretrain_epochs 0), or show something.",
                )

    def usable(self, table: Questions, needs: Sequence[QuestionNeeds]) -> tuple[Questions, Mapping[str, str]]:
        """The questions that a phase can learn from, and why not the others, by id.

        Questions without an answer are left out where every phase learns from answers.

        Raises:
            DataError: none is left, or those that are left show nothing that questions could be matched with.
        """
        self.check(list(needs))
        left_out = {row.id: why for row, why in table.lost}
        if needs and all(one.task == "answer" and one.labels for one in needs):
            left_out |= {row.id: "no answer" for row in table.rows if row.answer < 0}
        found = replace(table, rows=tuple(row for row in table.rows if row.id not in left_out), lost=())
        if not found.rows:
            raise DataError(f"None of the {len(table)} questions can be learnt from: {_kinds(left_out)}.")
        if any(one.task == "answer" and one.labels for one in needs) and all(row.answer < 0 for row in found.rows):
            raise DataError(f"None of the {len(table)} questions to learn from has an answer.", "Give answers.")
        shown = [video for video in found.videos if self._shows(found, video)]
        if any(one.task == "question" for one in needs) and len(shown) < 2:
            raise DataError(
                f"Questions are to be matched with clips, and {len(shown)} of {len(found.videos)} clips have lines or "
                "frames.",
                "Give subtitles or features; or leave that phase out: --method.pretrain_epochs 0.",
            )
        self._say(found, shown)
        return found, left_out

    def reports_left_out(self, needs: Sequence[QuestionNeeds]) -> bool:  # noqa: ARG002 - the contract
        """Questions can always be left out."""
        return True

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the questions that :meth:`usable` left out."""
        return f"{len(reasons)} of {rows} questions are left out: {_kinds(reasons)}."

    def with_weights(self, weights: str) -> QuestionsConfig:
        """The settings with the tokenizer that lies beside the weights of a text's network, where none is named."""
        place = weights.removeprefix("text=")
        if self.tokenizer or not place or not any((Path(place) / name).is_file() for name in TOKENIZERS):
            return self
        return replace(self, tokenizer=place)

    def shown(self, table: Questions) -> tuple[Input, ...]:
        """What clips are shown by: of frames, subtitles and objects those that are read and there.

        Args:
            table: the questions.
        """
        if self.context == "none":
            return ()
        kinds = {line.kind for video in table.videos for line in table.lines(video)}
        there: Mapping[Input, bool] = {
            "frames": self.frame_width(table) > 0,
            "subtitles": self.subtitles and "subtitle" in kinds,
            "objects": self.objects and "object" in kinds,
        }
        return tuple(name for name, has in there.items() if has)

    def frame_width(self, table: Questions) -> int:
        """D, features of a frame that a network is given; 0 where it is given none.

        Args:
            table: the questions.
        """
        return table.frame_width if self.frames and self.context != "none" else 0

    def token_rows(self, table: Questions, needs: Sequence[QuestionNeeds] = ()) -> int:
        """Rows that an embedding of the tokens needs.

        Args:
            table: the questions to learn from.
            needs: of every phase, where the table may hold questions that none can use.

        Raises:
            DataError: the texts hold no word.
        """
        answers = bool(needs) and all(one.task == "answer" and one.labels for one in needs)
        rows = tuple(row for row in table.rows if row.answer >= 0 or not answers)
        return self._tokenizer(replace(table, rows=rows, lost=())).size

    def coder(self, table: Questions, run: Path | None = None) -> QuestionCoder:
        """What texts are read with.

        Args:
            table: the questions to learn from.
            run: a run's folder, which may keep it already.

        Raises:
            DataError: the texts hold no word.
            RunError: what the run keeps is damaged.
        """
        if run is not None and (run / TOKENIZER).is_file():
            return QuestionCoder.read(run)
        lines = dict.fromkeys(line.text for video in table.videos for line in table.lines(video))
        return QuestionCoder(self._tokenizer(table), Vocabulary.learn(lines, _WORDS))

    def load(
        self,
        table: Questions,
        needs: Sequence[QuestionNeeds],
        *,
        folder: Path | None = None,
        cache: Path | None = None,  # noqa: ARG002 - ids are made in seconds, and features stay where they are
        progress: Progress | None = None,
    ) -> LoadedQuestions:
        """The texts as ids, each distinct one once; features of frames stay on the disk.

        Args:
            table: usable questions.
            needs: of every phase.
            folder: of a run. Where it holds a tokenizer this is taken, and nothing is learnt.
            cache: nothing is kept there.
            progress: is called with (texts done, texts).

        Raises:
            DataError: the texts hold no word.
        """
        self.check(list(needs))
        coder = self.coder(table, folder)
        found = LoadedQuestions(self, table, coder, self.composer(table, coder, progress=progress))
        self._say_cut(found.composer)
        return found

    def composer(
        self,
        table: Questions,
        coder: QuestionCoder,
        *,
        frames: FrameSource | None = None,
        progress: Progress | None = None,
    ) -> Composer:
        """What puts the inputs of a table together.

        Args:
            table: the questions.
            coder: the tokenizer, and the words by which lines are chosen.
            frames: of the clips; those that the table names by default.
            progress: is called with (texts done, texts).
        """
        tokens = TokenTable(coder.tokenizer, texts_of(table), progress)
        return Composer(table, self, coder, tokens, frames or StoredFrames(table))

    def reader(self, tower: Any, view: str, **about: Any) -> QuestionReader:
        """A trained tower as a reader of questions.

        Args:
            tower: a ``kinema.networks.questions.QuestionTower``.
            view: its name.
            **about: name, run, seed and more; see :class:`kinema.data.questions.reader.QuestionReader`.
        """
        from kinema.data.questions.reader import QuestionReader

        return QuestionReader(tower, view, self, **about)

    def example(self) -> QuestionExample:
        """Made-up questions for trying a method; nothing is read."""
        from kinema.data.questions.example import QuestionExample

        return QuestionExample()

    def _tokenizer(self, table: Questions) -> Tokenizer:
        """The tokenizer that is named, or one learnt from the texts; the last few are kept."""
        from kinema.data.documents.tokenizer import Tokenizer

        if self.tokenizer:
            return Tokenizer.read(Path(self.tokenizer).expanduser())
        key = (table.digest, self.vocabulary, (self.subtitles, self.objects))
        if key not in _learnt:
            shown = self._texts(table)
            while len(_learnt) >= _KEPT:
                del _learnt[next(iter(_learnt))]
            _learnt[key] = Tokenizer.learn(shown, self.vocabulary)
        return _learnt[key]

    def _texts(self, table: Questions) -> list[str]:
        """The distinct texts that a run on a table shows."""
        shown = [text for row in table.rows for text in (row.question, *row.options)]
        shown += [line.text for video in table.videos for line in table.lines(video) if self.kinds[line.kind]]
        return list(dict.fromkeys(shown))

    def _shows(self, table: Questions, video: str) -> bool:
        """Whether anything of a clip is shown."""
        if any(self.kinds[line.kind] for line in table.lines(video)):
            return True
        return self.frames and table.frames(video) is not None

    def _say(self, table: Questions, shown: Sequence[str]) -> None:
        """Says what is learnt from, and what of it shows nothing."""
        if table.split_from == "drawn" and {row.split for row in table.rows} == {"train"}:
            log.warning(
                "The data have no splits: %d questions are learnt from, and the groups of the others are held out for "
                "`kinema evaluate answers`. --held_out 0 learns from all, --split %d from others, --folds 5 draws "
                "folds.",
                len(table),
                self.split + 1,
            )
        missing = sorted({*table.videos} - {*shown})
        if missing and self.context != "none":
            log.warning(
                "%d of %d clips show neither lines nor frames, and %d questions are about them: %s.",
                len(missing),
                len(table.videos),
                sum(row.video in set(missing) for row in table.rows),
                few([f"'{video}'" for video in missing]),
            )
        untimed = [row.id for row in table.rows if not row.timed] if self.context == "stretch" else []
        if untimed:
            log.warning(
                "%d of %d questions have no stretch, and the whole clip is shown with them: %s.",
                len(untimed),
                len(table),
                few([f"'{each}'" for each in untimed]),
            )

    def _say_cut(self, composer: Composer) -> None:
        """Says how many questions lose lines or words, since an input has room for so many tokens."""
        lines, words = composer.losing()
        total = len(composer.table)
        if lines:
            log.info(
                "%d of %d questions lose lines, for an input has %d tokens; the %s ones are kept.",
                len(lines),
                total,
                self.max_length,
                self.choose,
            )
        if words:
            named = few([f"'{composer.table.rows[row].id}'" for row in words])
            log.warning(
                "%d of %d questions, or options of theirs, do not fit into %d tokens and are cut: %s.",
                len(words),
                total,
                self.max_length,
                named,
            )


@dataclass(frozen=True)
class LoadedQuestions:
    """Questions that can be read, from which every phase takes its batches.

    Args:
        config: the settings.
        table: the questions.
        coder: the tokenizer, and the words by which lines are chosen.
        composer: puts inputs together.
    """

    config: QuestionsConfig
    table: Questions
    coder: QuestionCoder
    composer: Composer

    @property
    def rows(self) -> list[int]:
        """All rows."""
        return list(range(len(self.table)))

    @cached_property
    def answered(self) -> list[int]:
        """The rows whose answers are used: of those with one, the share ``labelled``, drawn by ``split``.

        A smaller share is part of a larger one.
        """
        known = [row for row in self.rows if self.table.rows[row].answer >= 0]
        order = sorted(known, key=lambda row: seed_at(self.config.split, "labelled", self.table.rows[row].id))
        return sorted(order[: math.ceil(round(self.config.labelled * len(known), 6))])

    @property
    def readable(self) -> int:
        """How many that are."""
        return len(self.table)

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes ids of texts."""
        return self.coder.tokenizer

    @property
    def text_vocabulary(self) -> int:
        """Rows that an embedding of the tokens needs."""
        return self.coder.tokenizer.size

    @property
    def features(self) -> int:
        """D, features of a frame that a network is given; 0 where it is given none."""
        return self.config.frame_width(self.table)

    @property
    def shown(self) -> tuple[Input, ...]:
        """What the clips are shown by: of 'frames', 'subtitles' and 'objects' those that the data have."""
        return self.config.shown(self.table)

    def cost(self, cache: Path) -> CacheEstimate:
        """Nothing is kept in the cache.

        Args:
            cache: the folder of all caches; nothing is written.
        """
        lines, _ = self.composer.losing()
        notes = (f"{len(lines)} of {len(self.table)} questions lose lines.",) if lines else ()
        return CacheEstimate(cache / "questions", 0, 0, True, 0.0, notes)

    def module(
        self,
        needs: QuestionNeeds,
        *,
        batch_size: int,
        seed: int,
        ledger: Path | None = None,  # noqa: ARG002 - all were looked at by now, and none can turn out broken
    ) -> QuestionModule:
        """The batches of one phase.

        Args:
            needs: what its method needs.
            batch_size: questions of a batch on each rank.
            seed: of the run.
            ledger: where broken rows would be listed.

        Raises:
            ConfigError: ``batch_size`` is below 1.
            DataError: there are too few questions to choose among.
        """
        from kinema.data.questions.module import QuestionModule

        return QuestionModule(self, needs, batch_size=batch_size, seed=seed)

    def save(self, folder: Path) -> None:
        """Keeps the tokenizer and the words with which new texts are read, what clips were shown by, and features.json.

        Args:
            folder: the run's.
        """
        self.coder.save(folder)
        write_json(folder / SHOWN, {"shown": list(self.shown)})
        if self.table.frames_from and self.features:
            write_json(folder / ABOUT, dict(self.table.frames_from))


def _kinds(reasons: Mapping[str, str]) -> str:
    """Reasons by their kind, each with how many and the first few."""
    kinds: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        kinds.setdefault(reason.partition(": ")[0], []).append(name)
    return "; ".join(f"{len(names)} with {kind}: {few(names)}" for kind, names in kinds.items())
