"""Every video decoded once: windows of frames, motion and sound, from a memory-mapped store or from the files.

Training reads each video many times, at a size far below that of the files. So the usable videos are decoded once at
``spec.short_side`` into flat files, and a window is a slice of a memory map. Where that would take more room than
allowed, windows are decoded from the files as they are asked for; both ways give the same values.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.errors import ConfigError, DataError, VideoError
from kinema.data.clips.store_files import UNKNOWN, StoredVideos, build_store
from kinema.data.moving import require_root
from kinema.data.video.files import why_other
from kinema.data.video.hearing import SCALE, UNHEARD, read_sound, sound_missing, whole_stretch, window_sample
from kinema.data.video.limits import cut_message
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.motion import require_motion, step_motion
from kinema.data.video.picture import motion_grid, output_size
from kinema.data.video.pieces import Part, Pieces, decode_parts

log = logging.getLogger(__name__)

_Cut = tuple[NDArray[np.uint8], NDArray[np.uint8] | None, list[NDArray[np.int16]], tuple[int, int]]
"""Frames of all windows, the keyframe, the motion of each stretch, and the source's (height, width)."""


@dataclass(frozen=True)
class Windows:
    """Windows of one video, and what comes along.

    Args:
        frames: uint8 [V, T+1, H, W, 3].
        motion: float32 [V, T, h, w, 2] or None: (dx, dy) from the sampled frame before to this one, as a fraction of
            the frame's (width, height).
        motion_valid: bool [V, T, h, w] or None: where the stream has a vector.
        keyframe: uint8 [H, W, 3] or None.
        motion_clips: float32 [1 + N, M, h, w, 2] or None: (dx, dy) from the video's frame before to this one, as a
            fraction of the frame's (width, height).
        motion_clips_valid: bool [1 + N, M, h, w] or None: where the stream has a vector; nowhere in a motion clip that
            the video has no room for.
        sound: float32 [V, S] in [-1, 1] or None: about the middle of each window; see :class:`SoundSpec`.
        sound_valid: bool [V, S] or None: where the audio covers it.
    """

    frames: NDArray[np.uint8]
    motion: NDArray[np.float32] | None
    motion_valid: NDArray[np.bool_] | None
    keyframe: NDArray[np.uint8] | None = None
    motion_clips: NDArray[np.float32] | None = None
    motion_clips_valid: NDArray[np.bool_] | None = None
    sound: NDArray[np.float32] | None = None
    sound_valid: NDArray[np.bool_] | None = None


class _Wanted(NamedTuple):
    """Windows by their first frames, a keyframe, and stretches of motion, that are read together."""

    starts: Sequence[int]
    keyframe: int | None
    stretches: Sequence[range]


