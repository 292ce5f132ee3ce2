"""What is heard about the clips of a video, a few clips at a time: memory does not grow with the video's length.

The values are those that :class:`kinema.data.ClipStore` gives of the same clips. Sound is decoded in blocks that lie at
fixed places of the video's clock, so a stretch has the same values whoever asks for it and whatever is asked for beside
it. A clip about whose middle the audio covers nothing is not given: it would be a sound that nobody heard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.clips import ClipSpec, RawClips, SoundSpec, Waveform
from kinema.core.errors import DataError, VideoError
from kinema.data.clips.reader import Model
from kinema.data.video.hearing import SCALE, UNHEARD, read_sound, sound_file, sound_missing, window_sample
from kinema.data.video.manifest import Video
from kinema.data.video.scanning import scan
from kinema.data.video.sound import SILENCE
from kinema.searching.reading import Chunk, read_clips

BLOCK_SECONDS = 10.0
"""Sound that is decoded at once; two such blocks are kept."""

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
    """Clips of one video as an encoder takes them: seen, or heard.

    Args:
        model: the encoder.
        file: the video.
        video: what is known of it.
        starts: the frame at which each clip begins, rising.
        pictures: the frames of which a thumbnail is wanted, from the first clip's on.
        chunk: clips at a time.
        whole: whether these clips, all together, must not be silent.

    Raises:
        VideoError: the file cannot be read, or ends before the last clip; or what is to be heard is silent.
        DataError: motion was asked of a codec that tells none.
    """
    if model.hears is not None:
        return _heard(file, video, model.clip, model.hears, starts, pictures, chunk, whole)
    motion, seek = model.view == "motion", video.health == "ok"
    return read_clips(file, video.frames, model.clip, starts, motion=motion, seek=seek, pictures=pictures, chunk=chunk)


def asked_sound(file: Path, known: Video | None) -> Video:
    """What is known of a video, or a file of sound, that is to be heard as a query.

    Args:
        file: it.
        known: what somebody knows; looked at anew where that says nothing of its sound, as a table's rows do.

    Raises:
        DataError: it cannot be read, or cannot be heard.
    """
    if known is None or known.audio_codec is None:
        known = sound_file(file) or scan([file], workers=1).videos[0]
    if known.health == "unreadable" or known.frames < 1:
        raise DataError(f"The query '{file}' cannot be read: {known.reason or 'it has no frames'}.")
    if missing := sound_missing(known):
        raise DataError(
            f"The query '{file}' cannot be heard: {missing}.", "Ask with a video that has sound, or a file of sound."
        )
    return known


def _heard(
    file: Path,
    video: Video,
    clip: ClipSpec,
    spec: SoundSpec,
    starts: Sequence[int],
    pictures: Collection[int],
    chunk: int,
    whole: bool,
) -> Iterator[Chunk]:
    """The clips that can be heard; the frames are decoded only where thumbnails of them are wanted."""
    ears = _Ears(file, video, clip, spec)
    if pictures:
        seen = read_clips(
            file, video.frames, clip, starts, motion=False, seek=video.health == "ok", pictures=pictures, chunk=chunk
        )
        for each in seen:
            yield Chunk(*ears.clips(each.starts), each.times, each.thumbnails)
    else:
        for at in range(0, len(starts), chunk):
            yield Chunk(*ears.clips(tuple(starts[at : at + chunk])), (), {})
    if not ears.covered:
        raise VideoError(f"'{video.path}' cannot be heard: its sound cannot be decoded, or does not cover it.")
    if whole and ears.peak < SILENCE * SCALE:
        raise VideoError(f"'{video.path}' cannot be heard: its sound is silent.")


class _Ears:
    """Reads the sound about clips of one file, in the order of time, and notes how loud it is.

    Args:
        file: it.
        video: what is known of it.
        clip: what a clip is.
        spec: what is heard of one.
    """

    def __init__(self, file: Path, video: Video, clip: ClipSpec, spec: SoundSpec) -> None:
        self.file, self.video, self.clip, self.spec = file, video, clip, spec
        self.covered, self.peak = False, 0
        self._size = max(round(BLOCK_SECONDS * spec.rate), spec.read)
        self._kept: dict[int, _Samples] = {}

    def clips(self, starts: Sequence[int]) -> tuple[tuple[int, ...], RawClips | None]:
        """Those of the clips that the audio covers at all, and what is heard of them; None where there is none."""
        spec, found = self.spec, dict[int, _Samples]()
        for start in starts:
            first = window_sample(self.file, self.video, start, self.clip.span, spec)
            sound = self._read(first, spec.read)
            heard = sound[spec.margin : spec.margin + spec.samples]
            heard = heard[heard != UNHEARD]
            if len(heard):
                found[start] = sound
                self.covered, self.peak = True, max(self.peak, int(np.abs(heard.astype(np.int32)).max()))
        return tuple(found), _raw(list(found.values()), self.clip) if found else None

    def _read(self, first: int, samples: int) -> _Samples:
        begin = first // self._size
        blocks = [self._block(number) for number in range(begin, (first + samples - 1) // self._size + 1)]
        at = first - begin * self._size
        return np.concatenate(blocks)[at : at + samples]

    def _block(self, number: int) -> _Samples:
        if number not in self._kept:
            last = dict(list(self._kept.items())[-1:])
            read = read_sound(self.file, self.video, self.spec.rate, number * self._size, self._size)
            self._kept = last | {number: read}
        return self._kept[number]


def _raw(sounds: Sequence[_Samples], clip: ClipSpec) -> RawClips:
    """Stretches of sound as the variants of one clip, of which nothing is seen."""
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
