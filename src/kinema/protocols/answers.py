"""Answers: which option of a question about a video is true, beside what needs no network."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinema.core.errors import DataError
from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result
from kinema.core.splits import check_splits, part_of
from kinema.core.version import source_version
from kinema.protocols.selection import digest_of, selection_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kinema.data.questions.table import Question, Questions
    from kinema.evaluation.answers import AnswerFigures
    from kinema.protocols.request import Request

log = logging.getLogger(__name__)

MOST_TYPES = 30
"""Types of questions that have a figure each; of more, which are no types, the details alone tell."""


FEW = 1000
"""Resamples for the intervals of floors, of which there are many."""


def measure(request: Request) -> list[Result]:
    """One result: accuracy, by type and difficulty, the stretch that was looked at, and the floors.

    Raises:
        DataError: there is nobody to ask, no answer is known, or 'stretch' is asked of questions that have none.
    """
    from kinema.core.progress import Steps

    began = time.monotonic()
    model, sides = request.model, _sides(request)
    if request.preset == "stretch":
        _check_stretches(sides.asked)
    context = None if request.preset == "as-trained" else request.preset
    with Steps("answering", request.console) as progress:
        answers = model.answers(sides.asked, context=context, device=request.device, progress=progress)
    figures = _figures(sides.asked, answers.shares, model.seed, answers.spans)
    floors = _floors(sides, model.seed)
    _warn(figures, floors, sides, request.preset)
    return [
        Result(
            protocol=ANSWERS.name,
            preset=request.preset,
            metrics=_metrics(figures, floors),
            encoder=model.name,
            view=model.view,
            data=request.data,
            digest=sides.digest,
            queries=len(sides.asked),
            gallery=0,
            seed=model.seed,
            commit=source_version(),
            seconds=time.monotonic() - began,
            details=_details(sides, figures, floors),
        )
    ]


@dataclass(frozen=True)
class _Sides:
    """Who is asked.

    Args:
        table: all questions of the data.
        asked: those that are measured.
        learnt: those that the floor of the options' words is learnt from, with answers.
        selection: how they were chosen; empty for the usual ones.
        seen: questions that are not asked since the run was trained on them.
        all_seen: whether the run was trained on every one, and they were asked all the same.
        unanswered: questions of the selection whose answer is not known.
    """

    table: Questions
    asked: Questions
    learnt: tuple[Question, ...]
    selection: str
    seen: int
    all_seen: bool
    unanswered: int

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all questions and of which of them are asked."""
        return digest_of([self.table.digest, *sorted(row.id for row in self.asked.rows)])


def _sides(request: Request) -> _Sides:
    from kinema.data.listing import trained_digests

    model = request.model
    table: Questions = model.open(request.source)
    rows = table.select(request.query).rows if request.query else _tested(table)
    known = [row for row in rows if row.answer >= 0]
    if not known:
        raise DataError(
            f"Of none of the {len(rows)} questions that ask the answer is known.",
            "Choose others: --query split=val. Answers of published tests are held back.",
        )
    if len(known) < len(rows):
        log.warning("%d of %d questions are not asked: their answers are not known.", len(rows) - len(known), len(rows))
    run: Path | None = model.run
    trained = frozenset() if run is None else trained_digests(Path(run) / "manifest.parquet", "questions")
    seen = [row for row in known if row.digest in trained]
    all_seen = len(seen) == len(known)
    if all_seen:
        log.warning(
            "THE RUN WAS TRAINED ON ALL %d questions that are asked: the figures say how well they were learnt, and "
            "nothing of other questions.",
            len(known),
        )
    elif seen:
        log.warning("%d of %d questions are not asked, since the run was trained on them.", len(seen), len(known))
    asked = known if all_seen else [row for row in known if row.digest not in trained]
    return _Sides(
        table,
        _part(table, {row.id for row in asked}),
        _learnt(table, trained, {row.digest for row in asked}),
        selection_name(request.query),
        0 if all_seen else len(seen),
        all_seen,
        len(rows) - len(known),
    )


def _part(table: Questions, ids: set[str]) -> Questions:
    return table.of([number for number, row in enumerate(table.rows) if row.id in ids])


def _tested(table: Questions) -> tuple[Question, ...]:
    """The test where its answers are known, else the validation part; all questions where nothing was split."""
    of_part: dict[str | None, list[Question]] = {}
    for row in table.rows:
        of_part.setdefault(part_of(row.split), []).append(row)
    parts = [of_part[name] for name in ("test", "val") if name in of_part]
    answered = next((rows for rows in parts if any(row.answer >= 0 for row in rows)), None)
    if answered is not None or parts:
        return tuple(answered or parts[0])
    check_splits(table.rows, "questions")
    if "train" in of_part:
        raise DataError(
            "All questions with a split are of 'train', and none is left to ask.",
            "Call some 'test', train with --folds 5, or name them: --query split=train.",
        )
    return table.rows


