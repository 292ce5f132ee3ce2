"""A few queries and their nearest clips as frames, so that a person can judge with their own eyes."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from kinema.core.errors import KinemaError, UsageError
from kinema.core.plurals import counted
from kinema.reporting.report import Query, Report, Row, Strip

HEIGHT, SHOWN, QUALITY = 72, 4, 72
"""Pixels of a strip's height, frames in a strip, JPEG quality."""


def with_strips(report: Report, frames: Callable[[str], list[np.ndarray]], queries: int = 4) -> Report:
    """The report with strips of frames for the encoder in question and for what it is held against.

    The queries are spaced evenly over the list of those that were stored of both encoders, so nobody picks them.
    Where they have none in common, the encoder in question is shown alone.

    Args:
        report: from :func:`kinema.reporting.collect`.
        frames: gives a few frames of the video of a path, each uint8 [H, W, 3]; four are shown, evenly spaced. A
            video for which it raises an error of ours is shown as a note.
        queries: how many queries to show.

    Raises:
        UsageError: ``queries`` is below 1.
    """
    if queries < 1:
        raise UsageError(f"queries is {queries}; at least one query is needed for strips.")
    shown = _rows(report)
    if not shown:
        return report
    common = [q.query for q in shown[0].main.neighbours]
    for row in shown[1:]:
        stored = {q.query for q in row.main.neighbours}
        common = [query for query in common if query in stored]
    if not common:
        shown, common = shown[:1], [q.query for q in shown[0].main.neighbours]
    chosen = evenly(common, queries)
    strips = tuple(Strip(row.encoder, row.view, _query(row, name)) for name in chosen for row in shown)
    paths = {strip.query.query for strip in strips} | {hit.path for strip in strips for hit in strip.query.hits}
    images: dict[str, str] = {}
    undrawn: dict[str, str] = {}
    for path in sorted(paths):
        try:
            images[path] = draw(frames(path))
        except KinemaError as error:
            undrawn[path] = error.message
    rule = f"{len(chosen)} of {counted(len(common), 'queries')}, evenly spaced over their list; nobody picked them."
    return replace(report, strips=strips, strip_rule=rule, images=images, undrawn=undrawn)


def evenly(items: Sequence[str], count: int) -> list[str]:
    """At most ``count`` of the items, evenly spaced: the middle ones of as many equal parts."""
    count = min(count, len(items))
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]


def draw(frames: Sequence[np.ndarray]) -> str:
    """A few of the frames, uint8 [H, W, 3] each, side by side as a JPEG in a data URI.

    Raises:
        UsageError: there is no frame, or one is not uint8 [H, W, 3].
    """
    if not frames:
        raise UsageError("A strip needs at least one frame; there was none.")
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise UsageError(f"A frame is {frame.dtype} {frame.shape}; expected uint8 [H, W, 3].")
    places = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).round().astype(int)
    images = [Image.fromarray(np.ascontiguousarray(frames[place])) for place in places]
    sizes = [(max(1, round(image.width * HEIGHT / image.height)), HEIGHT) for image in images]
    strip = Image.new("RGB", (sum(width for width, _ in sizes) + len(sizes) - 1, HEIGHT), "white")
    left = 0
    for image, size in zip(images, sizes, strict=True):
        strip.paste(image.resize(size, Image.Resampling.LANCZOS), (left, 0))
        left += size[0] + 1
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _rows(report: Report) -> list[Row]:
    """The row of the encoder in question and that of its baseline, as far as their neighbours were stored."""
    answer = report.headline
    found = []
    for encoder in (answer.candidate, answer.baseline):
        for row in report.leading_rows():
            if (row.encoder, row.view, row.settings) == (encoder, answer.view, answer.settings) and row.main.neighbours:
                found.append(row)
                break
    return found


def _query(row: Row, name: str) -> Query:
    return next(query for query in row.main.neighbours if query.query == name)
