"""How large a picture may be, decoded and scaled: declared here, and held to by all that reads video.

What a file takes on the disk says nothing of what it takes in memory: three kilobytes can claim pictures of any size,
and a strip two pixels high becomes hundreds of thousands of pixels long when its shorter side is scaled.

- A picture of more than ``LARGEST_PIXELS`` is not decoded: the scan names its file as unreadable, with the reason.
- A picture that is to be scaled and whose longer side is more than ``LONGEST`` times the shorter one is cut in the
  middle to that. Evaluation sees the square in the middle in any case, and a batch, padded to its largest clips, then
  takes at most ``LONGEST`` squared times the room of square ones.
- Sound of more than ``HIGHEST_RATE`` samples a second is not decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.data.video.manifest import Video

LARGEST_PIXELS = 8192 * 8192
"""Pixels of a picture at most, as it is stored."""

LONGEST = 4
"""How many times its shorter side the longer side of a scaled picture is at most."""

HIGHEST_RATE = 768_000
"""Samples a second of a sound at most: the highest rate of PCM that is in use."""

_CELL = 4
"""Pixels of a cell of motion, of which a cut is a whole number."""


def too_large(height: int, width: int) -> str:
    """Why a picture is not decoded; empty where it is.

    Args:
        height: pixels, as stored or as displayed.
        width: likewise.
    """
    if height * width <= LARGEST_PIXELS:
        return ""
    return f"its pictures have {width} x {height} pixels, more than the {LARGEST_PIXELS:,} that are decoded"


def too_fast(rate: int) -> str:
    """Why a sound is not decoded; empty where it is.

    Args:
        rate: samples a second that its stream claims.
    """
    return f"its sound claims {rate:,} samples a second, more than {HIGHEST_RATE:,}" if rate > HIGHEST_RATE else ""


def kept(height: int, width: int) -> tuple[int, int]:
    """(height, width) of what is kept of a picture that is to be scaled: at most ``LONGEST`` times as long as wide."""
    most = LONGEST * min(height, width)
    return min(height, most), min(width, most)


def first_kept(length: int, keeps: int, cells: int) -> int:
    """The first of the ``keeps`` pixels in the middle that are kept of ``length``, where a field of motion can be cut.

    Args:
        length: pixels of a side.
        keeps: how many of them are kept.
        cells: cells of 4 pixels in one of the field.
    """
    step = _CELL * cells
    return (length - keeps) // 2 // step * step


def is_cut(video: Video) -> bool:
    """Whether only the middle of a video's pictures is used, because they are so long."""
    return video.health != "unreadable" and kept(video.height, video.width) != (video.height, video.width)


def cut_message(videos: Sequence[Video]) -> str:
    """What a person reads of the videos of which only the middle is used; empty where there are none.

    Args:
        videos: all that are used.
    """
    cut = [video for video in videos if is_cut(video)]
    if not cut:
        return ""
    named = ", ".join(f"'{video.path}' ({video.width} x {video.height})" for video in cut[:5])
    more = f" and {len(cut) - 5} more" if len(cut) > 5 else ""
    whose = "1 video whose longer side is" if len(cut) == 1 else f"{len(cut)} videos whose longer side is"
    return f"Of {whose} more than {LONGEST} times the shorter one only the middle is used: {named}{more}."


def left_out_message(left: Sequence[Video], total: int) -> str:
    """What a person reads of the videos that cannot be decoded, because they are too large or damaged; empty for none.

    Args:
        left: these videos.
        total: how many there are, with them.
    """
    if not left:
        return ""
    named = ", ".join(f"'{video.path}' ({video.reason or 'it has no frames'})" for video in left[:5])
    more = f" and {len(left) - 5} more" if len(left) > 5 else ""
    return f"{len(left)} of {total} videos cannot be decoded and are left out: {named}{more}."