def _learnt(table: Questions, trained: frozenset[str], asked: set[str]) -> tuple[Question, ...]:
    """The questions that the run was trained on, where the data hold them; else those of the split 'train'."""
    others = [row for row in table.rows if row.digest not in asked and row.answer >= 0]
    own = tuple(row for row in others if row.digest in trained)
    return own or tuple(row for row in others if part_of(row.split) == "train")


def _check_stretches(asked: Questions) -> None:
    timed = sum(row.timed for row in asked.rows)
    if not timed:
        raise DataError(
            f"None of the {len(asked)} questions says which stretch is needed to answer it.",
            "Give 'start' and 'end', or leave --preset stretch out.",
        )
    if timed < len(asked):
        log.warning("%d of %d questions say no stretch: they see the whole clip.", len(asked) - timed, len(asked))


def _known(asked: Questions) -> NDArray[np.float64]:
    """The stretches that are needed, float64 [N, 2]; NaN where they are not known."""
    import numpy as np

    return np.array([[row.start, row.end] if row.timed else [np.nan, np.nan] for row in asked.rows], np.float64)


def _figures(
    asked: Questions,
    scores: NDArray[np.floating],
    seed: int,
    spans: NDArray[np.floating] | None = None,
    resamples: int = 10_000,
) -> AnswerFigures:
    import numpy as np

    from kinema.evaluation.answers import answer_figures

    rows = asked.rows
    return answer_figures(
        scores,
        np.array([row.answer for row in rows]),
        [row.group for row in rows],
        types=[row.type for row in rows],
        difficulties=[row.difficulty for row in rows],
        spans=spans,
        known=_known(asked),
        seed=seed,
        resamples=resamples,
    )


def _floors(sides: _Sides, seed: int) -> dict[str, AnswerFigures]:
    """What needs no network, by the names of the figures; those that the data cannot have are left out."""
    from kinema.evaluation.answer_floors import Tfidf, longest, options_only, tfidf_scores

    asked = sides.asked
    options = [row.options for row in asked.rows]
    questions = [row.question for row in asked.rows]
    said = {video: asked.lines(video) for video in asked.videos}
    lines = [line.text for each in said.values() for line in each]
    tfidf = Tfidf([*(each for row in options for each in row), *questions, *lines])
    scores = {
        "accuracy_question_only": tfidf_scores(tfidf, options, questions),
        "accuracy_longest_option": longest(options),
    }
    if lines:
        whole = {video: " ".join(line.text for line in each) for video, each in said.items()}
        scores["accuracy_tfidf"] = tfidf_scores(tfidf, options, [whole[row.video] for row in asked.rows])
    found = {name: _figures(asked, each, seed, resamples=FEW) for name, each in scores.items()}
    timed = asked.of([number for number, row in enumerate(asked.rows) if row.timed])
    if lines and len(timed):
        then = [" ".join(line.text for line in said[row.video] if _during(line, row)) for row in timed.rows]
        stretch = tfidf_scores(tfidf, [row.options for row in timed.rows], then)
        found["accuracy_tfidf_stretch"] = _figures(timed, stretch, seed, resamples=FEW)
    if sides.learnt:
        learnt = options_only([row.options for row in sides.learnt], [row.answer for row in sides.learnt], options)
        found["accuracy_options_only"] = _figures(asked, learnt, seed, resamples=FEW)
    return found


def _during(line: Any, row: Question) -> bool:
    """Whether a line is said in the stretch that a question needs."""
    return bool((line.start < row.end and line.end > row.start) or line.start == row.start)


def _metrics(figures: AnswerFigures, floors: Mapping[str, AnswerFigures]) -> dict[str, float]:
    metrics = {"accuracy": figures.right.accuracy}
    metrics |= {name: floors[name].right.accuracy for name in _FLOORS if name in floors}
    if figures.temporal_miou is not None and figures.asa is not None:
        metrics |= {"temporal_miou": figures.temporal_miou, "asa": figures.asa}
    if len(figures.types) <= MOST_TYPES:
        metrics |= {_figure_of(name): share.accuracy for name, share in figures.types.items()}
    else:
        log.warning("There are %d types of questions: they have no figures of their own.", len(figures.types))
    return metrics | {
        f"accuracy_difficulty_{_slug(name)}": share.accuracy for name, share in figures.difficulties.items()
    }


def _slug(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip())


def _figure_of(kind: str) -> str:
    """The name of the figure of a type of questions, which is that of no other figure."""
    name = f"accuracy_{_slug(kind)}"
    return f"accuracy_type_{_slug(kind)}" if name in _FLOORS or name.startswith("accuracy_difficulty_") else name


