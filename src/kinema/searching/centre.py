"""Where the embeddings of an archive lie on average, which is subtracted before two of them are compared.

Features that come out of a rectifier all point about the same way: between any two videos the cosine is then .9 and
more, and says little. From the mean they point apart (as in the preset 'coclr' of retrieval, Han et al. 2020). A table
keeps the centre that it began with, so that what is added later can be compared with what was there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from kinema.core.clips import RawClips
from kinema.core.errors import DataError, VideoError
from kinema.core.progress import Progress
from kinema.data.clips.reader import Model
from kinema.data.video.hearing import sound_missing
from kinema.data.video.manifest import Manifest
from kinema.searching.ahead import ahead
from kinema.searching.encode import clip_starts
from kinema.searching.listening import clip_chunks
from kinema.searching.reading import Chunk, alike, together
from kinema.searching.windows import WindowSpec, rate_of

Item = TypeVar("Item")
MOST, FEWEST, SHARE = 200, 32, 20
"""Clips that the centre is the mean of, one of ``SHARE`` of the archive's within these bounds; of fewer than the second
it would be what they show, and there is none."""


def find_centre(
    model: Model,
    manifest: Manifest,
    windows: WindowSpec,
    *,
    workers: int,
    batch_size: int = 32,
    device: str | None,
    told: Progress,
) -> Tensor | None:
    """The mean feature of some clips, spread over all videos and over each of them.

    Args:
        model: the encoder.
        manifest: the videos.
        windows: how they are cut.
        workers: threads that read; their number changes nothing.
        batch_size: clips at a time; those that follow one another and are of one size are encoded together.
        device: where to compute.
        told: hears how many clips are done, of how many.

    Returns:
        Float64 [dim]; None where there are fewer than ``FEWEST`` clips that can be read.
    """

    def reading(row: int, start: int) -> Callable[[], Iterator[Chunk]]:
        return lambda: clip_chunks(model, manifest.file(row), manifest.videos[row], [start])

    def clips(places: Sequence[tuple[int, int]]) -> Iterator[RawClips]:
        told(0, len(places))
        for done, chunks in enumerate(ahead([reading(*place) for place in places], workers=workers), 1):
            read: list[RawClips] = []
            with contextlib.suppress(VideoError, DataError):  # they are named where the video is embedded
                read += [chunk.raw for chunk in chunks if chunk.raw is not None]
            yield from read
            told(done, len(places))

    features: list[Tensor] = []
    for share in (SHARE, 1):  # where so many cannot be read that too few are left, more are
        if len(features) < FEWEST:
            places = _places(model, manifest, windows, share)
            batches = _batches(clips(places), batch_size) if len(places) >= FEWEST else ()
            features = [each for batch in batches for each in model.encode_clips(batch, device=device)]
    if len(features) < FEWEST:
        return None
    centre = torch.stack(features).double().mean(0)
    return centre if bool(torch.isfinite(centre).all()) else None


def _batches(clips: Iterator[RawClips], most: int) -> Iterator[RawClips]:
    """Clips that follow one another and are of one shape, together; at most so many."""
    waiting: list[RawClips] = []
    for raw in clips:
        if waiting and (len(waiting) == most or not alike(waiting[0], raw)):
            yield together(waiting)
            waiting = []
        waiting.append(raw)
    if waiting:
        yield together(waiting)


def _places(model: Model, manifest: Manifest, windows: WindowSpec, share: int) -> list[tuple[int, int]]:
    """(row, first frame) of one clip in ``share``: the same for the same videos, whoever asks and whenever."""

    def starts_of(row: int) -> tuple[int, ...]:
        video = manifest.videos[row]
        starts = clip_starts(windows.cut(video.frames, rate_of(video), model.clip), model.clip)
        return starts if video.health == "ok" else starts[:1]  # a damaged file is read from its beginning

    readable = [
        row
        for row, video in enumerate(manifest.videos)
        if video.health != "unreadable" and video.frames > 0 and not (model.hears is not None and sound_missing(video))
    ]
    clips = sum(len(starts_of(row)) for row in readable)
    most = how_many(clips, share)
    return chosen({row: starts_of(row) for row in spread(readable, most)}, most)


def how_many(parts: int, share: int = SHARE) -> int:
    """Parts that the centre is the mean of, where the archive has so many and one in ``share`` is taken."""
    return min(MOST, max(FEWEST, parts // share))


def chosen(of: Mapping[int, Sequence[Item]], most: int) -> list[tuple[int, Item]]:
    """So many parts at most, spread over the rows and over each of them.

    Args:
        of: the parts of each row.
        most: how many.
    """
    enough = min(most, sum(map(len, of.values())))
    # Rows of few parts leave more to the others.
    each = next(n for n in range(most + 1) if sum(min(n, len(parts)) for parts in of.values()) >= enough)
    return spread([(row, part) for row, parts in of.items() for part in spread(parts, each)], most)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """So many of them, evenly along the sequence, each in the middle of its part."""
    count = min(most, len(items))
    return [items[int(at)] for at in (np.arange(count) + 0.5) * len(items) / max(1, count)]
