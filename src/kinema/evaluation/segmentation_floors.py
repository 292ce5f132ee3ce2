"""What stands beside every figure of segmentation: the uniform split and k-means, which nothing has to be learnt for.

Where steps have one order, cutting each video into K equal parts beats k-means, and a method that does not beat it has
found nothing.

Axes: T_i frames of video i, F features, K clusters.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError

Labels = NDArray[np.int64]
Floats = NDArray[np.floating]

FITTED = 50_000
"""K-means is fitted to at most so many frames, drawn at random from all; every frame then gets its nearest centre."""

VALUES = 1 << 25
"""And to at most so many values, where features are wide; 256 MB."""

STARTS = 5
"""How often k-means starts anew; the best is taken."""

CHUNK = 1 << 22
"""Values of features looked at at a time, so that memory stays small."""


def uniform_split(lengths: Sequence[int], clusters: int) -> list[Labels]:
    """Each video in K equal parts, int64 [T_i] a video: frame t is of part floor(t K / T_i).

    Args:
        lengths: T_i, frames a video.
        clusters: K; a video of fewer frames lacks some parts.

    Raises:
        ConfigError: ``clusters`` is below 1.
        DataError: there is no video, or one without frames.
    """
    _check_clusters(clusters)
    if not len(lengths):
        raise DataError("There are no videos to split.")
    empty = [number for number, length in enumerate(lengths) if length < 1]
    if empty:
        raise DataError(f"Video {empty[0]} has {lengths[empty[0]]} frames; it cannot be split.")
    return [np.arange(length, dtype=np.int64) * clusters // length for length in lengths]


def kmeans_segments(
    features: Sequence[Floats], clusters: int, *, time_weight: float = 0.0, seed: int = 0
) -> list[Labels]:
    """K-means on the frames of all videos, int64 [T_i] a video.

    Memory does not grow with the number of frames: centres are fitted to at most 50,000 of them, fewer where F is above
    671, drawn at random.

    Args:
        features: float [T_i, F] a video.
        clusters: K.
        time_weight: how much the relative time (0 at a video's first frame, 1 at its last) weighs: at 1 it has the
            variance of all features together, at 0 it is left out.
        seed: of the draw and of the starts.

    Raises:
        ConfigError: ``clusters`` is below 1, or ``time_weight`` is negative or not finite.
        DataError: there is no video, one without frames, or fewer frames in all than clusters.
        ShapeError: features are not [T_i, F] with one F, or not finite; says of which video.
    """
    from sklearn.cluster import KMeans  # a search, which measures nothing, does without it

    _check_clusters(clusters)
    if not (np.isfinite(time_weight) and time_weight >= 0):
        raise ConfigError(f"The weight of time is {time_weight}; it must be finite and not negative.")
    _check_features(features)
    ends = np.cumsum([len(video) for video in features])
    total = int(ends[-1])
    if total < clusters:
        raise DataError(f"There are {total} frames for {clusters} clusters.", "Ask for fewer clusters.")
    rng = np.random.default_rng(seed)
    fitted = min(total, FITTED, max(clusters, VALUES // features[0].shape[1]))
    drawn = np.sort(rng.choice(total, fitted, replace=False))
    borders = np.searchsorted(drawn, np.concatenate(([0], ends)))
    picked = [drawn[borders[i] : borders[i + 1]] - (ends[i] - len(video)) for i, video in enumerate(features)]
    sample = np.concatenate([video[rows] for video, rows in zip(features, picked, strict=True)]).astype(np.float64)
    scale = time_weight * float(np.sqrt(sample.var(0).sum()) * np.sqrt(12))  # of a time spread evenly from 0 to 1
    if scale:
        when = np.concatenate([_time(len(v))[rows] for v, rows in zip(features, picked, strict=True)])
        sample = np.column_stack([sample, scale * when])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct frames than clusters
        model = KMeans(clusters, n_init=STARTS, random_state=int(rng.integers(2**31))).fit(sample)
    return [_nearest(video, model, scale) for video in features]


def _nearest(video: Floats, model: Any, scale: float) -> Labels:
    when, parts = scale * _time(len(video)), []
    for part in _parts(video):
        rows = video[part].astype(np.float64)
        rows = np.column_stack([rows, when[part]]) if scale else rows
        parts.append(np.asarray(model.predict(rows), dtype=np.int64))
    return np.concatenate(parts)


def _parts(video: Floats) -> Iterator[slice]:
    rows = max(1, CHUNK // video.shape[1])
    return (slice(start, start + rows) for start in range(0, len(video), rows))


def _time(length: int) -> NDArray[np.float64]:
    return np.arange(length) / max(length - 1, 1)


def _check_clusters(clusters: int) -> None:
    if clusters < 1:
        raise ConfigError(f"The number of clusters is {clusters}; it must be at least 1.")


def _check_features(features: Sequence[Floats]) -> None:
    if not len(features):
        raise DataError("There are no videos to cluster.")
    width = features[0].shape[-1] if np.ndim(features[0]) == 2 else 0
    for number, video in enumerate(features):
        if np.ndim(video) != 2 or video.shape[1] != width or width == 0:
            raise ShapeError(f"The features of video {number} are {np.shape(video)}; expected [T, {width or 'F'}].")
        if len(video) == 0:
            raise DataError(f"Video {number} has no frames.", "Leave videos without frames out.")
        if not all(np.isfinite(video[part]).all() for part in _parts(video)):
            raise ShapeError(f"Features of video {number} are not finite.")