class ClipStore:
    """Reads windows of the videos of a manifest.

    Args:
        manifest: rows that are unreadable are passed over.
        spec: what a clip is.
        motion: also the motion of the stream.
        cache: the folder of the decoded videos, for this and later runs; None reads from the files.
        cache_bytes: where the decoded videos would take more than this, windows are read from the files.
        short_videos: what becomes of videos shorter than ``spec.span``: 'repeat' holds their last frame
            (:func:`held_message` says of how many), 'skip' leaves them out with a warning, 'error' raises.
        workers: processes that decode when the cache is made.
        progress: is called with (videos done, videos) meanwhile.
        sound: the stretch of sound of a clip; None for no sound.

    Raises:
        DataError: no usable video; short videos with 'error'; a codec without motion vectors with ``motion``; a video
            without usable sound with ``sound``.
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
        short_videos: Literal["error", "skip", "repeat"] = "repeat",
        workers: int = 2,
        progress: Callable[[int, int], None] | None = None,
        sound: SoundSpec | None = None,
    ) -> None:
        self.manifest = manifest
        self.spec = spec
        self.motion = motion
        self.sound = sound
        self.frames: Mapping[int, int] = _readable(manifest, spec, short_videos)
        """For each row that can be read, how many frames the video has."""
        if cut := cut_message([manifest.videos[row] for row in self.frames]):
            log.warning("%s", cut)
        if motion:
            _require_motion(manifest, self.frames)
        if sound is not None:
            _require_sound(manifest, self.frames)
        self.bytes = sum(_estimate(manifest.videos[row], spec, motion, sound) for row in self.frames)
        """What the decoded videos take, or would take."""
        self.failures: dict[int, str] = {}
        """Rows that could not be decoded when the cache was made, with the reason."""
        self._stored: StoredVideos | None = None
        if cache is not None and self.bytes <= cache_bytes:
            self._stored = build_store(
                manifest,
                sorted(self.frames),
                spec.short_side,
                motion,
                cache,
                workers=workers,
                progress=progress,
                sound=sound,
            )
            self.failures = {row: entry.failed for row, entry in self._stored.entries.items() if entry.failed}
        else:
            require_root(manifest.root, "videos")
        if cache is not None and self._stored is None:
            log.info(
                "The decoded videos would take %.1f GB, more than the %.1f GB allowed: reading from the files.",
                self.bytes / 1e9,
                cache_bytes / 1e9,
            )

    @property
    def cached(self) -> bool:
        """Whether windows come from the memory-mapped store."""
        return self._stored is not None

    def size_of(self, row: int) -> tuple[int, int]:
        """(height, width) of a video's decoded frames, by the scan.

        Args:
            row: its row in the manifest.
        """
        video = self.manifest.videos[row]
        return output_size(video.height, video.width, self.spec.short_side)

    def select(self, rows: Iterable[int]) -> ClipStore:
        """A store of some of the rows, over the same decoded videos; this one stays as it is.

        Args:
            rows: rows of the manifest, each one of ``frames``.

        Raises:
            ConfigError: a row cannot be read, or there is none.
        """
        wanted = sorted(set(rows))
        unknown = [row for row in wanted if row not in self.frames]
        if unknown:
            raise ConfigError(f"Row {unknown[0]} of the manifest cannot be read; {len(self.frames)} rows can.")
        if not wanted:
            raise ConfigError(f"No row is selected of the {len(self.frames)} that can be read.", "Select at least one.")
        part = copy.copy(self)
        part.frames = {row: self.frames[row] for row in wanted}
        part.failures = {row: reason for row, reason in self.failures.items() if row in part.frames}
        part.bytes = sum(_estimate(self.manifest.videos[row], self.spec, self.motion, self.sound) for row in wanted)
        return part

    def read(
        self,
        video: int,
        starts: Sequence[int],
        *,
        motion: bool | None = None,
        keyframe: int | None = None,
        motion_starts: Sequence[int] = (),
        motion_frames: int = 0,
        sound: bool | None = None,
    ) -> Windows:
        """Windows of one video, and their companions; one pass over the file where it is read from the file.

        Args:
            video: its row in the manifest, one of ``frames``.
            starts: the frame at which each window begins: the one before its clip.
            motion: False spares the time of reading the motion that the store has.
            keyframe: the number of a frame to read too.
            motion_starts: the first frame of each motion clip to read too; -1 for one that the video has no room for.
            motion_frames: frames of a motion clip.
            sound: False spares the time of reading the sound that the store has.

        Raises:
            VideoError: frames that the manifest promises cannot be decoded.
            ConfigError: the row cannot be read, or a request is outside the video.
            DataError: motion clips are requested of a store without motion.
        """
        placed = [range(first, first + motion_frames) for first in motion_starts if first >= 0]
        self._check(video, starts, keyframe, placed)
        if motion_starts and not self.motion:
            raise DataError("Motion clips are asked of a store that was opened without motion.")
        moving, span = self.motion and motion is not False, self.spec.span
        stretches = [range(start + 1, start + span) for start in starts] if moving else []
        read = self._from_files if self._stored is None else self._from_store
        frames, still, fields, size = read(video, starts, keyframe, [*stretches, *placed])
        whole = _steps(fields[: len(stretches)], self.spec.stride, size)
        reads_sound = self.sound is not None and sound is not False
        samples, covered = self._sounds(video, starts) if reads_sound else (None, None)
        if not motion_starts:
            return Windows(frames, *whole, still, sound=samples, sound_valid=covered)
        grid = motion_grid(size[0], size[1], self.spec.short_side)[:2]
        clips = np.zeros((len(motion_starts), motion_frames, *grid, 2), dtype=np.float32)
        valid = np.zeros(clips.shape[:-1], dtype=np.bool_)
        there = [number for number, first in enumerate(motion_starts) if first >= 0]
        if there:
            clips[there], valid[there] = _steps(fields[len(stretches) :], 1, size)
        return Windows(frames, *whole, still, clips, valid, samples, covered)

    def read_parts(
        self, video: int, starts: Sequence[int], most: int, *, motion: bool | None = None, sound: bool | None = None
    ) -> Iterator[Windows]:
        """The same windows as :meth:`read`, ``most`` at a time, so that memory does not grow with the video's length.

        Where the video is read from its file, that is one pass over it.

        Args:
            video: its row in the manifest, one of ``frames``.
            starts: the frame at which each window begins, ascending.
            most: windows at a time.
            motion: see :meth:`read`.
            sound: likewise.

        Raises:
            VideoError: frames that the manifest promises cannot be decoded; some windows may have been given before.
            ConfigError: the row cannot be read, or a window is outside the video.
        """
        self._check(video, starts, None, ())
        groups = [starts[at : at + most] for at in range(0, len(starts), most)]
        if self._stored is not None:
            yield from (self.read(video, group, motion=motion, sound=sound) for group in groups)
            return
        moving, span = self.motion and motion is not False, self.spec.span
        stretches = [[range(start + 1, start + span) for start in group] if moving else [] for group in groups]
        cuts = self._cuts(video, [_Wanted(group, None, each) for group, each in zip(groups, stretches, strict=True)])
        for group, (frames, _, fields, size) in zip(groups, cuts, strict=True):
            reads_sound = self.sound is not None and sound is not False
            samples, covered = self._sounds(video, group) if reads_sound else (None, None)
            whole = _steps(fields, self.spec.stride, size)
            yield Windows(frames, *whole, None, sound=samples, sound_valid=covered)

    def _sounds(self, row: int, starts: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The sound about the middle of each window, and where there is one."""
        assert self.sound is not None
        video, path, spec = self.manifest.videos[row], self.manifest.file(row), self.sound
        places = [window_sample(path, video, start, self.spec.span, spec) for start in starts]
        if self._stored is not None:
            stored, first = self._stored.sound(self._stored.entries[row]), whole_stretch(video, spec)[0]
            found = [stored[place - first : place - first + spec.read] for place in places]
        else:
            each = {place: read_sound(path, video, spec.rate, place, spec.read) for place in dict.fromkeys(places)}
            found = [each[place] for place in places]
        samples = np.stack(found)
        valid: NDArray[np.bool_] = samples != UNHEARD
        return np.where(valid, samples.astype(np.float32) / SCALE, np.float32(0)), valid

    def _check(self, video: int, starts: Sequence[int], keyframe: int | None, placed: Sequence[range]) -> None:
        if video not in self.frames:
            raise ConfigError(f"Row {video} of the manifest cannot be read; {len(self.frames)} rows can.")
        frames, name = self.frames[video], self.manifest.videos[video].path
        if not starts or min(starts) < 0 or max(starts) > max(0, frames - self.spec.span):
            raise ConfigError(
                f"Windows at {list(starts)} do not fit '{name}' of {frames} frames; a window spans {self.spec.span}."
            )
        if keyframe is not None and not 0 <= keyframe < frames:
            raise ConfigError(f"'{name}' has {frames} frames, and frame {keyframe} is asked for as its keyframe.")
        if any(stretch.start < 1 or stretch.stop > frames or not stretch for stretch in placed):
            ranges = [(stretch.start, stretch.stop - 1) for stretch in placed]
            raise ConfigError(f"Motion clips from frame to frame {ranges} do not fit '{name}' of {frames} frames.")

    def _from_store(self, row: int, starts: Sequence[int], keyframe: int | None, stretches: Sequence[range]) -> _Cut:
        assert self._stored is not None
        entry = self._stored.entries[row]
        if entry.failed:
            raise VideoError(f"'{self.manifest.videos[row].path}' could not be decoded: {entry.failed}.")
        rgb = self._stored.rgb(entry)
        frames = np.array([self._window(row, rgb, start) for start in starts])
        last = max([min(stretch.stop, self.frames[row]) - 1 for stretch in stretches] + [keyframe or 0])
        if last >= len(rgb):
            raise self._ends_early(row, len(rgb))
        field = self._stored.motion(entry) if stretches else None
        cut = [] if field is None else [_filled(field[part.start : part.stop], len(part)) for part in stretches]
        return frames, None if keyframe is None else rgb[keyframe], cut, entry.source_size

    def _window(self, row: int, rgb: NDArray[np.uint8], start: int) -> NDArray[np.uint8]:
        """The frames of one window, a view of the store where it can be."""
        end = start + self.spec.span
        if end <= len(rgb):
            return rgb[start : end : self.spec.stride]
        numbers = self._numbers(row, start)
        if numbers[-1] >= len(rgb):
            raise self._ends_early(row, len(rgb))
        return rgb[numbers]

    def _from_files(self, row: int, starts: Sequence[int], keyframe: int | None, stretches: Sequence[range]) -> _Cut:
        (cut,) = self._cuts(row, [_Wanted(starts, keyframe, stretches)])
        return cut

    def _cuts(self, row: int, wanted: Sequence[_Wanted]) -> Iterator[_Cut]:
        """What is wanted of a video together, one after the other, in one pass over its file."""
        video = self.manifest.videos[row]
        if reason := why_other(self.manifest.file(row), video.size, video.mtime_ns):
            raise VideoError(f"'{video.path}' is not read: {reason}.")
        parts = [self._part(row, each) for each in wanted]
        found = decode_parts(self.manifest.file(row), parts, short_side=self.spec.short_side, seek=video.health == "ok")
        for each, part, pieces in zip(wanted, parts, found, strict=True):
            yield self._cut(row, each, part, pieces)

    def _part(self, row: int, wanted: _Wanted) -> Part:
        """The frames of some windows and stretches."""
        pixels = {number for start in wanted.starts for number in self._numbers(row, start).tolist()}
        if wanted.keyframe is not None:
            pixels.add(wanted.keyframe)
        moving = {number for stretch in self._steps_of(row, wanted) for number in stretch}
        return Part(frozenset(pixels), frozenset(moving))

    def _steps_of(self, row: int, wanted: _Wanted) -> list[range]:
        return [range(stretch.start, min(stretch.stop, self.frames[row])) for stretch in wanted.stretches]

    def _cut(self, row: int, wanted: _Wanted, part: Part, found: Pieces) -> _Cut:
        missing = (part.pixels - set(found.pixels)) | (part.motion - set(found.motion))
        if missing:
            raise self._ends_early(row, min(missing))
        windows = [self._numbers(row, start).tolist() for start in wanted.starts]
        frames = np.stack([np.stack([found.pixels[number] for number in window]) for window in windows])
        steps = self._steps_of(row, wanted)
        fields = [np.stack([_marked(*found.motion[number]) for number in stretch]) for stretch in steps]
        cut = [_filled(field, len(stretch)) for field, stretch in zip(fields, wanted.stretches, strict=True)]
        return frames, None if wanted.keyframe is None else found.pixels[wanted.keyframe], cut, found.source_size

    def _numbers(self, row: int, start: int) -> NDArray[np.int64]:
        """The frames of a window; a video shorter than it holds its last one."""
        return np.minimum(start + np.arange(0, self.spec.span, self.spec.stride), self.frames[row] - 1)

    def _ends_early(self, row: int, at: int) -> VideoError:
        video = self.manifest.videos[row]
        return VideoError(
            f"'{video.path}' has {video.frames} frames by the manifest, but decodes only to frame {at}.",
            "Scan the folder again.",
        )


