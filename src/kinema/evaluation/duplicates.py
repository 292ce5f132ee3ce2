"""Near-duplicates: pairs of videos whose thumbnails have the same appearance and motion, at some offset in time.

Two videos are near-duplicates where, over the stretch they share at the best offset, two correlations are high: that of
the still part (the mean picture, less its mean light) and that of the motion (each picture less that mean picture). A
change of brightness or contrast alters neither. The still part alone would match any two videos of one camera; motion
alone would match two people who do the same. The score is the smaller of the two.

A video without motion has no second measure: black clips, still pictures and empty rooms would all match one another.
Such a video is listed as still and compared with nothing.

How pairs are found: each video has its *moments*, the half seconds in which most moves. All moments of all videos are
compared with one another by a matrix product, exactly; where two are similar, their videos are compared as a whole at
that offset. The product grows with the
square of the moments and nothing else does: a core compares some 1e9 pairs of moments a minute, so that 100,000 videos
of ten seconds take it some three hours and 4 GB, which is about what it takes to decode them.

Axes: S pictures of a fingerprint, F = 64 fields of one, M moments of all videos, D numbers that describe one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ShapeError

THRESHOLD = 0.9
"""What the score of a pair must reach. docs/how-to/leakage.md says what copies and different takes were measured at."""

THRESHOLD_BRIEF = 0.95
"""The same for videos that share less than ``BRIEF`` pictures: one sweep of a hand is soon like another."""

BRIEF = 12
"""In pictures, tenths of a second."""

MOVES = 0.5
"""Root mean square of the change of a field, of 255, that the most moving half second of a video must reach."""

LEAST = 5
"""Pictures that two videos must share at the least; and half of the shorter one."""

NEAR = 0.8
"""From where on two moments are worth a closer look, at half their width and height."""

NEAR_IN_FULL = 0.75
"""The same at their full size: half a picture of time apart, copies are still above it."""

WORTH = 0.7
"""From where on an offset is worth being refined."""

_WINDOW = 5
_SECOND = 10
_APART = 2
_BLOCK = 2048
_FLAT = 1.0

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Two videos that show the same.

    Args:
        a: the one of the lower number.
        b: the other.
        score: the smaller correlation, up to 1.
        offset: where b begins within a, in pictures of the fingerprint; negative where it begins before a.
        overlap: pictures that both share.
        mirrored: whether b is a's mirror image.
    """

    a: int
    b: int
    score: float
    offset: float
    overlap: int
    mirrored: bool


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Args:
        pairs: the best alignment of each pair, the surest first.
        still: videos in which nothing moves, or which are too short; they were compared with nothing.
        moments: M.
    """

    pairs: tuple[Pair, ...]
    still: tuple[int, ...]
    moments: int


def find_duplicates(
    fingerprints: Mapping[int, NDArray[np.floating]], *, progress: Callable[[int, int], None] | None = None
) -> Duplicates:
    """All pairs of videos that share footage, over at least half of the shorter one.

    Args:
        fingerprints: by the video's number, float [S, h, w]: its light at equal steps of time; one h and w for all.
        progress: is called with (moments done, moments).

    Raises:
        ShapeError: a fingerprint is not [S, h, w], or not finite.
    """
    _check(fingerprints)
    videos = sorted(fingerprints)
    owners, places, moments = _moments([fingerprints[video] for video in videos])
    shifts: dict[tuple[int, int, bool], set[int]] = {}
    for one, other, flip in _close(moments, progress):
        a, b = owners[one], owners[other]
        different = a != b
        if different.any():
            lists = (a[different], b[different], (places[one] - places[other])[different])
            for i, j, shift in zip(*(each.tolist() for each in lists), strict=True):
                shifts.setdefault((i, j, flip), set()).add(shift)
    best: dict[tuple[int, int], Pair] = {}
    for (i, j, flip), near in shifts.items():
        first, second = fingerprints[videos[i]], fingerprints[videos[j]]
        score, offset, overlap = _aligned(_flat(first), _flat(second[:, :, ::-1] if flip else second), near)
        if score >= needed(overlap) and ((i, j) not in best or best[i, j].score < score):
            best[i, j] = Pair(videos[i], videos[j], score, offset, overlap, flip)
    moving = set(owners.tolist())
    return Duplicates(
        tuple(sorted(best.values(), key=lambda pair: (-pair.score, pair.a, pair.b))),
        tuple(video for number, video in enumerate(videos) if number not in moving),
        len(owners),
    )


def needed(overlap: int) -> float:
    """The score that a pair must reach to be called the same footage, by the pictures that both share."""
    return THRESHOLD if overlap >= BRIEF else THRESHOLD_BRIEF


def groups(pairs: tuple[Pair, ...]) -> list[tuple[int, ...]]:
    """Connected components of the pairs, each group in order, the largest first."""
    home: dict[int, set[int]] = {}
    for pair in pairs:
        joined = home.get(pair.a, {pair.a}) | home.get(pair.b, {pair.b})
        home |= dict.fromkeys(joined, joined)
    distinct = {min(group): tuple(sorted(group)) for group in home.values()}
    return sorted(distinct.values(), key=lambda group: (-len(group), group))


def _check(fingerprints: Mapping[int, NDArray[np.floating]]) -> None:
    shapes = {light.shape[1:] for light in fingerprints.values()}
    if len(shapes) > 1 or any(light.ndim != 3 or 0 in light.shape for light in fingerprints.values()):
        raise ShapeError(f"Fingerprints are [S, h, w] with one h and w for all; got pictures of {sorted(shapes)}.")
    bad = [video for video, light in fingerprints.items() if not np.isfinite(light).all()]
    if bad:
        raise ShapeError(f"{len(bad)} of {len(fingerprints)} fingerprints are not finite, the first that of {bad[0]}.")


def _flat(light: NDArray[np.floating]) -> Picture:
    """[S, F], each picture less its mean light, so that a flash is no movement."""
    x = light.reshape(len(light), -1).astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    return x


def _moments(lights: list[NDArray[np.floating]]) -> tuple[NDArray[np.int64], NDArray[np.int64], Picture]:
    """The moments of all videos: owners [M], places [M], and how their pictures change [M, window, h, w]."""
    owners, places, moments = [], [], []
    for number, light in enumerate(lights):
        if len(light) < LEAST:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(_flat(light), _WINDOW, axis=0)
        moving = windows - windows.mean(axis=2, keepdims=True)
        strength = np.sqrt(np.square(moving).mean(axis=(1, 2)))
        for place in _peaks(strength, 3 + len(light) // 20):
            owners.append(number)
            places.append(place)
            moments.append(moving[place].T.reshape(_WINDOW, *light.shape[1:]))
    stacked = np.stack(moments) if moments else np.zeros((0, _WINDOW, 1, 1), dtype=np.float32)
    return np.array(owners, dtype=np.int64), np.array(places, dtype=np.int64), stacked


def _peaks(strength: NDArray[np.float32], most: int) -> list[int]:
    """Where the strength is greatest of all nearby, the strongest first."""
    chosen: list[int] = []
    for place in np.argsort(-strength, kind="stable").tolist():
        if strength[place] < MOVES or len(chosen) == most:
            break
        if all(abs(place - other) > _APART for other in chosen):
            chosen.append(place)
    return chosen


def _coarse(pictures: Picture) -> Picture:
    """[M, window, h, w] with every 2 x 2 fields as one, where they can be halved."""
    m, n, h, w = pictures.shape
    return pictures.reshape(m, n, h // 2, 2, w // 2, 2).mean(axis=(3, 5)) if h % 2 == 0 and w % 2 == 0 else pictures


def _unit(pictures: Picture) -> Picture:
    """Float32 [M, D], rows of unit length."""
    flat = pictures.reshape(len(pictures), math.prod(pictures.shape[1:]))
    unit: Picture = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return unit


def _close(
    moments: Picture, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], bool]]:
    """Numbers of similar moments, the first below the second, block by block; and whether one of them is mirrored.

    The product is that of the moments at half their width and height; its candidates are compared at full size.
    """
    total, turned = len(moments), moments[..., ::-1]
    sides = [(_unit(_coarse(x)), _unit(x), flip) for x, flip in ((moments, False), (turned, True))]
    coarse, full, _ = sides[0]
    for start in range(0, total, _BLOCK):
        for others, in_full, flip in sides:
            for begin in range(start, total, 8 * _BLOCK):
                scores = coarse[start : start + _BLOCK] @ others[begin : begin + 8 * _BLOCK].T
                one, two = np.nonzero(scores > NEAR)
                one, two = one + start, two + begin
                ordered = np.flatnonzero(one < two)
                for some in np.array_split(ordered, len(ordered) // _BLOCK + 1):
                    near = np.einsum("ij,ij->i", full[one[some]], in_full[two[some]]) > NEAR_IN_FULL
                    yield one[some][near], two[some][near], flip
        if progress is not None:
            progress(min(start + _BLOCK, total), total)


def _aligned(a: Picture, b: Picture, near: set[int]) -> tuple[float, float, int]:
    """The best score with its offset and overlap, at the offsets given and up to one picture beside them."""
    scores: dict[int, tuple[float, int]] = {2 * shift: _judged(a, b, 2 * shift) for shift in near}
    for half in [half for half, (score, _) in scores.items() if score > WORTH]:
        for beside in range(half - 2, half + 3):
            if beside not in scores:
                scores[beside] = _judged(a, b, beside)
    best = max(scores, key=lambda half: (scores[half][0] - needed(scores[half][1]), -abs(half), half))
    return scores[best][0], best / 2, scores[best][1]


def _judged(a: Picture, b: Picture, half: int) -> tuple[float, int]:
    """The score and the pictures shared when b begins ``half`` half pictures after a; (-1, 0) where too few are."""
    first, second = _shared(a, b, half // 2)
    if half % 2:
        # Half a picture further: both are smoothed equally, a to three quarters to its next picture, b to one quarter.
        first, second = 0.25 * first[:-1] + 0.75 * first[1:], 0.75 * second[:-1] + 0.25 * second[1:]
    enough = 2 * len(first) + half % 2 >= max(2 * LEAST - 1, min(len(a), len(b)))
    return (similarity(first, second), len(first)) if enough else (-1.0, 0)


def _shared(a: Picture, b: Picture, shift: int) -> tuple[Picture, Picture]:
    """The pictures of both that overlap when b begins ``shift`` pictures after a."""
    length = min(len(a) - max(shift, 0), len(b) - max(-shift, 0))
    first, second = max(shift, 0), max(-shift, 0)
    return a[first : first + max(length, 0)], b[second : second + max(length, 0)]


def similarity(a: Picture, b: Picture) -> float:
    """The smaller of two correlations, of the still part and of the motion.

    Motion is compared within windows of a second, each less its own mean picture; a window counts by how much moves in
    it, but none counts much more than any other. One cut, one flash or one torn picture thus changes one window only.
    Where the still parts differ, the motion is not compared.

    Args:
        a: [S, F], each picture less its mean light.
        b: the same of the other video.
    """
    first_mean, second_mean = a.mean(axis=0), b.mean(axis=0)
    blank = max(float(first_mean.std()), float(second_mean.std())) < _FLAT  # a blank picture has nothing that differs
    still = 1.0 if blank else _correlation(first_mean, second_mean)
    if still < WORTH:
        return still
    agreed, counted = 0.0, 0.0
    for start in (*range(0, max(len(a) - _SECOND, 0), _SECOND // 2), max(len(a) - _SECOND, 0)):
        first, second = (x[start : start + _SECOND] - x[start : start + _SECOND].mean(axis=0) for x in (a, b))
        strength = float(np.linalg.norm(first)) * float(np.linalg.norm(second)) / first.size
        weight = strength / (strength + MOVES**2)
        agreed, counted = agreed + weight * _correlation(first, second), counted + weight
    return min(still, agreed / counted if counted > 0 else 0.0)


def _correlation(a: Picture, b: Picture) -> float:
    product = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.vdot(a, b)) / product if product > 0 else 0.0
