"""How many frames a second the videos of a folder have, and what that makes of a clip, which counts frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kinema.data.video.manifest import Video

MIXED = 1.5
"""How many times the lowest rate the highest is where rates are mixed: 24 to 30 are not, 25 and 50 are."""


@dataclass(frozen=True)
class Rates:
    """The frames a second of some videos.

    Args:
        lowest: of the slowest.
        highest: of the fastest.
    """

    lowest: float
    highest: float

    @property
    def mixed(self) -> bool:
        """Whether they are so far apart that clips of one number of frames are not alike."""
        return self.highest > MIXED * self.lowest

    def seconds(self, span: int) -> tuple[float, float]:
        """How long clips last, the shortest and the longest.

        Args:
            span: frames of the video that a clip covers.
        """
        return span / self.highest, span / self.lowest


def rates_of(videos: Sequence[Video]) -> Rates | None:
    """The rates of all videos that can be read and that say one; None where there is none.

    Args:
        videos: of a manifest.
    """
    known = [video.fps for video in videos if video.health != "unreadable" and 0 < video.fps < math.inf]
    return Rates(min(known), max(known)) if known else None


def mixed_message(videos: Sequence[Video], span: int, whose: str) -> str:
    """What a person reads where rates are mixed; empty where they are not.

    Args:
        videos: of a manifest.
        span: frames of the video that a clip covers.
        whose: which clip that is: "of this run".
    """
    rates = rates_of(videos)
    if rates is None or not rates.mixed:
        return ""
    shortest, longest = rates.seconds(span)
    return (
        f"The videos have {rates.lowest:.4g} to {rates.highest:.4g} frames a second. A clip counts frames: one "
        f"{whose}, of {span} frames, lasts from {shortest:.2g} s in the fastest to {longest:.2g} s in the slowest. "
        "For clips of one duration, bring the videos to one rate first (ffmpeg -i IN -vf fps=25 OUT), or keep each "
        "rate in a folder of its own; clip.stride sets the frames from one to the next. Windows of `kinema embed` are "
        "cut by time with --length 2s."
    )
