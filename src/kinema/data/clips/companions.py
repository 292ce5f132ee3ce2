"""The positions of a clip's companions in its video: the keyframe, the motion clip that follows it and the others.

Pure functions of draws that are uniform in [0, 1), so that the caller decides what is random.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from kinema.core.clips import ClipSpec, Companions
from kinema.core.errors import DataError
from kinema.data.video.keyframe import nearest_keyframe

log = logging.getLogger(__name__)

NOWHERE = -1
"""The first frame of a motion clip for which the video has no room."""


def window_room(frames: int, spec: ClipSpec, companions: Companions | None = None) -> int:
    """At how many frames a window may begin: 0, 1, … up to this; always at least one.

    Where the video is long enough, the window begins so early that the motion clip which follows it fits too.

    Args:
        frames: of the video.
        spec: what a clip is.
        companions: what comes along.
    """
    room = frames - spec.span + 1
    after = 0 if companions is None else companions.after
    return max(1, room - after if room > after else room)


def check_room(frames: Mapping[int, int], spec: ClipSpec, companions: Companions) -> None:
    """Says how many videos are too short for the motion clip that follows a clip.

    Raises:
        DataError: all of them are.
    """
    needed = spec.span + companions.after
    short = sum(count < needed for count in frames.values())
    if short == 0:
        return
    message = (
        f"{short} of {len(frames)} videos have fewer than {needed} frames: a clip spans {spec.span}, and its target of "
        f"{companions.motion_frames} frames begins {companions.ahead} after it."
    )
    if short == len(frames):
        raise DataError(message, "Lower clip.frames or clip.stride, or leave the motion clips out.")
    log.warning("%s Their clips come without motion clips.", message)


def place_keyframe(
    companions: Companions, start: int, frames: int, spec: ClipSpec, keyframes: Sequence[int], draw: float
) -> int:
    """The number of one of the keyframes within reach of the clip, else of the nearest one to its middle.

    Args:
        companions: says how far the reach is.
        start: the frame at which the window begins, the one before the clip.
        frames: of the video.
        spec: what a clip is.
        keyframes: their numbers; where none is known, the clip's first frame is used.
        draw: which of them, in [0, 1).
    """
    first, last = start + spec.stride, start + spec.span - 1
    known = [number for number in keyframes if number < frames]
    near = [number for number in known if first - companions.reach <= number <= last + companions.reach]
    if near:
        return near[int(draw * len(near))]
    return nearest_keyframe(known, (first + last) // 2) if known else min(first, frames - 1)


def place_motion(
    companions: Companions, start: int, frames: int, spec: ClipSpec, draws: Sequence[float]
) -> tuple[int, ...]:
    """The first frames of the target and of the N other motion clips, ``NOWHERE`` for those without room.

    The others begin at different frames and do not overlap the target; they may overlap the clip and one another. None
    begins at frame 0, to which nothing moved.

    Args:
        companions: what motion clips there are.
        start: the frame at which the window begins, the one before the clip.
        frames: of the video.
        spec: what a clip is.
        draws: N numbers in [0, 1).
    """
    length = companions.motion_frames
    target = start + spec.span - 1 + companions.ahead
    if target + length > frames:
        return (NOWHERE,) * (1 + companions.negatives)
    before, after = max(0, target - length), max(0, frames - target - 2 * length + 1)
    chosen = _different(draws, before + after)
    others = [1 + number if number < before else target + length + number - before for number in chosen]
    return (target, *others, *(NOWHERE,) * (companions.negatives - len(others)))


def _different(draws: Sequence[float], room: int) -> list[int]:
    """Distinct numbers below ``room``: as many as there are draws, or as there is room for."""
    found: list[int] = []
    for draw in draws[:room]:
        number = int(draw * (room - len(found)))
        for taken in sorted(found):
            number += number >= taken
        found.append(number)
    return found
