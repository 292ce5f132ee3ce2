"""The audio of a video's clips, a few clips at a time, so that memory does not grow with the video's length.

The values are those of :class:`kinema.data.ClipStore` for the same clips. Audio is decoded in blocks on a fixed grid of
the video's clock, so that the samples of a stretch do not depend on what else is read. Clips without any audio around
their middle are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.clips import SOUND, ClipSpec, MotionField, RawClips, SoundSpec, Waveform
from kinema.core.errors import DataError, VideoError
from kinema.data.clips.reader import Model
from kinema.data.video.hearing import SCALE, UNHEARD, read_sound, sound_file, sound_missing, window_sample
from kinema.data.video.manifest import Video
from kinema.data.video.scanning import scan
from kinema.data.video.sound import SILENCE
from kinema.searching.reading import Chunk, read_clips

BLOCK_SECONDS = 10.0
"""Length of a decoded block; two blocks are cached."""

_Samples = NDArray[np.int16]


def clip_chunks(
    model: Model,
    file: Path,
    video: Video,
    starts: Sequence[int],
    *,
    pictures: Collection[int] = (),
    chunk: int = 32,
    whole: bool = False,
) -> Iterator[Chunk]:
    """Clips of one video as input of an encoder: frames, motion vectors or audio.

    Args:
        model: the encoder.
        file: the video.
        video: its facts.
        starts: the first frame of each clip, ascending.
        pictures: frames to make thumbnails of, from the first clip's on.
        chunk: clips at a time.
        whole: whether to raise an error if all of these clips are silent.

    Raises:
        VideoError: the file cannot be read, ends before the last clip, or is silent.
        DataError: the view is motion, and the codec has no motion vectors.
    """
    motion, seek = model.needs_motion, video.health == "ok"
    if model.sound_spec is None or model.views != (SOUND,):
        seen = read_clips(
            file, video.frames, model.clip, starts, motion=motion, seek=seek, pictures=pictures, chunk=chunk
        )
        if model.sound_spec is None:
            return seen
        return _heard(_AudioReader(file, video, model.clip, model.sound_spec), seen, whole)
    return _audible_clips(file, video, model.clip, model.sound_spec, starts, pictures, chunk, whole)


def audio_query(file: Path, known: Video | None, *, alone: bool = True) -> Video:
    """The facts of a query's audio: of a video, or of an audio file.

    Args:
        file: the query.
        known: its facts, if known; the file is scanned where they do not include its audio, like those of a table.
        alone: whether the audio is all that is asked by; a file of audio is then enough.

    Raises:
        DataError: it cannot be read, or has no usable audio.
    """
    if known is None or known.audio_codec is None:
        known = (sound_file(file) if alone else None) or scan([file], workers=1).videos[0]
    if known.health == "unreadable" or known.frames < 1:
        raise DataError(f"The query '{file}' cannot be read: {known.reason or 'it has no frames'}.")
    if missing := sound_missing(known):
        raise DataError(
            f"The query '{file}' cannot be heard: {missing}.", "Ask with a video that has sound, or a file of sound."
        )
    return known


def _audible_clips(
    file: Path,
    video: Video,
    clip: ClipSpec,
    spec: SoundSpec,
    starts: Sequence[int],
    pictures: Collection[int],
    chunk: int,
    whole: bool,
) -> Iterator[Chunk]:
    """The clips with audio; frames are decoded only for thumbnails."""
    reader = _AudioReader(file, video, clip, spec)
    if pictures:
        seen = read_clips(
            file, video.frames, clip, starts, motion=False, seek=video.health == "ok", pictures=pictures, chunk=chunk
        )
        for each in seen:
            yield Chunk(*reader.clips(each.starts), each.times, each.thumbnails)
    else:
        for at in range(0, len(starts), chunk):
            yield Chunk(*reader.clips(tuple(starts[at : at + chunk])), (), {})
    reader.check(whole)


def _heard(reader: _AudioReader, seen: Iterator[Chunk], whole: bool) -> Iterator[Chunk]:
    """Clips that are seen, each with its audio; without those that have none."""
    for each in seen:
        starts, sound = reader.clips(each.starts)
        raw = each.raw
        if raw is not None and sound is not None:
            raw = replace(_chosen(raw, [each.starts.index(start) for start in starts]), sound=sound.sound)
        yield Chunk(starts, None if sound is None else raw, each.times, each.thumbnails)
    reader.check(whole)


def _chosen(raw: RawClips, which: list[int]) -> RawClips:
    """Some of the variants of one clip."""
    motion = raw.motion
    if motion is not None:
        motion = MotionField(motion.values[:, which], motion.valid[:, which], motion.extent)
    return replace(raw, frames=raw.frames[:, which], motion=motion)


class _AudioReader:
    """Reads the audio around clips of one file, in order of time, and tracks its peak.

    Args:
        file: the file.
        video: its facts.
        clip: settings of a clip.
        spec: settings of its audio.
    """

    def __init__(self, file: Path, video: Video, clip: ClipSpec, spec: SoundSpec) -> None:
        self.file, self.video, self.clip, self.spec = file, video, clip, spec
        self.covered, self.peak = False, 0
        self._size = max(round(BLOCK_SECONDS * spec.rate), spec.read)
        self._blocks: dict[int, _Samples] = {}

    def clips(self, starts: Sequence[int]) -> tuple[tuple[int, ...], RawClips | None]:
        """The clips that have audio, and their audio; None where none has."""
        spec, found = self.spec, dict[int, _Samples]()
        for start in starts:
            first = window_sample(self.file, self.video, start, self.clip.span, spec)
            sound = self._read(first, spec.read)
            samples = sound[spec.margin : spec.margin + spec.samples]
            samples = samples[samples != UNHEARD]
            if len(samples):
                found[start] = sound
                self.covered, self.peak = True, max(self.peak, int(np.abs(samples.astype(np.int32)).max()))
        return tuple(found), _raw(list(found.values()), self.clip) if found else None

    def check(self, whole: bool) -> None:
        """Raises a VideoError where no clip that was read had audio or, if these are all clips, all were silent."""
        if not self.covered:
            raise VideoError(f"'{self.video.path}' cannot be heard: its sound cannot be decoded, or does not cover it.")
        if whole and self.peak < SILENCE * SCALE:
            raise VideoError(f"'{self.video.path}' cannot be heard: its sound is silent.")

    def _read(self, first: int, samples: int) -> _Samples:
        begin = first // self._size
        blocks = [self._block(number) for number in range(begin, (first + samples - 1) // self._size + 1)]
        at = first - begin * self._size
        return np.concatenate(blocks)[at : at + samples]

    def _block(self, number: int) -> _Samples:
        if number not in self._blocks:
            last = dict(list(self._blocks.items())[-1:])
            read = read_sound(self.file, self.video, self.spec.rate, number * self._size, self._size)
            self._blocks = last | {number: read}
        return self._blocks[number]


def _raw(sounds: Sequence[_Samples], clip: ClipSpec) -> RawClips:
    """Stretches of audio as the variants of one clip, with empty frames."""
    samples, one = np.stack(sounds)[None], torch.zeros(1, dtype=torch.int64)
    covered = samples != UNHEARD
    return RawClips(
        frames=torch.zeros((1, len(sounds), clip.frames + 1, 1, 1, 3), dtype=torch.uint8),
        extent=torch.ones((1, 2), dtype=torch.int64),
        index=one,
        source=one,
        label=one - 1,
        sound=Waveform(
            torch.from_numpy(np.where(covered, samples.astype(np.float32) / SCALE, np.float32(0))),
            torch.from_numpy(covered),
        ),
    )
