"""Scores of one labelled time line against another: edit score, F1 of segmental overlap, and F1 by drawn frames.

A segment is a longest stretch of frames of one label.

Axes: T frames, P predicted segments, S true segments.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError

Labels = NDArray[np.int64]
F1Preset = Literal["cte", "asot"]

F1_PRESETS: tuple[F1Preset, ...] = ("cte", "asot")
"""The two ways to take F1 by drawn frames, by name."""

OVERLAPS = (10, 25, 50)
"""The percentages of overlap at which F1 is taken."""

FRAMES_DRAWN = 15
"""Frames drawn of a segment at a time."""

DRAWS = 50
"""How often they are drawn."""

CHUNK = 1 << 22
"""Pairs of segments compared at a time, so that memory stays small."""


def as_labels(values: object, what: str) -> Labels:
    """One whole number a frame as int64 [T].

    Args:
        values: an array or a sequence of whole numbers.
        what: what they are, for messages: 'The labels of video 3'.

    Raises:
        DataError: there is no frame.
        ShapeError: it is not a vector of whole numbers.
    """
    array = np.asarray(values)
    if array.ndim == 1 and array.size == 0:
        raise DataError(f"{what} are empty; there is no frame to compare.", "Leave videos without frames out.")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ShapeError(f"{what} are {array.dtype} {array.shape}; expected one whole number a frame.")
    return array.astype(np.int64)


def segments(labels: Labels) -> tuple[Labels, Labels, Labels]:
    """The label, the first frame and the frame after the last of each segment, three times int64 [S], in time order."""
    borders = np.concatenate(([0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]))
    return labels[borders[:-1]], borders[:-1], borders[1:]


def edit_score(predicted: NDArray[np.integer], truth: NDArray[np.integer], background: Collection[int] = ()) -> float:
    """Segmental edit score of Lea et al. (2017): is the order of the steps right, whatever their lengths?

    1 - Levenshtein distance of the two sequences of segment labels / the longer one's number of segments.

    Args:
        predicted: whole numbers [T], classes; a number that the truth lacks is a class that is always wrong.
        truth: whole numbers [T].
        background: classes whose segments are left out of both sequences. What stands on both sides of one is not
            merged, as in the authors' code.

    Returns:
        From 0 to 1.

    Raises:
        DataError: the lengths differ, there is no frame, or all frames are background.
        ShapeError: one of the two is no vector of whole numbers.
    """
    (first, *_), (second, *_) = _pair(predicted, truth, background)
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    places = np.arange(len(longer) + 1)
    row = places.copy()
    for number, label in enumerate(shorter, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (longer != label))
        # What is left is to come from the left at 1 a step: a running minimum, once the steps are taken off.
        row = np.minimum.accumulate(np.concatenate(([number], best)) - places) + places
    return float(1 - row[-1] / len(longer))


def overlap_f1(
    predicted: NDArray[np.integer],
    truth: NDArray[np.integer],
    overlap: float,
    background: Collection[int] = (),
) -> float:
    """F1 of segmental overlap of Lea et al. (2017): F1@10 is that at an overlap of .1.

    A predicted segment looks at the true segment of its class with which its intersection over union is largest, and is
    right where this is at least ``overlap`` and no other predicted segment has taken that true one.

    Args:
        predicted: whole numbers [T], classes; a number that the truth lacks is a class that is always wrong.
        truth: whole numbers [T].
        overlap: above 0, up to 1.
        background: classes whose segments are left out of both.

    Returns:
        From 0 to 1.

    Raises:
        ConfigError: ``overlap`` is not above 0 and at most 1.
        DataError: the lengths differ, there is no frame, or all frames are background.
        ShapeError: one of the two is no vector of whole numbers.
    """
    if not 0 < overlap <= 1:
        raise ConfigError(f"The overlap is {overlap}; it must be above 0 and at most 1, 0.1 for F1@10.")
    ours, theirs = _pair(predicted, truth, background)
    return _overlap_f1(ours, theirs, overlap)


def segment_scores(
    predicted: NDArray[np.integer], truth: NDArray[np.integer], background: Collection[int] = ()
) -> dict[str, float]:
    """'edit', 'f1@10', 'f1@25' and 'f1@50' of one video whose predictions are classes.

    The figures of a data set are means over its videos: so ED-TCN's published ones come about (Lea et al. 2017), whose
    accuracy is the mean over videos of the fraction of all frames that are right, those of background among them.

    Args:
        predicted: whole numbers [T], classes.
        truth: whole numbers [T].
        background: classes whose segments are left out of both.

    Raises:
        DataError: the lengths differ, there is no frame, or all frames are background.
        ShapeError: one of the two is no vector of whole numbers.
    """
    ours, theirs = _pair(predicted, truth, background)
    found = {"edit": edit_score(predicted, truth, background)}
    return found | {f"f1@{percent}": _overlap_f1(ours, theirs, percent / 100) for percent in OVERLAPS}


def drawn_f1(
    predicted: Labels, truth: Labels, *, preset: F1Preset, videos: int, clusters: int, rng: np.random.Generator
) -> float:
    """F1 by drawn frames, as two released codes have it; their figures are not comparable.

    15 frames are drawn of each true segment, 50 times. Videos stand one after the other, and equal labels on both sides
    of a border are one segment.

        cte   (Kukleva et al. 2019, TOT) a segment counts by the fraction of its 15 frames that are right; precision is
              over ``clusters`` x ``videos``; the last segment of all is never scored
        asot  (Xu and Gould 2024) a segment counts 1 where more than half of its 15 frames are right; precision is over
              the true classes x ``videos``; the draws reach the first frame of the next segment

    Args:
        predicted: int64 [T], classes, without the frames that are background in truth.
        truth: int64 [T].
        preset: 'cte' or 'asot'.
        videos: how many videos stand one after the other.
        clusters: K.
        rng: where the draws come from.

    Returns:
        Rarely above 1: where steps repeat, precision can be, as in the releases. 0 where the only segment is the last
        one, which 'cte' does not score.
    """
    label, first, end = segments(truth)
    if preset == "cte":
        label, first, last = label[:-1], first[:-1], end[:-1] - 1
        expected = clusters * videos
    else:
        last = np.minimum(end, len(truth) - 1)
        expected = len(np.unique(truth)) * videos
    if len(label) == 0:
        return 0.0
    counts = np.empty(DRAWS)
    for number in range(DRAWS):
        frames = rng.integers(first[:, None], last[:, None], (len(label), FRAMES_DRAWN), endpoint=True)
        right = (predicted[frames] == label[:, None]).mean(1)
        counts[number] = right.sum() if preset == "cte" else (right > 0.5).sum()
    # 2 p r / (p + r) with p = count / expected, r = count / segments.
    return float((2 * counts / (expected + len(label))).mean())


def _overlap_f1(ours: tuple[Labels, Labels, Labels], theirs: tuple[Labels, Labels, Labels], overlap: float) -> float:
    label, first, end = ours
    true_label, true_first, true_end = theirs
    taken = np.zeros(len(true_label), dtype=bool)
    rows = max(1, CHUNK // len(true_label))
    for start in range(0, len(label), rows):
        part = slice(start, start + rows)
        shared = np.minimum(end[part, None], true_end) - np.maximum(first[part, None], true_first)
        union = np.maximum(end[part, None], true_end) - np.minimum(first[part, None], true_first)
        ratio = np.where(label[part, None] == true_label, shared / union, 0.0)
        taken[ratio.argmax(1)[ratio.max(1) >= overlap]] = True
    return float(2 * taken.sum() / (len(label) + len(true_label)))


def _pair(
    predicted: object, truth: object, background: Collection[int]
) -> tuple[tuple[Labels, Labels, Labels], tuple[Labels, Labels, Labels]]:
    """The segments of both without those of background."""
    a, b = as_labels(predicted, "The predictions"), as_labels(truth, "The true labels")
    if len(a) != len(b):
        raise DataError(f"There are {len(a)} predictions for {len(b)} frames with labels; expected one a frame.")
    ours, theirs = (_without(segments(each), background) for each in (a, b))
    if len(theirs[0]) == 0:
        raise DataError(
            f"All {len(b)} frames are background ({', '.join(map(str, sorted(background)))}); there is no step to find."
        )
    return ours, theirs


def _without(found: tuple[Labels, Labels, Labels], background: Collection[int]) -> tuple[Labels, Labels, Labels]:
    keep = ~np.isin(found[0], list(background))
    return found[0][keep], found[1][keep], found[2][keep]
