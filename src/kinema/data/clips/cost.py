"""What clips cost: small measurements on real videos, a batch read and a few videos decoded."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

from kinema.core.clips import RawClips
from kinema.core.errors import VideoError
from kinema.core.threads import available_cpus
from kinema.data.clips.dataset import PADDING, ClipDataset, collate, padding
from kinema.data.clips.sampler import ClipRequest
from kinema.data.clips.store import ClipStore
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.limits import cut_message, left_out_message
from kinema.data.video.manifest import Video
from kinema.data.video.rates import mixed_message

SAMPLE, FRAMES = 4, 64
"""Videos that are decoded to measure decoding, and the first frames of each."""

DECODERS = 2
"""Processes that make a cache."""


def read_batch(dataset: ClipDataset, requests: Sequence[ClipRequest]) -> tuple[RawClips, float, float]:
    """A batch of clips from the files.

    Returns:
        The batch; the seconds that took; and the seconds that it takes with decoded windows in memory, which is the
        time of reading from a cache.

    Raises:
        DataError: too many videos cannot be read.
    """
    began = time.perf_counter()
    clips = [dataset[request] for request in requests]
    raw = collate(clips)
    files = time.perf_counter() - began
    began = time.perf_counter()
    collate(copy.deepcopy(clips))
    return raw, files, time.perf_counter() - began


def unread(videos: Sequence[Video], left_out: Sequence[Video]) -> str:
    """What a person reads of the videos of a manifest that cannot be decoded; empty where there are none.

    Args:
        videos: of the manifest.
        left_out: those that were taken out of it.
    """
    left = [*left_out, *(video for video in videos if video.health == "unreadable")]
    return left_out_message(left, len(videos) + len(left_out))


def costs_of(store: ClipStore) -> tuple[str, ...]:
    """Sentences on what the videos of a store make of memory and of clips: left out, cut, padded, of mixed rates."""
    manifest, spec = store.manifest, store.spec
    used = [manifest.videos[row] for row in sorted(store.frames)]
    sizes = [store.size_of(row) for row in sorted(store.frames)]
    mixed = mixed_message(used, spec.span, "of this run")
    notes = [unread(manifest.videos, manifest.left_out), cut_message(used), mixed]
    if (times := padding(sizes)) > PADDING:
        height, width = max(height for height, _ in sizes), max(width for _, width in sizes)
        room = height * width * 3 * (spec.frames + 1) / 1e6
        notes.append(
            f"Batches are padded to their largest clips: up to {width} x {height} pixels and {room:.3g} MB a window, "
            f"{times:.2g} times the room of the pictures themselves. Videos of one shape take less."
        )
    return tuple(sentence for sentence in notes if sentence)


def decoding_seconds(store: ClipStore) -> float:
    """How long it takes to decode all videos of a store into a cache, by the first frames of a few.

    Their cost is taken to grow with frames times pixels of the source, and two processes to share the work where there
    are two cores.
    """
    rows = sorted(store.frames)
    videos = store.manifest.videos
    chosen = [rows[round(number * (len(rows) - 1) / (SAMPLE - 1))] for number in range(SAMPLE)]
    work = seconds = 0.0
    for row in dict.fromkeys(chosen):
        began = time.perf_counter()
        path, size = store.manifest.file(row), store.spec.short_side
        try:
            part = next(iter(decode_chunks(path, short_side=size, motion=store.motion, chunk=FRAMES)))
        except (VideoError, StopIteration):
            continue  # a broken video is reported where it is read
        seconds += time.perf_counter() - began
        work += len(part) * videos[row].height * videos[row].width
    whole = sum(store.frames[row] * videos[row].height * videos[row].width for row in rows)
    return seconds * whole / work / min(DECODERS, available_cpus()) if work else 0.0
