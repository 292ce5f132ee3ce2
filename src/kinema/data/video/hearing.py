"""Which videos have usable sound, and the stretch of sound that belongs to a window of frames.

A stretch is centred on the middle of its window, on the video's clock (``data.video.audio``). It is stored as 16-bit
samples, in the cache and without it, so that both ways give the same values; ``UNHEARD`` marks what the audio does not
cover, which is not silence. A video is left out where its sound is needed and it has none, is silent, or has sound over
less than ``COVER`` of its length.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, VideoError
from kinema.data.video.audio import read_audio
from kinema.data.video.audio_table import audio_table
from kinema.data.video.files import status
from kinema.data.video.limits import too_fast
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.reading import open_file, open_video, packet_table, video_stream
from kinema.data.video.sound import SILENCE
from kinema.data.workers import progressed

if TYPE_CHECKING:  # workers import this module, and need no torch
    from kinema.core.clips import SoundSpec

UNHEARD = -32768
"""A stored sample where the audio does not cover the stretch."""
SCALE = 32767
SOUND_FPS = 25.0
"""Frames a second of the video that describes a file of sound without pictures."""
BLOCK_SECONDS = 120.0
"""Seconds of the sound of a whole video that are decoded at a time."""
COVER = 0.5
"""The least share of a video's length that its sound must cover."""


def sound_missing(video: Video) -> str:
    """Why a video has no usable sound, by its scan; empty where it has."""
    if video.audio_codec is None:
        return "it has no sound"
    if video.audio_silent:
        return "its sound is silent"
    if reason := too_fast(video.audio_rate):
        return reason
    if 0 < video.audio_duration < COVER * video.duration:
        return f"its sound lasts {video.audio_duration:.1f} s of {video.duration:.1f} s"
    return ""


def with_sound(manifest: Manifest) -> tuple[Manifest, Mapping[str, str]]:
    """The videos with usable sound, and for each of the others by its path, why it has none.

    Raises:
        DataError: there are none.
    """
    silent = {video.path: reason for video in manifest.videos if (reason := sound_missing(video))}
    if len(silent) == len(manifest):
        named = ", ".join(f"'{path}' ({reason})" for path, reason in list(silent.items())[:3])
        raise DataError(
            f"None of the {len(manifest)} videos can be heard: {named}{', …' if len(silent) > 3 else ''}.",
            "Learn from another view than 'sound', or give videos with sound; `kinema scan` says which have one.",
        )
    return replace(manifest, videos=tuple(video for video in manifest.videos if video.path not in silent)), silent


"""The earlier name of :func:`with_sound`, for modules that still import it."""


def sound_file(path: Path) -> Video | None:
    """A file of sound without moving pictures, described as a video of ``SOUND_FPS`` of the same length.

    Args:
        path: anything that FFmpeg opens; a picture of the cover is no moving picture.

    Returns:
        None where it has moving pictures, no sound that can be decoded, or cannot be opened.
    """
    try:
        with open_file(path) as container:
            streams = container.streams.audio
            if video_stream(container) is not None or not streams or streams[0].codec_context is None:
                return None
            codec, rate = streams[0].codec_context.codec.canonical_name, streams[0].codec_context.sample_rate
        table = audio_table(path)
    except VideoError:
        return None
    seconds, frames = table.end() / table.rate, round(table.end() / table.rate * SOUND_FPS)
    audio = {"audio_codec": codec, "audio_rate": rate or table.rate, "audio_duration": seconds}
    return Video(path=path.name, fps=SOUND_FPS, frames=max(1, frames), duration=seconds, **audio)


def silent_message(silent: Mapping[str, str], videos: int) -> str:
    """The message about the videos that are left out."""
    named = ", ".join(f"'{path}' ({reason})" for path, reason in list(silent.items())[:5])
    more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
    return f"{len(silent)} of {videos} videos cannot be heard and are left out: {named}{more}."


