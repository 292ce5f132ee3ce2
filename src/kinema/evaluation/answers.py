"""How often answers are right, by kind of question, and whether they come from the right stretch of the video.

Axes: N questions, K options of each. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, ShapeError
from kinema.core.seeds import seed_at

Floats = NDArray[np.floating]

OVERLAP = 0.5
"""The least overlap of a stretch that counts as right, in ASA (Lei et al. 2020, TVQA+)."""


@dataclass(frozen=True)
class ShareRight:
    """How many of some questions are answered rightly.

    Args:
        accuracy: the share.
        interval: its 95 % interval, by bootstrap over groups.
        questions: how many there are.
    """

    accuracy: float
    interval: tuple[float, float]
    questions: int


@dataclass(frozen=True)
class AnswerFigures:
    """The figures of answers.

    Args:
        right: of all questions.
        types: of the questions of each type, by its name.
        difficulties: of the questions of each difficulty.
        groups: how many groups the questions are of.
        tied: questions whose highest score several options have; each is right by the true option's share.
        place: where the options that were chosen stand, [K], as shares of the questions.
        temporal_miou: mean overlap of the stretch that was looked at and the one that is needed, over the questions
            whose stretch is known; None where none is.
        asa: the share of these whose answer is right and whose overlap is .5 or more; None likewise.
        spans: how many questions have a known stretch.
    """

    right: ShareRight
    types: Mapping[str, ShareRight]
    difficulties: Mapping[str, ShareRight]
    groups: int
    tied: int
    place: tuple[float, ...]
    temporal_miou: float | None
    asa: float | None
    spans: int


def chosen(scores: Floats) -> NDArray[np.float64]:
    """How much each option is chosen, float64 [N, K]: 1 for the highest score, a share where several have it.

    Whoever must guess among equal options is right by their share, whatever their order: to take the first of them
    would make a figure of where the options stand.

    Args:
        scores: float [N, K]; scores that differ by a millionth of a millionth are equal.

    Raises:
        ShapeError: it is no such array, or holds what is not finite.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ShapeError(f"Scores are {scores.shape}; expected [N, K], at least two options each.")
    if not np.isfinite(scores).all():
        raise ShapeError(f"Scores of {int((~np.isfinite(scores)).any(axis=1).sum())} questions are not finite.")
    best = scores.astype(np.float64)
    among = best >= best.max(axis=1, keepdims=True) - 1e-12
    return np.asarray(among / among.sum(axis=1, keepdims=True), np.float64)


def hits(scores: Floats, answer: NDArray[np.integer]) -> NDArray[np.float64]:
    """How right each answer is, float64 [N]: 1 or 0, and the true option's share where the highest score is shared.

    Args:
        scores: float [N, K].
        answer: int [N], the true options.

    Raises:
        ShapeError: there is not an answer a question, from 0 to K - 1; or as :func:`chosen`.
    """
    shares = chosen(scores)
    if answer.shape != (len(shares),) or (len(answer) and not 0 <= answer.min() <= answer.max() < shares.shape[1]):
        raise ShapeError(f"Answers are {answer.shape}; expected an option from 0 to K - 1 for {scores.shape} scores.")
    return np.asarray(shares[np.arange(len(shares)), answer], np.float64)


def overlaps(spans: Floats, known: Floats) -> NDArray[np.float64]:
    """Intersection over union of two stretches of time, float64 [N]; 0 where the first is not known.

    Two moments without length overlap if they are one.

    Args:
        spans: float [N, 2], the stretches looked at; NaN where there is none.
        known: float [N, 2], the true ones.

    Raises:
        ShapeError: they are no such arrays.
    """
    if spans.shape != known.shape or spans.ndim != 2 or spans.shape[1] != 2:
        raise ShapeError(f"Stretches are {spans.shape} and {known.shape}; expected [N, 2] both.")
    a, b = spans.astype(np.float64), known.astype(np.float64)
    inner = np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0])
    outer = np.maximum(a[:, 1], b[:, 1]) - np.minimum(a[:, 0], b[:, 0])
    found = np.where(outer > 0, np.maximum(inner, 0) / np.where(outer > 0, outer, 1), 1.0)
    return np.where(np.isnan(inner), 0.0, found)