def _warn(figures: AnswerFigures, floors: Mapping[str, AnswerFigures], sides: _Sides, preset: str) -> None:
    if not sides.learnt:
        log.info("There are no questions to learn from what the options alone tell: 'options only' is left out.")
    fair = [name for name in floors if preset == "stretch" or name not in _ORACLES]
    above = {name: floors[name] for name in fair if floors[name].right.accuracy >= figures.right.accuracy}
    if above:
        told = ", ".join(f"{_FLOORS[name]} {each.right.accuracy:.3f}" for name, each in above.items())
        log.warning("The accuracy %.3f is not above what needs no video: %s.", figures.right.accuracy, told)
    if figures.tied:
        log.warning(
            "%d of %d questions have options of equal shares: each counts as right by the true one's part.",
            figures.tied,
            figures.right.questions,
        )


def _details(sides: _Sides, figures: AnswerFigures, floors: Mapping[str, AnswerFigures]) -> dict[str, Any]:
    import numpy as np

    from kinema.evaluation.answers import as_plain

    count = sides.asked.count
    places = Counter(row.answer for row in sides.asked.rows)
    interval = figures.right.interval
    return {
        "selection": sides.selection,
        **({} if np.isnan(interval).any() else {"interval": list(interval)}),
        "chance": 1 / count,
        "options": count,
        "groups": figures.groups,
        "videos": len(sides.asked.videos),
        "tied": figures.tied,
        "places": {"chosen": list(figures.place), "true": [places[k] / len(sides.asked) for k in range(count)]},
        "with_stretch": figures.spans,
        "trained_on": {"left_out": sides.seen, "all": sides.all_seen},
        "without_answer": sides.unanswered,
        "left_out": len(sides.table.lost),
        "options_only_learnt_from": len(sides.learnt),
        "per_type": {name: as_plain(each) for name, each in figures.types.items()},
        "per_difficulty": {name: as_plain(each) for name, each in figures.difficulties.items()},
        "floors": {
            name: {
                **as_plain(each.right),
                "tied": each.tied,
                "per_type": {kind: share.accuracy for kind, share in each.types.items()},
            }
            for name, each in floors.items()
        },
    }


_FLOORS = {
    "accuracy_question_only": "TF-IDF of the question",
    "accuracy_longest_option": "the longest option",
    "accuracy_tfidf": "TF-IDF of all that is said",
    "accuracy_tfidf_stretch": "TF-IDF of what is said then",
    "accuracy_options_only": "the options’ words alone",
}
"""Figures of what needs no network, and what a sentence calls them."""

_ORACLES = ("accuracy_tfidf_stretch",)
"""Of these, what is told which stretch is needed."""

ANSWERS: Protocol[Request] = Protocol(
    name="answers",
    title="Answers",
    question="which option of a question about a video is true?",
    explains="Accuracy is the share of questions whose true option has the highest probability; options that tie "
    "share. Beside it stands what needs no video: the option that is nearest to the question by TF-IDF, the longest, "
    "the one nearest to all that is said in the clip, and to what is said in the stretch that is needed to answer; and "
    "the options’ words alone, learnt from the questions of the training: where that is above chance, the options give "
    "answers away. A network that is not above these has not looked at the video. tIoU is the overlap of the stretch "
    "that it looked at most and the one that is needed, ASA the share of questions whose answer is right and whose "
    "overlap is .5 or more. Questions that the run was trained on are not asked. The whisker is the 95 % interval of "
    "the accuracy (bootstrap over groups of questions: episodes, or videos).",
    presets={
        "as-trained": "what the run was trained to see of a clip",
        "whole": "the whole clip",
        "stretch": "only the stretch that is needed to answer",
    },
    metrics={
        "accuracy": Metric("Accuracy", inline="accuracy"),
        "accuracy_question_only": Metric("question only"),
        "accuracy_longest_option": Metric("longest option"),
        "accuracy_tfidf": Metric("TF-IDF"),
        "accuracy_tfidf_stretch": Metric("TF-IDF, stretch"),
        "accuracy_options_only": Metric("options only"),
        "temporal_miou": Metric("tIoU"),
        "asa": Metric("ASA"),
        "accuracy_*": Metric("of "),
        "accuracy_difficulty_*": Metric("difficulty "),
    },
    main="accuracy",
    measure=measure,
    judged=True,
    headline=True,
    heading="Does it answer questions?",
    finding="answers {} of the questions rightly",
    needs=("questions with options",),
    modality="question",
    unit="questions",
    floors={name: each for name, each in _FLOORS.items() if name not in _ORACLES},
)
"""The protocol."""
