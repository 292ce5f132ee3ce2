"""Every video decoded once: windows of frames and motion, from a memory-mapped store or straight from the files.

Training reads each video many times, at a size far below that of the files. So the usable videos are decoded once at
``spec.short_side`` into flat files, and a window is a slice of a memory map. Where that would take more room than
allowed, windows are decoded from the files as they are asked for; both ways give the same values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, VideoError
from kinema.core.records import ClipSpec
from kinema.data.decoding import decode, motion_grid, output_size
from kinema.data.manifest import Manifest, Video
from kinema.data.motion import require_motion, step_motion
from kinema.data.store_files import UNKNOWN, Entry, StoredVideos, build_store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Windows:
    """Windows of one video.

    Args:
        frames: uint8 [V, T+1, H, W, 3].
        motion: float32 [V, T, h, w, 2] or None: (dx, dy) from the sampled frame before to this one, as a fraction of
            the frame's (width, height).
        motion_valid: bool [V, T, h, w] or None: where the stream told a motion.
    """

    frames: NDArray[np.uint8]
    motion: NDArray[np.float32] | None
    motion_valid: NDArray[np.bool_] | None


@dataclass(frozen=True)
class _Part:
    """Consecutive frames of a video, the first of them number ``begin``."""

    begin: int
    frames: NDArray[np.uint8]
    motion: NDArray[np.int16] | None
    source_size: tuple[int, int]


class ClipStore:
    """Reads windows of the videos of a manifest.

    Args:
        manifest: rows that are unreadable are passed over.
        spec: what a clip is.
        motion: also the motion of the stream.
        cache: the folder under which the decoded videos are kept for this and later runs; None reads from the files.
        cache_bytes: where the decoded videos would take more than this, windows are read from the files.
        short_videos: what becomes of videos shorter than ``spec.span``: 'error' raises, 'skip' leaves them out with a
            warning, 'repeat' holds their last frame.
        workers: processes that decode when the cache is made.
        progress: is told (videos done, videos) meanwhile.

    Raises:
        DataError: no usable video; short videos with 'error'; a codec without motion vectors with ``motion``.
        StorageError: the cache could not be written.
    """

    def __init__(
        self,
        manifest: Manifest,
        spec: ClipSpec,
        *,
        motion: bool,
        cache: Path | None,
        cache_bytes: int = 4 << 30,
        short_videos: Literal["error", "skip", "repeat"] = "error",
        workers: int = 2,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.manifest = manifest
        self.spec = spec
        self.motion = motion
        self.frames: Mapping[int, int] = _readable(manifest, spec, short_videos)
        """For each row that can be read, how many frames the video has."""
        if motion:
            _require_motion(manifest, self.frames)
        self.bytes = sum(_estimate(manifest.videos[row], spec, motion) for row in self.frames)
        """What the decoded videos take, or would take."""
        self.failures: dict[int, str] = {}
        """Rows that could not be decoded when the cache was made, with the reason."""
        self._stored: StoredVideos | None = None
        if cache is not None and self.bytes <= cache_bytes:
            self._stored = build_store(
                manifest, sorted(self.frames), spec.short_side, motion, cache, workers=workers, progress=progress
            )
            self.failures = {row: entry.failed for row, entry in self._stored.entries.items() if entry.failed}
        elif cache is not None:
            log.info(
                "The decoded videos would take %.1f GB, more than the %.1f GB allowed: reading from the files.",
                self.bytes / 1e9,
                cache_bytes / 1e9,
            )

    @property
    def cached(self) -> bool:
        """Whether windows come from the memory-mapped store."""
        return self._stored is not None

    def read(self, video: int, starts: Sequence[int], *, motion: bool | None = None) -> Windows:
        """Windows of one video.

        Args:
            video: its row in the manifest, one of ``frames``.
            starts: the frame at which each window begins: the one before its clip.
            motion: False spares the time of reading the motion that the store has.

        Raises:
            VideoError: frames that the manifest promises cannot be decoded.
            ConfigError: the row cannot be read, or a start lies outside the video.
        """
        if video not in self.frames:
            raise ConfigError(f"Row {video} of the manifest cannot be read; {len(self.frames)} rows can.")
        last = self.frames[video] - 1
        if not starts or min(starts) < 0 or max(starts) > max(0, last + 1 - self.spec.span):
            raise ConfigError(
                f"Windows at {list(starts)} do not fit '{self.manifest.videos[video].path}' of {last + 1} frames; "
                f"a window spans {self.spec.span}."
            )
        moving = self.motion and motion is not False
        cut = [
            self._window(self._part(video, start, min(last, start + self.spec.span - 1)), start, moving)
            for start in starts
        ]
        return Windows(
            frames=np.stack([frames for frames, _, _ in cut]),
            motion=np.stack([m for _, m, _ in cut if m is not None]) if moving else None,
            motion_valid=np.stack([v for _, _, v in cut if v is not None]) if moving else None,
        )

    def _part(self, row: int, begin: int, last: int) -> _Part:
        video = self.manifest.videos[row]
        if self._stored is not None:
            entry = self._stored.entries[row]
            if entry.failed:
                raise VideoError(f"'{video.path}' could not be decoded: {entry.failed}.")
            part = _stored_part(self._stored, entry, begin, last)
        else:
            part = _file_part(self.manifest.file(row), video, self.spec.short_side, self.motion, begin, last)
        if len(part.frames) < last + 1 - begin:
            raise VideoError(
                f"'{video.path}' has {video.frames} frames by the manifest, but decodes only to frame "
                f"{begin + len(part.frames)}.",
                "Scan the folder again.",
            )
        return part

    def _window(
        self, part: _Part, start: int, motion: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        stride, span = self.spec.stride, self.spec.span
        offset = start - part.begin
        wanted = offset + np.arange(0, span, stride)
        frames = part.frames[np.minimum(wanted, len(part.frames) - 1)]
        if part.motion is None or not motion:
            return frames, None, None
        stored = part.motion[offset + 1 : offset + span]
        held = np.zeros((span - 1 - len(stored), *stored.shape[1:]), dtype=np.int16)
        field = np.concatenate([stored, held]) if len(held) else stored
        height, width = part.source_size
        steps, valid = step_motion(field, field[..., 0] != UNKNOWN, stride, height, width)
        return frames, steps, valid


def _stored_part(stored: StoredVideos, entry: Entry, begin: int, last: int) -> _Part:
    motion = stored.motion(entry)
    return _Part(
        begin=begin,
        frames=stored.rgb(entry)[begin : last + 1],
        motion=None if motion is None else motion[begin : last + 1],
        source_size=entry.source_size,
    )


def _file_part(path: Path, video: Video, short_side: int, motion: bool, begin: int, last: int) -> _Part:
    decoded = decode(path, short_side=short_side, motion=motion, start=begin, stop=last + 1, seek=video.health == "ok")
    field = decoded.motion
    if field is not None and decoded.motion_valid is not None:
        field[~decoded.motion_valid] = UNKNOWN
    return _Part(begin=begin, frames=decoded.frames, motion=field, source_size=decoded.source_size)


def _readable(manifest: Manifest, spec: ClipSpec, short_videos: str) -> dict[int, int]:
    usable = {row: v.frames for row, v in enumerate(manifest.videos) if v.health != "unreadable" and v.frames > 0}
    if not usable:
        raise DataError(
            f"None of the {len(manifest)} videos can be decoded." if len(manifest) else "There are no videos.",
            "`kinema scan VIDEOS` names each file with its reason.",
        )
    if short_videos not in ("error", "skip", "repeat"):
        raise ConfigError(f"short_videos is '{short_videos}'; it is one of error, skip, repeat.")
    short = [row for row, frames in usable.items() if frames < spec.span]
    if not short or short_videos == "repeat":
        return usable
    named = ", ".join(f"'{manifest.videos[row].path}' ({usable[row]} frames)" for row in short[:5])
    more = f" and {len(short) - 5} more" if len(short) > 5 else ""
    message = (
        f"{len(short)} of {len(usable)} videos are shorter than a clip, which spans {spec.span} frames "
        f"(clip.frames {spec.frames} x clip.stride {spec.stride} + 1): {named}{more}."
    )
    if short_videos == "error":
        raise DataError(
            message,
            "Lower clip.frames or clip.stride, or set short_videos to 'skip' or 'repeat' (which holds the last frame).",
        )
    if len(short) == len(usable):
        raise DataError(message, "All would be skipped: lower clip.frames or clip.stride.")
    log.warning("%s They are skipped.", message)
    return {row: frames for row, frames in usable.items() if frames >= spec.span}


def _require_motion(manifest: Manifest, rows: Mapping[int, int]) -> None:
    without = []
    for row in rows:
        try:
            require_motion(manifest.videos[row].codec, manifest.videos[row].path)
        except DataError as error:
            without.append(error)
    if len(without) == 1:
        raise without[0]
    if without:
        raise DataError(f"{len(without)} of {len(rows)} videos tell no motion. {without[0].message}", without[0].hint)


def _estimate(video: Video, spec: ClipSpec, motion: bool) -> int:
    height, width = output_size(video.height, video.width, spec.short_side)
    rows, columns, _ = motion_grid(video.height, video.width, spec.short_side)
    return video.frames * (height * width * 3 + (rows * columns * 4 if motion else 0))
