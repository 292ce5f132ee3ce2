"""Reads the clips of a video in one pass, a few at a time, so that memory does not grow with the video's length.

Each frame is decoded once, even if it is part of several clips. The values are those of :class:`kinema.data.ClipStore`
for the same clips.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from kinema.core.clips import ClipSpec, MotionField, RawClips, Waveform
from kinema.core.errors import VideoError
from kinema.data.clips.dataset import Clip, collate
from kinema.data.clips.store import Windows
from kinema.data.video.decoding import Decoded, decode, decode_chunks
from kinema.data.video.motion import step_motion

THUMBNAIL = 96
"""The longer side of a thumbnail, in pixels."""

_FRAMES_AT_ONCE = 64
_Motion = tuple[NDArray[np.int16], NDArray[np.bool_]]


@dataclass(frozen=True)
class Chunk:
    """Some clips of a video.

    Args:
        starts: the first frame of each.
        raw: the clips as variants of one: frames uint8 [1, n, T+1, H, W, 3].
        times: presentation times of the frames read since the previous chunk, in seconds; NaN where unknown.
        thumbnails: JPEG files of requested frames read since then, by frame number.
    """

    starts: tuple[int, ...]
    raw: RawClips | None
    times: tuple[float, ...]
    thumbnails: dict[int, bytes]


@dataclass
class _FrameBuffer:
    """The decoded frames that further clips may need."""

    first: int
    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    motion: list[_Motion] = field(default_factory=list)
    source_size: tuple[int, int] = (0, 0)

    @property
    def end(self) -> int:
        return self.first + len(self.pixels)

    def add(self, part: Decoded) -> None:
        self.pixels += list(part.frames)
        self.source_size = part.source_size
        if part.motion is not None and part.motion_valid is not None:
            self.motion += list(zip(part.motion, part.motion_valid, strict=True))

    def drop(self, before: int) -> None:
        gone = max(0, min(before, self.end) - self.first)
        del self.pixels[:gone], self.motion[:gone]
        self.first += gone

    def clip(self, start: int, last: int, spec: ClipSpec) -> Windows:
        """The clip that begins at ``start``; the frame ``last``, the video's last, is repeated after its end."""
        numbers = np.minimum(start + np.arange(0, spec.span, spec.stride), last) - self.first
        frames = np.stack([self.pixels[number] for number in numbers])[None]
        if not self.motion:
            return Windows(frames, None, None)
        moved = self.motion[start + 1 - self.first : start + spec.span - self.first]
        shape = self.motion[start - self.first][1].shape
        still = spec.span - 1 - len(moved)
        fields = np.concatenate([*(f[None] for f, _ in moved), np.zeros((still, *shape, 2), dtype=np.int16)])
        valid = np.concatenate([*(v[None] for _, v in moved), np.ones((still, *shape), dtype=bool)])
        motion, known = step_motion(fields, valid, spec.stride, *self.source_size)
        return Windows(frames, motion[None], known[None])


def read_clips(
    file: Path,
    frames: int,
    spec: ClipSpec,
    starts: Sequence[int],
    *,
    motion: bool,
    seek: bool = True,
    pictures: Collection[int] = (),
    chunk: int = 32,
) -> Iterator[Chunk]:
    """Reads clips of one video.

    Args:
        file: the video.
        frames: its number of frames; the last one of a video shorter than a clip is repeated.
        spec: settings of a clip.
        starts: the first frame of each clip, ascending.
        motion: whether to read motion vectors, too.
        seek: whether to seek to a keyframe before the first clip; False for damaged files.
        pictures: frames to make thumbnails of, from the first clip's on.
        chunk: clips at a time.

    Raises:
        VideoError: the file cannot be read, or ends before the last clip.
        DataError: ``motion`` is set, and the codec has no motion vectors.
    """
    last, wanted = frames - 1, list(starts)
    begin = wanted[0]
    stop = min(frames, max(wanted[-1] + spec.span, max(pictures, default=0) + 1))
    buffer, thumbnails, times, ready = _FrameBuffer(begin), dict[int, bytes](), list[float](), list[Windows]()
    done = 0
    parts = decode_chunks(
        file, short_side=spec.short_side, motion=motion, start=begin, stop=stop, seek=seek, chunk=_FRAMES_AT_ONCE
    )
    for part in parts:
        at = buffer.end
        buffer.add(part)
        times += part.times.tolist()
        thumbnails |= {n: thumbnail(buffer.pixels[n - buffer.first]) for n in pictures if at <= n < buffer.end}
        while done < len(wanted) and min(wanted[done] + spec.span - 1, last) < buffer.end:
            ready.append(buffer.clip(wanted[done], last, spec))
            done += 1
            if len(ready) == chunk:
                yield Chunk(tuple(wanted[done - chunk : done]), _joined(ready), tuple(times), thumbnails)
                ready, times, thumbnails = [], [], {}
        buffer.drop(wanted[done] if done < len(wanted) else buffer.end)
    if done < len(wanted):
        raise VideoError(
            f"'{file}' has {frames} frames by the manifest, but decodes only to frame {buffer.end}.",
            "Scan the folder again.",
        )
    tail = tuple(wanted[done - len(ready) : done])
    yield Chunk(tail, _joined(ready) if ready else None, tuple(times), thumbnails)


def still_clip(picture: Path, spec: ClipSpec) -> RawClips:
    """An image, repeated for the length of a clip, as a clip without motion.

    Raises:
        VideoError: it cannot be read.
    """
    image = decode(picture, short_side=spec.short_side, motion=False, stop=1).frames
    return _joined([Windows(np.repeat(image[None], spec.frames + 1, axis=1), None, None)])


def thumbnail(picture: NDArray[np.uint8]) -> bytes:
    """A JPEG file of an image uint8 [H, W, 3], scaled down."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=75)
        return file.getvalue()


def same_shape(one: RawClips, other: RawClips) -> bool:
    """Whether clips of :func:`read_clips` have one shape, so that they can be concatenated."""

    def shapes(raw: RawClips) -> list[torch.Size | None]:
        motion = None if raw.motion is None else raw.motion.values
        sound = None if raw.sound is None else raw.sound.samples
        return [None if x is None else x.shape[2:] for x in (raw.frames, motion, sound)]

    return shapes(one) == shapes(other)


def concat_clips(clips: Sequence[RawClips]) -> RawClips:
    """Clips of one shape (:func:`same_shape`) as the variants of one clip: frames uint8 [1, n, T+1, H, W, 3]."""

    def joined(parts: Iterable[Tensor]) -> Tensor:
        return torch.cat(list(parts), dim=1)

    motions = [each.motion for each in clips if each.motion is not None]
    sounds = [each.sound for each in clips if each.sound is not None]
    motion, sound = None, None
    if motions:
        motion = MotionField(joined(x.values for x in motions), joined(x.valid for x in motions), motions[0].extent)
    if sounds:
        sound = Waveform(joined(x.samples for x in sounds), joined(x.valid for x in sounds))
    return replace(clips[0], frames=joined(each.frames for each in clips), motion=motion, sound=sound)


def _joined(windows: Sequence[Windows]) -> RawClips:
    """Clips of one video as the variants of one clip."""
    stacked = Windows(
        np.concatenate([w.frames for w in windows]),
        None if windows[0].motion is None else np.concatenate([w.motion for w in windows if w.motion is not None]),
        None
        if windows[0].motion_valid is None
        else np.concatenate([w.motion_valid for w in windows if w.motion_valid is not None]),
    )
    return collate([Clip(stacked, 0, 0, -1)])
