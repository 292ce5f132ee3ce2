"""Windows of different videos with nearly the same embedding.

This does not prove that they are the same footage: an encoder of motion may embed two takes of one action as closely.
The pairs are candidates, which :mod:`kinema.api.copies` then compares frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError
from kinema.searching import database
from kinema.searching.layout import VIDEOS, check_layout
from kinema.searching.schema import vectors_in

MAX_WINDOWS, MAX_PAIRS = 200_000, 100_000
"""Windows that are compared, all with all, at most; pairs of videos that are returned at most."""


@dataclass(frozen=True)
class NearDuplicate:
    """The two nearest windows of two videos.

    Args:
        a: path of the first video.
        start_a: start of its window, in seconds.
        end_a: end of its window.
        b: path of the second video.
        start_b: start of its window.
        end_b: end of its window.
        score: cosine similarity of the two windows.
    """

    a: str
    start_a: float
    end_a: float
    b: str
    start_b: float
    end_b: float
    score: float


def near_duplicates(uri: str, *, threshold: float = 0.95) -> tuple[NearDuplicate, ...]:
    """Pairs of videos with near-duplicate windows, most similar first; each with its two nearest windows.

    Args:
        uri: of the table.
        threshold: the smallest cosine similarity.

    Raises:
        UsageError: ``threshold`` is not above 0 and at most 1.
        DataError: there is no table, it holds documents, or has more than ``MAX_WINDOWS`` windows.
        StorageError: it cannot be read.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"The least score is {threshold}; it must be above 0 and at most 1.")
    table = database.require_table(uri)
    check_layout(table, VIDEOS, uri, "Finding footage twice")
    with database.storage_errors(uri):
        count = table.count_rows("kind = 'window'")
        if count > MAX_WINDOWS:
            raise DataError(
                f"The table has {count} windows; comparing all with all is done up to {MAX_WINDOWS}.",
                "Embed with a longer window and stride, or look with `kinema dedupe VIDEOS`.",
            )
        query = table.search().where("kind = 'window'").select(["video", "start", "end", "vector"])
        windows = query.to_arrow().sort_by([("video", "ascending"), ("start", "ascending")])
    names, starts, ends = (windows[name].to_pylist() for name in ("video", "start", "end"))
    best = _nearest_pairs(vectors_in(windows), names, threshold)
    found = [
        NearDuplicate(a, starts[i], ends[i], b, starts[j], ends[j], score) for (a, b), (score, i, j) in best.items()
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.score, pair.a, pair.b)))


def _nearest_pairs(
    vectors: NDArray[np.float32], names: list[str], threshold: float
) -> dict[tuple[str, str], tuple[float, int, int]]:
    """The highest cosine, from ``threshold`` on, of each pair of videos, with its two rows, sorted by video."""
    first = np.flatnonzero([number == 0 or names[number - 1] != name for number, name in enumerate(names)])
    last = [*first[1:].tolist(), len(names)]
    best: dict[tuple[str, str], tuple[float, int, int]] = {}
    for at, (begin, end) in enumerate(zip(first.tolist(), last, strict=True)):
        if end == len(names):
            break
        scores = vectors[begin:end] @ vectors[end:].T
        columns = scores.max(axis=0)
        peaks = np.maximum.reduceat(columns, first[at + 1 :] - end)
        for other in np.flatnonzero(peaks >= threshold).tolist():
            here = slice(first[at + 1 + other] - end, last[at + 1 + other] - end)
            column = int(here.start + columns[here].argmax())
            row = int(scores[:, column].argmax())
            pair = (names[begin], names[end + column])
            best[pair] = (min(1.0, float(peaks[other])), begin + row, end + column)
        if len(best) > MAX_PAIRS:
            raise DataError(
                f"More than {MAX_PAIRS} pairs of videos reach a score of {threshold:g}: "
                "the encoder distinguishes too little.",
                "Ask for a higher --score, or look with `kinema dedupe VIDEOS`.",
            )
    return best


def videos_of(uri: str) -> dict[str, dict[str, Any]]:
    """Label, source and split of a table's videos, by path."""
    table = database.require_table(uri)
    with database.storage_errors(uri):
        windows = table.search().where("kind = 'video'").select(["video", "label", "source", "split"]).to_arrow()
    return {row.pop("video"): row for row in windows.to_pylist()}
