"""The clips of a video in one pass over the file, a few at a time: memory does not grow with the video's length.

Each frame is decoded once, however many clips it is part of. The values are those that
:class:`kinema.data.ClipStore` gives of the same clips.
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

_AT_ONCE = 64
_Motion = tuple[NDArray[np.int16], NDArray[np.bool_]]


@dataclass(frozen=True)
class Chunk:
    """Some clips of a video.

    Args:
        starts: the frame at which each begins.
        raw: the clips as variants of one: frames uint8 [1, n, T+1, H, W, 3].
        times: when the frames that were read since the chunk before are shown, in seconds; NaN where it is unknown.
        thumbnails: JPEG files of the frames that were asked for and read since then, by their numbers.
    """

    starts: tuple[int, ...]
    raw: RawClips | None
    times: tuple[float, ...]
    thumbnails: dict[int, bytes]


@dataclass
class _Held:
    """The frames that clips still to come may need."""

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

    def forget(self, before: int) -> None:
        gone = max(0, min(before, self.end) - self.first)
        del self.pixels[:gone], self.motion[:gone]
        self.first += gone

    def clip(self, start: int, last: int, spec: ClipSpec) -> Windows:
        """The clip that begins at ``start`` of a video whose last frame is ``last``, held where it ends first."""
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
        frames: how many it has; of a video shorter than a clip the last one is held.
        spec: what a clip is.
        starts: the frame at which each clip begins, rising.
        motion: also the motion of the stream.
        seek: whether a late first clip may be reached through a keyframe; False for damaged files.
        pictures: the frames of which a thumbnail is wanted, from the first clip's on.
        chunk: clips at a time.

    Raises:
        VideoError: the file cannot be read, or ends before the last clip.
        DataError: motion was asked of a codec that tells none.
    """
    last, wanted = frames - 1, list(starts)
    begin = wanted[0]
    stop = min(frames, max(wanted[-1] + spec.span, max(pictures, default=0) + 1))
    held, drawn, times, ready = _Held(begin), dict[int, bytes](), list[float](), list[Windows]()
    done = 0
    parts = decode_chunks(
        file, short_side=spec.short_side, motion=motion, start=begin, stop=stop, seek=seek, chunk=_AT_ONCE
    )
    for part in parts:
        at = held.end
        held.add(part)
        times += part.times.tolist()
        drawn |= {n: thumbnail(held.pixels[n - held.first]) for n in pictures if at <= n < held.end}
        while done < len(wanted) and min(wanted[done] + spec.span - 1, last) < held.end:
            ready.append(held.clip(wanted[done], last, spec))
            done += 1
            if len(ready) == chunk:
                yield Chunk(tuple(wanted[done - chunk : done]), _joined(ready), tuple(times), drawn)
                ready, times, drawn = [], [], {}
        held.forget(wanted[done] if done < len(wanted) else held.end)
    if done < len(wanted):
        raise VideoError(
            f"'{file}' has {frames} frames by the manifest, but decodes only to frame {held.end}.",
            "Scan the folder again.",
        )
    tail = tuple(wanted[done - len(ready) : done])
    yield Chunk(tail, _joined(ready) if ready else None, tuple(times), drawn)


def still_clip(picture: Path, spec: ClipSpec) -> RawClips:
    """A picture held for the length of a clip, as one clip without motion.

    Raises:
        VideoError: it cannot be read.
    """
    seen = decode(picture, short_side=spec.short_side, motion=False, stop=1).frames
    return _joined([Windows(np.repeat(seen[None], spec.frames + 1, axis=1), None, None)])


def thumbnail(picture: NDArray[np.uint8]) -> bytes:
    """A small JPEG file of a picture uint8 [H, W, 3]."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=75)
        return file.getvalue()


def alike(one: RawClips, other: RawClips) -> bool:
    """Whether clips, as :func:`read_clips` gives them, have one shape, so that they can be encoded together."""

    def shapes(raw: RawClips) -> list[torch.Size | None]:
        motion = None if raw.motion is None else raw.motion.values
        sound = None if raw.sound is None else raw.sound.samples
        return [None if x is None else x.shape[2:] for x in (raw.frames, motion, sound)]

    return shapes(one) == shapes(other)


def together(clips: Sequence[RawClips]) -> RawClips:
    """Clips of one shape (:func:`alike`), of any videos, as the variants of one: frames uint8 [1, n, T+1, H, W, 3]."""

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
    together = Windows(
        np.concatenate([w.frames for w in windows]),
        None if windows[0].motion is None else np.concatenate([w.motion for w in windows if w.motion is not None]),
        None
        if windows[0].motion_valid is None
        else np.concatenate([w.motion_valid for w in windows if w.motion_valid is not None]),
    )
    return collate([Clip(together, 0, 0, -1)])
