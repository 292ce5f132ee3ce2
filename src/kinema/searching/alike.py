"""Stretches of different videos that the encoder holds for nearly the same.

That is no proof of one footage: two takes of one act may be as near to an encoder of motion. It is where to look, and
what :mod:`kinema.api.copies` then compares picture by picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError
from kinema.searching import place
from kinema.searching.layout import VIDEOS, check_layout
from kinema.searching.schema import vectors_in

MANY, MOST = 200_000, 100_000
"""Windows above which comparing all with all takes too long; pairs of videos above which nobody would look at them."""


@dataclass(frozen=True)
class Alike:
    """The two nearest windows of two videos.

    Args:
        a: path of the one.
        start_a: when its window begins, in seconds.
        end_a: when it ends.
        b: path of the other.
        start_b: when its window begins.
        end_b: when it ends.
        score: their cosine.
    """

    a: str
    start_a: float
    end_a: float
    b: str
    start_b: float
    end_b: float
    score: float


def alike(uri: str, *, least: float = 0.95) -> tuple[Alike, ...]:
    """Every pair of videos with windows of at least this cosine, by their nearest two, the nearest pair first.

    Args:
        uri: of the table.
        least: the cosine.

    Raises:
        UsageError: ``least`` is no cosine above 0.
        DataError: there is no table, it holds documents, or more than ``MANY`` windows are in it.
        StorageError: it cannot be read.
    """
    if not 0 < least <= 1:
        raise UsageError(f"The least score is {least}; it must be above 0 and at most 1.")
    table = place.need_table(uri)
    check_layout(table, VIDEOS, uri, "Finding footage twice")
    with place.telling(uri):
        count = table.count_rows("kind = 'window'")
        if count > MANY:
            raise DataError(
                f"The table has {count} windows; comparing all with all is done up to {MANY}.",
                "Embed with a longer window and stride, or look with `kinema duplicates VIDEOS`.",
            )
        query = table.search().where("kind = 'window'").select(["video", "start", "end", "vector"])
        held = query.to_arrow().sort_by([("video", "ascending"), ("start", "ascending")])
    names, starts, ends = (held[name].to_pylist() for name in ("video", "start", "end"))
    best = _nearest_pairs(vectors_in(held), names, least)
    found = [Alike(a, starts[i], ends[i], b, starts[j], ends[j], score) for (a, b), (score, i, j) in best.items()]
    return tuple(sorted(found, key=lambda pair: (-pair.score, pair.a, pair.b)))


def _nearest_pairs(
    vectors: NDArray[np.float32], names: list[str], least: float
) -> dict[tuple[str, str], tuple[float, int, int]]:
    """For each pair of videos the highest cosine of at least ``least``, with its two rows; rows lie video by video."""
    first = np.flatnonzero([number == 0 or names[number - 1] != name for number, name in enumerate(names)])
    last = [*first[1:].tolist(), len(names)]
    best: dict[tuple[str, str], tuple[float, int, int]] = {}
    for at, (begin, end) in enumerate(zip(first.tolist(), last, strict=True)):
        if end == len(names):
            break
        scores = vectors[begin:end] @ vectors[end:].T
        columns = scores.max(axis=0)
        peaks = np.maximum.reduceat(columns, first[at + 1 :] - end)
        for other in np.flatnonzero(peaks >= least).tolist():
            here = slice(first[at + 1 + other] - end, last[at + 1 + other] - end)
            column = int(here.start + columns[here].argmax())
            row = int(scores[:, column].argmax())
            pair = (names[begin], names[end + column])
            best[pair] = (min(1.0, float(peaks[other])), begin + row, end + column)
        if len(best) > MOST:
            raise DataError(
                f"More than {MOST} pairs of videos reach a score of {least:g}: the encoder tells too little apart.",
                "Ask for a higher --score, or look with `kinema duplicates VIDEOS`.",
            )
    return best


def videos_of(uri: str) -> dict[str, dict[str, Any]]:
    """What a table says of its videos, by path: label, source and split."""
    table = place.need_table(uri)
    with place.telling(uri):
        held = table.search().where("kind = 'video'").select(["video", "label", "source", "split"]).to_arrow()
    return {row.pop("video"): row for row in held.to_pylist()}