def group_interval(
    values: Floats, groups: Sequence[str], *, seed: int = 0, resamples: int = 10_000
) -> tuple[float, float]:
    """95 % percentile interval of a mean over questions, by bootstrap over their groups.

    Questions of one episode stand and fall together, so whole groups are drawn; the mean is over the questions of
    those that were drawn. With one group it says nothing: both ends are NaN.

    Args:
        values: float [N].
        groups: the group of each.
        seed: of the draws.
        resamples: how many.
    """
    _, number = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    count = np.bincount(number).astype(np.float64)
    if len(count) < 2:
        return float("nan"), float("nan")
    total = np.bincount(number, weights=values)
    rng = np.random.default_rng(seed_at(seed, "answers", "interval"))
    step = max(1, (1 << 22) // len(count))
    means = []
    for start in range(0, resamples, step):
        drawn = rng.multinomial(len(count), np.full(len(count), 1 / len(count)), min(step, resamples - start))
        means.append((drawn @ total) / (drawn @ count))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def answer_figures(
    scores: Floats,
    answer: NDArray[np.integer],
    groups: Sequence[str],
    *,
    types: Sequence[str] = (),
    difficulties: Sequence[str] = (),
    spans: Floats | None = None,
    known: Floats | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> AnswerFigures:
    """The figures of answers.

    Args:
        scores: float [N, K], how much each option is the answer, for instance its probability.
        answer: int [N], the true options.
        groups: of each question the episode or video that it is of.
        types: of each question its type, '' where it has none; empty where none has one.
        difficulties: likewise.
        spans: float [N, 2], the stretches that were looked at, NaN where there is none; None where no model looks.
        known: float [N, 2], the stretches that are needed, NaN where they are not known; None where none is.
        seed: of the bootstrap.
        resamples: of the groups, for each interval.

    Raises:
        DataError: there are no questions.
        ShapeError: arrays do not belong together.
    """
    if not len(answer):
        raise DataError("There are no questions to measure.")
    right = hits(scores, answer)
    of_each = {"groups": groups, "types": types or [""] * len(right), "difficulties": difficulties or [""] * len(right)}
    for name, each in of_each.items():
        if len(each) != len(right):
            raise ShapeError(f"There are {len(each)} {name} of {len(right)} questions.")
    shares, bootstrap = chosen(scores), (seed, resamples)
    miou, asa, spanned = _places(right, spans, known)
    return AnswerFigures(
        _share(right, groups, bootstrap),
        _parts(right, of_each["types"], groups, bootstrap),
        _parts(right, of_each["difficulties"], groups, bootstrap),
        len(set(groups)),
        int((shares.max(axis=1) < 1).sum()),
        tuple(shares.mean(axis=0).tolist()),
        miou,
        asa,
        spanned,
    )


def _places(right: Floats, spans: Floats | None, known: Floats | None) -> tuple[float | None, float | None, int]:
    """Temporal mIoU, ASA, and of how many questions."""
    if known is None:
        return None, None, 0
    has = ~np.isnan(known).any(axis=1)
    if spans is None or not has.any():
        return None, None, int(has.sum())
    iou = overlaps(spans[has], known[has])
    return float(iou.mean()), float((right[has] * (iou >= OVERLAP)).mean()), int(has.sum())


def _parts(
    right: Floats, names: Sequence[str], groups: Sequence[str], bootstrap: tuple[int, int]
) -> dict[str, ShareRight]:
    each, found = np.asarray(names, dtype=str), {}
    for name in np.unique(each).tolist():
        rows = np.flatnonzero(each == name)
        if name:
            found[name] = _share(right[rows], [groups[row] for row in rows.tolist()], bootstrap)
    return found


def _share(right: Floats, groups: Sequence[str], bootstrap: tuple[int, int]) -> ShareRight:
    interval = group_interval(right, groups, seed=bootstrap[0], resamples=bootstrap[1])
    return ShareRight(float(right.mean()), interval, len(right))


def as_plain(share: ShareRight) -> dict[str, Any]:
    """The same as JSON has it; without the interval where one group has none."""
    known = {"accuracy": share.accuracy, "questions": share.questions}
    return known | ({} if np.isnan(share.interval).any() else {"interval": list(share.interval)})