def read_sound(path: Path, video: Video, rate: int, first: int, samples: int) -> NDArray[np.int16]:
    """A stretch of a file's sound.

    Args:
        path: the file.
        video: what the manifest says of it.
        rate: samples a second.
        first: the first sample on the video's clock; may be before the video.
        samples: how many.

    Returns:
        int16 [samples], ``UNHEARD`` where the audio does not cover it.

    Raises:
        VideoError: the audio cannot be decoded.
    """
    found = read_audio(path, rate=rate, start=first / rate, duration=samples / rate, seek=video.health == "ok")
    sound = np.rint(np.clip(found.samples, -1, 1) * SCALE).astype(np.int16)
    sound[~found.valid] = UNHEARD
    return sound


def whole_sound(path: Path, video: Video, rate: int, first: int, samples: int) -> Iterator[NDArray[np.int16]]:
    """The sound of a whole video, a block at a time, so that memory does not grow with its length.

    Args:
        path: see :func:`read_sound`; so are the others.
        video: likewise.
        rate: likewise.
        first: likewise.
        samples: likewise.

    Yields:
        int16 [S] each, ``samples`` together.

    Raises:
        VideoError: the audio cannot be decoded; or, at the end, all of it is silent or it covers too little.
    """
    # A file that is not whole is decoded from its beginning for every block.
    most = round(BLOCK_SECONDS * rate) * (1 if video.health == "ok" else 10)
    covered, peak = 0, 0
    for at in range(0, samples, most):
        sound = read_sound(path, video, rate, first + at, min(most, samples - at))
        heard = sound[sound != UNHEARD]
        covered, peak = covered + len(heard), max(peak, int(np.abs(heard.astype(np.int32)).max(initial=0)))
        yield sound
        progressed()
    if peak < SILENCE * SCALE:
        raise VideoError(f"'{video.path}' cannot be heard: its sound is silent.")
    if video.duration > 0 and covered < COVER * video.duration * rate:
        raise VideoError(f"'{video.path}' cannot be heard: its sound covers less than half of it.")


def whole_stretch(video: Video, spec: SoundSpec) -> tuple[int, int]:
    """The first sample, on the video's clock, and the number of samples that the windows of the video may need."""
    half = spec.read // 2 + 1
    return -half, 2 * half + round(video_seconds(video) * spec.rate) + 1


def video_seconds(video: Video) -> float:
    """How long a video is shown: by its frames, or as the file says where that is longer."""
    return max(video.duration, video.frames / video.fps if video.fps > 0 else 0.0)


def window_middle(path: Path, video: Video, start: int, span: int) -> float:
    """When the middle of a window is shown, in seconds after the first frame.

    It is drawn to the sound where that ends before it, so that half of every stretch at least is covered by a sound
    that begins with the video.

    Args:
        path: the file, whose packets give the times where the rate varies.
        video: what the manifest says of it.
        start: the frame at which the window begins.
        span: frames of the window; a video shorter than it holds its last one.
    """
    first, last = start, min(start + span, video.frames) - 1
    times = frame_times(path) if video.variable_fps or video.fps <= 0 else ()
    if len(times) > last:
        middle = (times[first] + times[last]) / 2
    else:
        rate = video.fps if video.fps > 0 else video.frames / video.duration if video.duration > 0 else 25.0
        middle = (first + last) / 2 / rate
    return min(middle, video.audio_duration) if video.audio_duration > 0 else middle


def window_sample(path: Path, video: Video, start: int, span: int, spec: SoundSpec) -> int:
    """The first of the ``spec.read`` samples about the middle of a window."""
    last = sum(whole_stretch(video, spec)) - spec.read
    return min(round(window_middle(path, video, start, span) * spec.rate) - spec.read // 2, last)


def frame_times(path: Path) -> tuple[float, ...]:
    """When each frame of a file is shown, in seconds after the first; empty where its packets carry no times."""
    return _frame_times(path, *status(path))


@functools.lru_cache(maxsize=64)
def _frame_times(path: Path, _size: int, _mtime: int) -> tuple[float, ...]:
    table = packet_table(path)
    if table is None:
        return ()
    with open_video(path) as (_, stream):
        tick = float(stream.time_base)
    shown = table.shown()
    return tuple((pts - shown[0]) * tick for pts in shown)
