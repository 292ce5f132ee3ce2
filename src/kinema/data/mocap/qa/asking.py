"""The questions about a video, their options and answers.

Options are drawn first, from all that could be asked for in the video (of ``which``, one of it and three that do not
occur), and then which of them is right: by the options alone none is likelier. The words of a question are drawn by
themselves, and name nothing that goes with an option. Of ``said``, one wrong option is said of another thing in the
same video, and two are not said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from kinema.data.mocap.qa.config import OPTIONS, TYPES
from kinema.data.mocap.qa.plan import Film, Line, person_name, rng_at
from kinema.data.mocap.qa.wordings import ASKS, DOES, FACTS, TIMES

EACH = 2
"""Questions of 'said', 'which' and 'while' in a video."""

NEXT = 4
"""Questions of 'after' in a video whose motions are all different; there are none in the others."""

Span = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """A question without its place.

    Args:
        type: of :data:`~kinema.data.mocap.qa.config.TYPES`.
        question: the words.
        right: the answer.
        wrong: the other options.
        span: seconds from and to which one must look or listen; None where it is the whole video.
    """

    type: str
    question: str
    right: str
    wrong: tuple[str, ...]
    span: Span | None = None


def questions_of(film: Film, seed: int) -> list[dict[str, Any]]:
    """The lines of ``questions.jsonl`` about a video.

    Args:
        film: the video.
        seed: of the set.
    """
    rows: list[dict[str, Any]] = []
    for kind in TYPES:
        rng = rng_at(seed, "ask", kind, film.number)
        for number, asked in enumerate(_ASKED[kind](film, rng)):
            options = list(asked.wrong)
            options = [options[row] for row in rng.permutation(len(options))]
            answer = int(rng.integers(OPTIONS))
            options.insert(answer, asked.right)
            row = {
                "id": f"{film.name}-{kind}-{number + 1}",
                "video": film.name,
                "question": asked.question,
                "options": options,
                "answer": answer,
                "split": film.split,
                "type": kind,
                "group": person_name(film.person),
            }
            if asked.span is not None:
                row |= {"start": asked.span[0], "end": asked.span[1]}
            rows.append(row)
    return rows


def _said(film: Film, rng: np.random.Generator) -> Iterator[Asked]:
    """Of things whose kind of fact another line of the video states too, of another thing."""
    count = Counter(line.kind for line in film.lines)
    lines = [line for line in film.lines if count[line.kind] > 1]
    for line in _some(lines, EACH, rng):
        fact = FACTS[line.kind]
        said = [other.value for other in film.lines if other.kind == line.kind and other is not line]
        never = [value for value in fact.values if value not in said and value != line.value]
        wrong = (*_some(said, 1, rng), *_some(never, OPTIONS - 2, rng))
        question = _one(fact.asks, rng).format(thing=line.thing)
        yield Asked("said", question, line.value, wrong, (line.start, line.end))


def _which(film: Film, rng: np.random.Generator) -> Iterator[Asked]:
    for motion in _some(film.motions, EACH, rng):
        times = [row for row, segment in enumerate(film.segments) if segment.label == motion]
        span = _span(film, times[0], times[0]) if len(times) == 1 else None
        yield _seen("which", motion, _some(film.absent, OPTIONS - 1, rng), rng, span)


def _after(film: Film, rng: np.random.Generator) -> Iterator[Asked]:
    if film.repeats:
        return
    labels = [segment.label for segment in film.segments]
    for row in _some(range(len(labels) - 1), NEXT, rng):
        wrong = _some([label for label in labels if label not in labels[row : row + 2]], OPTIONS - 1, rng)
        span = _span(film, row, row + 1)
        yield _seen("after", labels[row + 1], wrong, rng, span, does=DOES[labels[row]])


def _often(film: Film, rng: np.random.Generator) -> Iterator[Asked]:
    """In a video with repeats every number is the answer once."""
    if not film.repeats:
        return
    count = Counter(segment.label for segment in film.segments)
    for times in rng.permutation(len(TIMES)).tolist():
        motion = _one([motion for motion in (*film.motions, *film.absent) if count[motion] == times], rng)
        wrong = tuple(other for other in TIMES if other != TIMES[times])
        question = _one(ASKS["often"], rng).format(does=DOES[motion])
        yield Asked("often", question, TIMES[times], wrong)


def _while(film: Film, rng: np.random.Generator) -> Iterator[Asked]:
    """All options are motions of the video that something is said over."""
    over: dict[str, list[Line]] = {}
    for line in film.lines:
        over.setdefault(film.segments[line.segment].label, []).append(line)
    options = _some(tuple(over), OPTIONS, rng)
    for motion in _some(options, EACH, rng):
        line = _one(over[motion], rng)
        wrong = [other for other in options if other != motion]
        yield _seen("while", motion, wrong, rng, (line.start, line.end), line=line.text)


_ASKED: dict[str, Callable[[Film, np.random.Generator], Iterator[Asked]]] = {
    "said": _said,
    "which": _which,
    "after": _after,
    "often": _often,
    "while": _while,
}


def _seen(
    kind: str, right: str, wrong: Sequence[str], rng: np.random.Generator, span: Span | None, **words: str
) -> Asked:
    """A question whose options are motions."""
    question = _one(ASKS[kind], rng).format(**words)
    return Asked(kind, question, DOES[right], tuple(DOES[motion] for motion in wrong), span)


def _span(film: Film, first: int, last: int) -> Span:
    """Seconds from the beginning of a segment to the end of another."""
    return round(film.segments[first].start / film.fps, 3), round(film.segments[last].stop / film.fps, 3)


def _some(values: Sequence[T], most: int, rng: np.random.Generator) -> list[T]:
    """Some of them in any order."""
    return [values[row] for row in rng.permutation(len(values))[:most].tolist()]


def _one(values: Sequence[T], rng: np.random.Generator) -> T:
    return values[int(rng.integers(len(values)))]
