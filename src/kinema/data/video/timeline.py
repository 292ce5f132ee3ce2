"""When each frame of a video is shown, and which frame is shown when: one mapping for every verb.

Most files have a constant rate, and a frame's time is its number over the rate. Where the times of the packets say
otherwise by more than half a frame (calls, screens, phones, what was cut out), they decide. They are read without
decoding, once for a state of the file.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinema.core.errors import VideoError
from kinema.data.video.hearing import frame_times
from kinema.data.video.manifest import Video

DEFAULT_FPS = 25.0
"""Frames a second of files with neither timestamps nor a rate."""
ROUNDED = 0.0051
"""Seconds that a moment may lie beside a frame's beginning and still mean it: times are printed with two decimals."""


def rate_of(video: Video) -> float:
    """Frames a second; computed from the duration, or 25, where the file has no rate."""
    if video.fps > 0 and math.isfinite(video.fps):
        return video.fps
    return video.frames / video.duration if video.frames > 0 and video.duration > 0 else DEFAULT_FPS


@dataclass(frozen=True)
class Timeline:
    """Frames of one video and seconds after its first one.

    Args:
        fps: frames a second.
        frames: how many there are.
        times: when each frame is shown, if the rate is not constant; else empty, and ``fps`` says it.
    """

    fps: float
    frames: int
    times: Sequence[float] = ()

    @classmethod
    def of(cls, file: Path, video: Video) -> Timeline:
        """The timeline of a file.

        Args:
            file: the video. Where its packets cannot be read, or carry no times, its rate is taken as constant.
            video: what the manifest says of it.
        """
        fps = rate_of(video)
        try:
            times = frame_times(file)
        except (VideoError, OSError):
            times = ()
        return cls(fps, video.frames, varying(times[: video.frames], fps))

    @property
    def duration(self) -> float:
        """Seconds until the last frame is over; where the rate is not constant, it lasts as long as the one before."""
        if len(self.times) < 2:
            return self.frames / self.fps
        return 2 * self.times[-1] - self.times[-2]

    def first_at(self, seconds: float) -> int:
        """The frame that is shown at a moment; the number of frames, or more, where the video is over."""
        if not self.times:
            return round(seconds * self.fps)
        if seconds >= self.duration:
            return self.frames
        at = max(0, bisect_right(self.times, seconds) - 1)
        return at + self._meant(at, seconds)

    def end_at(self, seconds: float) -> int:
        """The frame after the last one that is shown before a moment; at most the number of frames."""
        if not self.times:
            return min(self.frames, round(seconds * self.fps))
        at = max(0, bisect_left(self.times, seconds) - 1)
        if seconds <= self.times[at] + ROUNDED and self._nearer(at, seconds):
            return at
        return min(self.frames, at + 1)

    def seconds(self, window: tuple[int, int]) -> tuple[float, float]:
        """When a window of (first frame, frames) begins, and when what is shown last in it is over."""
        first, end = window[0], sum(window)
        if not self.times:
            return first / self.fps, end / self.fps
        return self.times[first], self.times[end] if end < len(self.times) else self.duration

    def _meant(self, at: int, seconds: float) -> bool:
        """Whether a moment in frame ``at`` is the rounded beginning of the next one."""
        following = self.times[at + 1] if at + 1 < len(self.times) else math.inf
        return following - seconds <= ROUNDED and not self._nearer(at, seconds)

    def _nearer(self, at: int, seconds: float) -> bool:
        """Whether a moment is nearer to the beginning of frame ``at`` than to that of the next one."""
        following = self.times[at + 1] if at + 1 < len(self.times) else self.duration
        return seconds - self.times[at] < following - seconds


def varying(times: Sequence[float], fps: float) -> tuple[float, ...]:
    """The times, if a constant rate would miss one by half a frame or more; else none.

    Args:
        times: of the frames, in seconds after the first, ascending.
        fps: the rate that would be taken as constant.
    """
    half = 0.5 / fps
    return tuple(times) if any(abs(time - number / fps) >= half for number, time in enumerate(times)) else ()
