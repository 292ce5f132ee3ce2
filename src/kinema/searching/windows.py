"""Cuts videos into windows, and windows into clips, whose mean embedding is that of the window.

A window is a stretch of a video, a clip is one input of the encoder. By default a window is one clip, and the windows
are those of :func:`kinema.data.evaluation_windows`, so that their mean is ``Model.encode`` of the whole video. A longer
window is the mean of the clips that the same function places in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.clips import ClipSpec
from kinema.core.errors import UsageError
from kinema.data.clips.sampler import evaluation_windows
from kinema.data.video.timeline import Timeline

_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|f)?")


@dataclass(frozen=True)
class Length:
    """A duration in seconds or in frames."""

    value: float
    unit: Literal["s", "f"]

    @classmethod
    def parse(cls, text: str | float, what: str) -> Length:
        """'2s' or 2 are seconds, '16f' frames.

        Args:
            text: the length.
            what: name of the option, for the error.

        Raises:
            UsageError: it is not a positive length, or not a whole number of frames.
        """
        found = _LENGTH.fullmatch(str(text).strip())
        unit = (found[2] or "s") if found else ""
        if not found or float(found[1]) <= 0 or (unit == "f" and float(found[1]) != int(float(found[1]))):
            raise UsageError(f"{what} is '{text}'.", "Give seconds or frames, for instance 2s, 0.5s or 16f.")
        return cls(float(found[1]), "s" if unit == "s" else "f")

    def frames(self, fps: float) -> int:
        """As whole frames, at least one."""
        return max(1, round(self.value * fps)) if self.unit == "s" else int(self.value)

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"


@dataclass(frozen=True)
class WindowSpec:
    """How videos are cut into windows.

    Args:
        length: of a window; None for one clip.
        stride: from one window to the next; None for half a window (15/32 of a clip, where a window is one).
    """

    length: Length | None = None
    stride: Length | None = None

    def check(self, clip: ClipSpec) -> None:
        """Raises a UsageError where a window would be shorter than a clip in every video."""
        if self.length is not None and self.length.unit == "f" and self.length.value < clip.span:
            raise UsageError(
                f"A window of {self.length.value:g} frames is shorter than a clip of this encoder, "
                f"which spans {clip.span} frames.",
                f"Choose a length of {clip.span}f or more, or leave it away.",
            )

    @property
    def in_seconds(self) -> bool:
        """Whether a part of it is in seconds, so that frames have to be found by their times."""
        return any(part is not None and part.unit == "s" for part in (self.length, self.stride))

    def cut(self, frames: int, fps: float, clip: ClipSpec, times: Sequence[float] = ()) -> tuple[tuple[int, int], ...]:
        """The windows of a video as (first frame, frames), the last one flush with its end.

        A length in seconds that is less than a clip at this rate is taken as one clip. A video no longer than a window
        is one window.

        Args:
            frames: of the video, at least one.
            fps: its frames a second.
            clip: settings of a clip.
            times: when each frame is shown, in seconds after the first, where the rate is not constant.
        """
        if times and self.in_seconds:
            return self._cut_by_times(Timeline(fps, frames, times), clip)
        length = clip.span if self.length is None else max(clip.span, self.length.frames(fps))
        room = frames - length
        if room <= 0:
            return ((0, frames),)
        if self.stride is not None:
            hop = self.stride.frames(fps)
        elif self.length is None:
            return tuple((start, length) for start in evaluation_windows(frames, clip))
        else:
            hop = max(1, length // 2)
        return tuple((start, length) for start in (*range(0, room, hop), room))

    def _cut_by_times(self, line: Timeline, clip: ClipSpec) -> tuple[tuple[int, int], ...]:
        """The windows where the rate is not constant: what is in seconds is the same time in each, not as many frames.

        A window of fewer frames than a clip is widened to one, and windows of the same frames are one.
        """

        def after(first: int, part: Length) -> int:
            return line.end_at(line.times[first] + part.value) if part.unit == "s" else first + int(part.value)

        def step(first: int, end: int) -> int:
            if self.stride is not None and self.stride.unit == "f":
                return first + int(self.stride.value)
            part = self.stride or Length((self.length.value if self.length else 0) / 2, "s")
            if self.stride is None and (self.length is None or self.length.unit == "f"):
                return first + max(1, (end - first) // 2)
            # The next whole number of strides at which another frame is shown than now.
            return max(first + 1, line.first_at(math.ceil(line.times[first + 1] / part.value) * part.value))

        found: dict[tuple[int, int], None] = {}
        first = 0
        while first < line.frames:
            end = first + clip.span if self.length is None else max(first + clip.span, after(first, self.length))
            if end >= line.frames:
                break
            found[first, end - first] = None
            first = step(first, end)
        last = line.frames - max(clip.span, self._frames_at_end(line))
        found[max(0, last), line.frames - max(0, last)] = None
        return tuple(found)

    def _frames_at_end(self, line: Timeline) -> int:
        """The frames of a window's length before the end of the video."""
        if self.length is None:
            return 1
        if self.length.unit == "f":
            return int(self.length.value)
        return line.frames - line.first_at(max(0.0, line.duration - self.length.value))


def clips_of(window: tuple[int, int], clip: ClipSpec) -> tuple[int, ...]:
    """First frames of the clips of a window (first frame, frames)."""
    first, frames = window
    return tuple(first + start for start in evaluation_windows(frames, clip))


def seconds_of(
    window: tuple[int, int], times: Sequence[float], fps: float, *, constant: bool = True
) -> tuple[float, float]:
    """When a window begins and ends, in seconds from the video's first frame.

    Args:
        window: (first frame, frames).
        times: presentation time of each frame, in seconds; NaN where unknown.
        fps: used where the times are unknown.
        constant: whether the last frame is shown for as long as the one before it. Otherwise it is shown until the next
            one, where there is one.
    """
    first, last = window[0], window[0] + window[1] - 1
    shown: NDArray[np.float64] = np.asarray([times[0], times[first], times[last], times[max(0, last - 1)]])
    if not np.isfinite(shown).all() or not shown[0] <= shown[1] <= shown[2]:
        return round(first / fps, 6), round((last + 1) / fps, 6)
    following = float("nan") if constant or last + 1 >= len(times) else times[last + 1]
    gap = following - shown[2] if following > shown[2] else shown[2] - shown[3]
    end = float(shown[2] - shown[0] + (gap if gap > 0 else 1 / fps))
    return round(float(shown[1] - shown[0]), 6), round(end, 6)
