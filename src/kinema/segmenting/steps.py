"""From the step of each moment to segments, numbered steps and their most typical clips."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.segmenting.features import Moments
from kinema.segmenting.segmentation import Segment, SegmentedVideo, Step, Typical

TYPICAL = 3
"""Clips that show a step."""
AROUND = 1.0
"""Seconds before and after a typical moment that its clip takes in."""


@dataclass(frozen=True)
class Found:
    """What was found in one video.

    Args:
        path: the video.
        moments: of it.
        steps: int64 [T], the cluster of each moment; -1 for none.
        embeddings: float32 [T, d], of unit length or not.
    """

    path: str
    moments: Moments
    steps: NDArray[np.int64]
    embeddings: NDArray[np.float32]


def in_order(found: Sequence[Found], clusters: int) -> dict[int, int]:
    """The number of each cluster that has a moment, from 1: in the order in which they come, on average.

    Args:
        found: of every video.
        clusters: K.
    """
    places, counts = np.zeros(clusters), np.zeros(clusters)
    for each in found:
        kept = each.steps >= 0
        place = (np.arange(len(each.steps)) + 0.5) / len(each.steps)
        np.add.at(places, each.steps[kept], place[kept])
        np.add.at(counts, each.steps[kept], 1)
    there = np.flatnonzero(counts)
    ordered = there[np.argsort(places[there] / counts[there], kind="stable")]
    return {int(cluster): number for number, cluster in enumerate(ordered, 1)}


def segments_of(found: Found, numbers: Mapping[int, int]) -> SegmentedVideo:
    """The segments of a video: moments of one step that follow one another.

    Args:
        found: its moments.
        numbers: of the steps, by cluster.
    """
    borders = [0, *(np.flatnonzero(np.diff(found.steps)) + 1).tolist(), len(found.steps)]
    segments = []
    for first, end in itertools.pairwise(borders):
        cluster = int(found.steps[first])
        start, until = found.moments.start(first), found.moments.start(end)
        if cluster >= 0 and until - start >= 1e-3:
            segments.append(Segment(round(start, 6), round(until, 6), numbers[cluster]))
    return SegmentedVideo(found.path, round(found.moments.duration, 6), tuple(segments))


def steps_of(found: Sequence[Found], numbers: Mapping[int, int]) -> tuple[Step, ...]:
    """The steps with how long each is seen, and the clips that are most like the mean of all its moments.

    Args:
        found: of every video.
        numbers: of the steps, by cluster.
    """
    made = []
    for cluster, number in sorted(numbers.items(), key=lambda item: item[1]):
        seconds = sum(
            each.moments.start(int(i) + 1) - each.moments.start(int(i))
            for each in found
            for i in np.flatnonzero(each.steps == cluster)
        )
        made.append(Step(number, typical=_typical(found, cluster), seconds=round(seconds, 3)))
    return tuple(made)


def _typical(found: Sequence[Found], cluster: int) -> tuple[Typical, ...]:
    """The clips around the moments nearest to the step's mean, each of another video as long as there are any."""
    there = [(each, np.flatnonzero(each.steps == cluster)) for each in found]
    unit = [_unit(each.embeddings[moments]) for each, moments in there]
    mean = np.concatenate(unit).mean(axis=0)
    best = []
    for (each, moments), vectors in zip(there, unit, strict=True):
        if len(moments):
            likeness = vectors @ mean
            at = int(likeness.argmax())
            best.append((float(likeness[at]), each, int(moments[at])))
    best.sort(key=lambda item: (-item[0], item[1].path))
    return tuple(_clip(each, moment, cluster) for _, each, moment in best[:TYPICAL])


def _clip(found: Found, moment: int, cluster: int) -> Typical:
    middle = (found.moments.start(moment) + found.moments.start(moment + 1)) / 2
    start, end = max(0.0, middle - AROUND), min(found.moments.duration, middle + AROUND)
    first, last = (
        int(start * found.moments.rate),
        max(int(start * found.moments.rate) + 1, int(end * found.moments.rate)),
    )
    share = float((found.steps[first:last] == cluster).mean())
    return Typical(found.path, round(start, 3), round(max(end, start + 0.002), 3), round(share, 3))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    found: NDArray[np.float64] = vectors / np.maximum(lengths, 1e-12)
    return found
