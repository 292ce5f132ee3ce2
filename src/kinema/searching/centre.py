"""The mean embedding of an archive, which is subtracted before two embeddings are compared.

Features after a ReLU all point in about the same direction: the cosine of any two videos is then .9 or more, and says
little. Subtracting the mean spreads the directions (as in the preset 'coclr' of retrieval, Han et al. 2020). A table
keeps its first centre, so that later rows remain comparable with earlier ones.
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
from kinema.data.video.timeline import Timeline, rate_of
from kinema.searching.audio import clip_chunks
from kinema.searching.encode import clip_starts
from kinema.searching.prefetch import prefetch
from kinema.searching.reading import Chunk, concat_clips, same_shape
from kinema.searching.windows import WindowSpec

Item = TypeVar("Item")
MAX_CLIPS, MIN_CLIPS, SHARE = 200, 32, 20
"""The centre is the mean of one in ``SHARE`` clips of the archive, at most ``MAX_CLIPS`` and at least ``MIN_CLIPS``. Of
fewer clips it would depend on what they show, so there is no centre."""


def find_centre(
    model: Model,
    manifest: Manifest,
    windows: WindowSpec,
    *,
    workers: int,
    batch_size: int = 32,
    device: str | None,
    progress: Progress,
) -> Tensor | None:
    """The mean feature of some clips, spread over all videos and over each of them.

    Args:
        model: the encoder.
        manifest: the videos.
        windows: how they are cut.
        workers: threads that read; their number does not change the result.
        batch_size: clips at a time; consecutive clips of one size share a batch.
        device: where to compute.
        progress: is called with (clips done, clips).

    Returns:
        Float64 [dim]; None where fewer than ``MIN_CLIPS`` clips can be read.
    """

    def reading(row: int, start: int) -> Callable[[], Iterator[Chunk]]:
        return lambda: clip_chunks(model, manifest.file(row), manifest.videos[row], [start])

    def clips(places: Sequence[tuple[int, int]]) -> Iterator[RawClips]:
        progress(0, len(places))
        for done, chunks in enumerate(prefetch([reading(*place) for place in places], workers=workers), 1):
            read: list[RawClips] = []
            with contextlib.suppress(VideoError, DataError):  # they are reported when the video is embedded
                read += [chunk.raw for chunk in chunks if chunk.raw is not None]
            yield from read
            progress(done, len(places))

    features: list[Tensor] = []
    for share in (SHARE, 1):  # reads all clips where too few of the first could be read
        if len(features) < MIN_CLIPS:
            places = _places(model, manifest, windows, share)
            batches = _batches(clips(places), batch_size) if len(places) >= MIN_CLIPS else ()
            features = [each for batch in batches for each in model.encode_clips(batch, device=device)]
    if len(features) < MIN_CLIPS:
        return None
    centre = torch.stack(features).double().mean(0)
    return centre if bool(torch.isfinite(centre).all()) else None


def _batches(clips: Iterator[RawClips], most: int) -> Iterator[RawClips]:
    """Batches of consecutive clips of one shape, at most ``most`` each."""
    pending: list[RawClips] = []
    for raw in clips:
        if pending and (len(pending) == most or not same_shape(pending[0], raw)):
            yield concat_clips(pending)
            pending = []
        pending.append(raw)
    if pending:
        yield concat_clips(pending)


def _places(model: Model, manifest: Manifest, windows: WindowSpec, share: int) -> list[tuple[int, int]]:
    """(row, first frame) of one clip in ``share``; a function of the videos alone."""

    def starts_of(row: int) -> tuple[int, ...]:
        video = manifest.videos[row]
        times = Timeline.of(manifest.file(row), video).times if windows.in_seconds else ()
        starts = clip_starts(windows.cut(video.frames, rate_of(video), model.clip, times), model.clip)
        return starts if video.health == "ok" else starts[:1]  # a damaged file is read from its beginning

    readable = [
        row
        for row, video in enumerate(manifest.videos)
        if video.health != "unreadable"
        and video.frames > 0
        and not (model.sound_spec is not None and sound_missing(video))
    ]
    clips = sum(len(starts_of(row)) for row in readable)
    most = sample_size(clips, share)
    return sample_evenly({row: starts_of(row) for row in spread(readable, most)}, most)


def sample_size(parts: int, share: int = SHARE) -> int:
    """How many of an archive's parts the centre is the mean of, where one in ``share`` is taken."""
    return min(MAX_CLIPS, max(MIN_CLIPS, parts // share))


def sample_evenly(of: Mapping[int, Sequence[Item]], most: int) -> list[tuple[int, Item]]:
    """At most ``most`` parts, spread over the rows and within each row.

    Args:
        of: the parts of each row.
        most: how many.
    """
    enough = min(most, sum(map(len, of.values())))
    # Rows of few parts leave more to the others.
    each = next(n for n in range(most + 1) if sum(min(n, len(parts)) for parts in of.values()) >= enough)
    return spread([(row, part) for row, parts in of.items() for part in spread(parts, each)], most)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """``most`` items, evenly spaced along the sequence, each in the middle of its part."""
    count = min(most, len(items))
    return [items[int(at)] for at in (np.arange(count) + 0.5) * len(items) / max(1, count)]