def _filled(field: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    """Motion of every frame of a stretch: 0 where the video's last frame is repeated."""
    held = np.zeros((length - len(field), *field.shape[1:]), dtype=np.int16)
    return np.concatenate([field, held]) if len(held) else field


def _steps(
    fields: Sequence[NDArray[np.int16]], stride: int, size: tuple[int, int]
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None]:
    """The motion between sampled frames of several stretches, and where the stream has one; None for no stretch."""
    if not fields:
        return None, None
    steps = [step_motion(field, field[..., 0] != UNKNOWN, stride, *size) for field in fields]
    return np.stack([motion for motion, _ in steps]), np.stack([valid for _, valid in steps])


def _marked(field: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
    field[~valid] = UNKNOWN
    return field


def held_message(lengths: Sequence[int], spec: ClipSpec) -> str:
    """How many videos are shorter than a clip, so that their last frame is held; empty where none is.

    Args:
        lengths: frames of each video.
        spec: what a clip is.
    """
    short = sum(0 < frames < spec.span for frames in lengths)
    return f"{_shorter(short, len(lengths), spec)}; the last frame is held." if short else ""


def _shorter(short: int, videos: int, spec: ClipSpec) -> str:
    return (
        f"{short} of {videos} video{'s' if videos > 1 else ''} {'are' if short > 1 else 'is'} shorter than a clip, "
        f"which spans {spec.span} frames (clip.frames {spec.frames} x clip.stride {spec.stride} + 1)"
    )


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
    message = f"{_shorter(len(short), len(usable), spec)}: {named}{more}."
    if short_videos == "error":
        raise DataError(
            message,
            "Lower clip.frames or clip.stride, or set short_videos to 'repeat' (which holds the last frame) or 'skip'.",
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
    fields = [manifest.videos[row].path for row in rows if _fields_of_h264(manifest.videos[row])]
    if fields:
        log.warning(
            "%d of %d videos are interlaced H.264, of whose motion vectors nothing is known: '%s'%s.",
            *(len(fields), len(rows), fields[0], ", …" if len(fields) > 1 else ""),
        )
    if len(without) == 1:
        raise without[0]
    if without:
        raise DataError(f"{len(without)} of {len(rows)} videos tell no motion. {without[0].message}", without[0].hint)


def _fields_of_h264(video: Video) -> bool:
    return video.interlaced and video.codec == "h264"


def _require_sound(manifest: Manifest, rows: Mapping[int, int]) -> None:
    silent = [row for row in rows if sound_missing(manifest.videos[row])]
    if silent:
        video = manifest.videos[silent[0]]
        raise DataError(
            f"{len(silent)} of {len(rows)} videos cannot be heard: '{video.path}': {sound_missing(video)}.",
            "Leave them out, as kinema.data.with_sound(manifest) does, or take another view than 'sound'.",
        )


def _estimate(video: Video, spec: ClipSpec, motion: bool, sound: SoundSpec | None) -> int:
    height, width = output_size(video.height, video.width, spec.short_side)
    rows, columns, _ = motion_grid(video.height, video.width, spec.short_side)
    samples = 0 if sound is None else whole_stretch(video, sound)[1]
    return video.frames * (height * width * 3 + (rows * columns * 4 if motion else 0)) + 2 * samples
