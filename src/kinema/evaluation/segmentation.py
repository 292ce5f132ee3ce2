"""Activity segmentation without labels: clusters of frames, matched with steps that people marked.

Clusters have no names. One Hungarian match gives each cluster one class at most, and each class one cluster at most, so
that most frames are right; frames of a cluster without a class are wrong. Two scopes, whose figures are never put in
one column:

    full   one match an activity, over all its videos; frames pooled
    video  a match a video; every figure is the mean over videos (the 'per video' of ASOT), which is easier

Two presets of F1 by drawn frames, not comparable either (``drawn_f1``): 'cte' and 'asot'. The edit score and F1@k are
those of Lea et al. (2017), after the match, means over videos in both scopes.

Frames whose truth is background do not count: not for the match, MOF, F1 or mIoU. For the edit score and F1@k the time
line stays whole, and the segments of background are left out, as in the code of Lea et al.

Axes: N frames of several videos, T_i frames of video i, K clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation.segment_scores import F1_PRESETS, F1Preset, Labels, as_labels, drawn_f1, segment_scores

Scope = Literal["full", "video"]

SCOPES: tuple[Scope, ...] = ("full", "video")
"""What one match covers, by name."""

NOTHING = -1
"""A frame that a prediction leaves to no cluster."""


@dataclass(frozen=True)
class ClassFigures:
    """What became of one true class.

    Args:
        frames: how many frames it has.
        accuracy: the fraction of them that is right.
        iou: intersection over union with the frames predicted as it; 0 where no cluster is matched with it.
    """

    frames: int
    accuracy: float
    iou: float


@dataclass(frozen=True)
class VideoFigures:
    """What was measured in one video.

    Args:
        frames: how many frames count, background left out.
        metrics: 'mof', 'edit', 'f1@10', 'f1@25', 'f1@50', under the match of the scope; 'f1' and 'miou' too in scope
            'video'. Empty where all frames are background.
        match: class by cluster.
    """

    frames: int
    metrics: Mapping[str, float]
    match: Mapping[int, int]


@dataclass(frozen=True)
class SegmentationFigures:
    """What segmentation of one activity measured.

    Args:
        scope: 'full' or 'video'.
        preset: of 'f1': 'cte' or 'asot'.
        metrics: 'mof' (fraction of frames that are right), 'f1' (by drawn frames), 'edit', 'f1@10', 'f1@25', 'f1@50',
            'miou' (sum of the matched IoUs / true classes).
        match: class by cluster; empty in scope 'video', where each video has its own.
        per_class: by class, frames pooled over videos.
        per_video: in the order of the videos.
        frames: how many frames count, background left out.
        clusters: K.
        clusters_used: how many of the K clusters have a frame, background or not.
        largest_share: the fraction of all frames that the largest cluster takes; near 1, everything is one cluster.
    """

    scope: Scope
    preset: F1Preset
    metrics: Mapping[str, float]
    match: Mapping[int, int]
    per_class: Mapping[int, ClassFigures]
    per_video: tuple[VideoFigures, ...]
    frames: int
    clusters: int
    clusters_used: int
    largest_share: float


@dataclass(frozen=True)
class PooledFigures:
    """Figures of several activities as one.

    Args:
        scope: 'full' or 'video'.
        preset: of 'f1'.
        metrics: pooled, as ``pooled_figures`` says.
        means: the unweighted mean over activities of each metric.
        activities: their names.
        frames: how many frames count in all.
    """

    scope: Scope
    preset: F1Preset
    metrics: Mapping[str, float]
    means: Mapping[str, float]
    activities: tuple[str, ...]
    frames: int


@dataclass(frozen=True)
class _Video:
    predicted: Labels
    truth: Labels
    counts: NDArray[np.bool_]

    @property
    def frames(self) -> int:
        return int(self.counts.sum())


def match_clusters(
    predictions: NDArray[np.integer], truths: NDArray[np.integer], background: Collection[int] = ()
) -> dict[int, int]:
    """The match of clusters with classes, one to one, that makes most frames right.

    Clusters without a class and classes without a cluster remain where their numbers differ, and where a pair would
    share no frame. Equal matches are told apart by which cluster comes first in time, so that the numbers that
    clusters happen to have change nothing.

    Args:
        predictions: whole numbers [N], clusters, -1 for none; the frames of all videos, one after the other.
        truths: whole numbers [N], classes.
        background: classes whose frames do not count.

    Returns:
        Class by cluster.

    Raises:
        DataError: the lengths differ, there is no frame, or all frames are background.
        ShapeError: one of the two is no vector of whole numbers.
    """
    video = _video(predictions, truths, background, "The match")
    if not video.frames:
        raise _all_background(background)
    return _match(video.predicted[video.counts], video.truth[video.counts])


def as_classes(prediction: NDArray[np.integer], match: Mapping[int, int]) -> Labels:
    """Clusters by the classes they are matched with, int64 [T].

    Args:
        prediction: whole numbers [T], clusters, -1 for none.
        match: class by cluster.

    Returns:
        -1 where the prediction is -1, and -2 - c for a cluster c without a class: a class of its own that no truth has.
    """
    labels = as_labels(prediction, "The predictions")
    known, where = np.unique(labels, return_inverse=True)
    classes = [match.get(int(c), NOTHING if c == NOTHING else NOTHING - 1 - int(c)) for c in known]
    found: Labels = np.array(classes, dtype=np.int64)[where]
    return found


def segmentation_figures(
    predictions: Sequence[NDArray[np.integer]],
    truths: Sequence[NDArray[np.integer]],
    *,
    clusters: int,
    scope: Scope = "full",
    preset: F1Preset = "cte",
    background: Collection[int] = (),
    names: Sequence[str] = (),
    seed: int = 0,
) -> SegmentationFigures:
    """Compares the clusters of an activity's videos with the steps that people marked.

    Args:
        predictions: a vector of whole numbers [T_i] a video: clusters 0 … K - 1, -1 for a frame left to none. Where
            ``background`` is given, -1 is a prediction of background.
        truths: a vector of whole numbers [T_i] a video: classes from 0.
        clusters: K, how many there could be.
        scope: 'full' for one match over all videos, frames pooled; 'video' for a match a video and the mean over
            videos, those of background alone left out.
        preset: of 'f1', 'cte' or 'asot'.
        background: classes whose frames do not count.
        names: of the videos, for messages.
        seed: of the frames drawn for 'f1'.

    Raises:
        ConfigError: an unknown scope or preset, or ``clusters`` below 1.
        DataError: there are no videos or not as many of both, a video is empty or its lengths differ, a label is
            negative, a cluster is beyond K, or all frames are background; says of which video.
        ShapeError: what should be a vector of whole numbers is none.
    """
    _check_settings(scope, preset, clusters)
    videos = _videos(predictions, truths, clusters, background, names)
    if not any(video.frames for video in videos):
        raise _all_background(background)
    rng = np.random.default_rng(seed)
    left_out = (*background, NOTHING) if background else ()

    def measure(part: Sequence[_Video], match: Mapping[int, int]) -> dict[str, float]:
        predicted, truth = _classes(part, [match] * len(part))
        return {
            "mof": float((predicted == truth).mean()),
            "f1": drawn_f1(predicted, truth, preset=preset, videos=len(part), clusters=clusters, rng=rng),
            "miou": float(np.mean([figures.iou for figures in _per_class(predicted, truth).values()])),
        }

    together = _match(*_pooled(videos)) if scope == "full" else {}
    matches = [together if scope == "full" else _match(*_pooled([v])) if v.frames else {} for v in videos]
    per_video = []
    for video, match in zip(videos, matches, strict=True):
        metrics: dict[str, float] = {}
        if video.frames:
            classes = as_classes(video.predicted, match)
            metrics = {"mof": float((classes == video.truth)[video.counts].mean())}
            metrics |= measure([video], match) if scope == "video" else {}
            metrics |= segment_scores(classes, video.truth, left_out)
        per_video.append(VideoFigures(video.frames, metrics, match))
    means = _means([figures.metrics for figures in per_video if figures.metrics])
    metrics = means | (measure(videos, together) if scope == "full" else {})
    used = np.bincount(np.concatenate([video.predicted for video in videos]) + 1, minlength=clusters + 1)
    return SegmentationFigures(
        scope=scope,
        preset=preset,
        metrics={name: metrics[name] for name in ("mof", "f1", "edit", "f1@10", "f1@25", "f1@50", "miou")},
        match=together,
        per_class=_per_class(*_classes(videos, matches)),
        per_video=tuple(per_video),
        frames=sum(video.frames for video in videos),
        clusters=clusters,
        clusters_used=int((used[1:] > 0).sum()),
        largest_share=float(used[1:].max() / used.sum()),
    )


def pooled_figures(activities: Mapping[str, SegmentationFigures]) -> PooledFigures:
    """One figure a metric for a data set of several activities, each with a match and a model of its own.

    In scope 'full' as in the release of TOT, which has it from CTE: MOF is over the frames of all activities, mIoU over
    the classes of all, F1 the mean over activities; the edit score and F1@k, which it does not have, are means over
    activities too. In scope 'video' every figure is the mean over the videos of all activities. ASOT's release does one
    activity at a time; ``means`` has the unweighted mean over activities.

    Args:
        activities: the figures by activity.

    Raises:
        ConfigError: the activities were measured under different scopes or presets.
        DataError: there is none.
    """
    if not activities:
        raise DataError("There is no activity to pool.")
    kinds = {(figures.scope, figures.preset) for figures in activities.values()}
    if len(kinds) > 1:
        listed = ", ".join(f"scope '{scope}' with preset '{preset}'" for scope, preset in sorted(kinds))
        raise ConfigError(
            f"The activities were measured in different ways ({listed}); their figures are not comparable.",
            "Measure all of them under one scope and one preset.",
        )
    parts = list(activities.values())
    scope, preset = kinds.pop()
    means = _means([figures.metrics for figures in parts])
    metrics = dict(means)
    if scope == "full":
        metrics["mof"] = float(np.average([p.metrics["mof"] for p in parts], weights=[p.frames for p in parts]))
        metrics["miou"] = float(
            np.average([p.metrics["miou"] for p in parts], weights=[len(p.per_class) for p in parts])
        )
    else:
        metrics = _means([video.metrics for p in parts for video in p.per_video if video.metrics])
        metrics = {name: metrics[name] for name in means}
    return PooledFigures(scope, preset, metrics, means, tuple(activities), sum(p.frames for p in parts))


def _match(predicted: Labels, truth: Labels) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment  # a search, which measures nothing, does without it

    known = predicted != NOTHING
    predicted, truth = predicted[known], truth[known]
    numbers, first, cluster = np.unique(predicted, return_index=True, return_inverse=True)
    classes, column = np.unique(truth, return_inverse=True)
    place = np.argsort(np.argsort(first))  # clusters by which comes first in time, not by their numbers
    table = np.bincount(place[cluster] * len(classes) + column, minlength=len(numbers) * len(classes))
    table = table.reshape(len(numbers), len(classes))
    rows, columns = linear_sum_assignment(table, maximize=True)
    in_time = numbers[np.argsort(first)]
    return {int(in_time[row]): int(classes[col]) for row, col in zip(rows, columns, strict=True) if table[row, col] > 0}


def _pooled(videos: Sequence[_Video]) -> tuple[Labels, Labels]:
    """The frames that count, one video after the other."""
    return (
        np.concatenate([video.predicted[video.counts] for video in videos]),
        np.concatenate([video.truth[video.counts] for video in videos]),
    )


def _classes(videos: Sequence[_Video], matches: Sequence[Mapping[int, int]]) -> tuple[Labels, Labels]:
    """The frames that count by predicted and by true class."""
    predicted = [as_classes(v.predicted, match)[v.counts] for v, match in zip(videos, matches, strict=True)]
    return np.concatenate(predicted), np.concatenate([v.truth[v.counts] for v in videos])


def _per_class(predicted: Labels, truth: Labels) -> dict[int, ClassFigures]:
    classes, counts = np.unique(truth, return_counts=True)
    right = np.array([(predicted[truth == c] == c).sum() for c in classes])
    named = np.array([(predicted == c).sum() for c in classes])
    return {
        int(c): ClassFigures(int(n), float(r / n), float(r / (n + m - r)))
        for c, n, r, m in zip(classes, counts, right, named, strict=True)
    }


def _means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in metrics])) for name in metrics[0]}


def _check_settings(scope: str, preset: str, clusters: int) -> None:
    if scope not in SCOPES:
        raise ConfigError(f"There is no scope '{scope}' of segmentation; there are: {', '.join(SCOPES)}.")
    if preset not in F1_PRESETS:
        raise ConfigError(f"There is no F1 preset '{preset}'; there are: {', '.join(F1_PRESETS)}.")
    if clusters < 1:
        raise ConfigError(f"The number of clusters is {clusters}; it must be at least 1.")


def _videos(
    predictions: Sequence[object],
    truths: Sequence[object],
    clusters: int,
    background: Collection[int],
    names: Sequence[str],
) -> list[_Video]:
    if len(predictions) != len(truths) or (names and len(names) != len(truths)):
        named = f" and {len(names)} names" if names else ""
        raise DataError(f"There are {len(predictions)} videos with predictions, {len(truths)} with labels{named}.")
    if not len(truths):
        raise DataError("There are no videos to compare.", "Give one vector of predictions and one of labels a video.")
    videos = []
    for number, (predicted, truth) in enumerate(zip(predictions, truths, strict=True)):
        name = f"Video '{names[number]}'" if names else f"Video {number}"
        video = _video(predicted, truth, background, name)
        if video.predicted.max() >= clusters:
            raise DataError(f"{name} has a frame in cluster {video.predicted.max()}; {clusters} clusters begin at 0.")
        videos.append(video)
    return videos


def _video(predicted: object, truth: object, background: Collection[int], name: str) -> _Video:
    try:
        a, b = as_labels(predicted, "its predictions"), as_labels(truth, "its true labels")
    except (DataError, ShapeError) as error:
        raise type(error)(f"{name}: {error.message}", error.hint) from None
    if len(a) != len(b):
        raise DataError(
            f"{name} has {len(a)} predicted frames and {len(b)} true labels.",
            "Give one of both a frame, at one frame rate.",
        )
    if a.min() < NOTHING or b.min() < 0:
        what, value = ("true label", b.min()) if b.min() < 0 else ("predicted cluster", a.min())
        raise DataError(
            f"{name} has the {what} {value}; labels begin at 0.",
            "Name classes that do not count as background; -1 is for predictions alone, a frame left to no cluster.",
        )
    return _Video(a, b, ~np.isin(b, list(background)))


def _all_background(background: Collection[int]) -> DataError:
    listed = ", ".join(map(str, sorted(background)))
    return DataError(
        f"All frames of all videos are background ({listed}); there is no step to find.",
        "Name fewer classes as background.",
    )
