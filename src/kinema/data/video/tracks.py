"""Which of a file's video tracks is the video: the same one in every verb.

Cameras and editors put further tracks into a file: covers, previews of a few pictures, black or small copies. What is
read is the default track, and among several of those, or where none is, the largest; pictures and previews give way.
Only what the file's head says is asked, so the answer costs nothing and never changes.
"""

from __future__ import annotations

from typing import Any

from av.stream import Disposition

_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_PICTURE_CODECS = frozenset({"bmp", "gif", "jpeg2000", "mjpeg", "png", "tiff", "webp"})
_PREVIEW = 4
"""A default track is a preview if another has so many times its pixels."""
_FEW = 10
"""A track is a preview if another has so many times its frames."""


def video_tracks(container: Any) -> list[Any]:
    """The streams of moving pictures of an open container, without covers and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & _PICTURES]


def main_track(container: Any) -> Any | None:
    """The stream that is read; None where there is none. One that cannot be decoded is taken only if all are so."""
    found = video_tracks(container)
    if len(found) < 2:
        return found[0] if found else None
    found = [stream for stream in found if stream.codec_context is not None] or found
    found = [stream for stream in found if _codec(stream) not in _PICTURE_CODECS] or found
    most = max(stream.frames for stream in found)
    found = [stream for stream in found if not 0 < stream.frames * _FEW <= most]
    largest = max(map(_pixels, found))
    default = [s for s in found if Disposition.default in s.disposition and _pixels(s) * _PREVIEW > largest]
    return max(default or found, key=_pixels)


def track_note(container: Any, stream: Any) -> str:
    """Which of several tracks is read, in words; empty where there is one alone.

    Args:
        container: an open one.
        stream: that is read.
    """
    found = video_tracks(container)
    if len(found) < 2:
        return ""
    at = [each.index for each in found].index(stream.index) + 1
    return f"video track {at} of {len(found)} is read ({', '.join(map(_described, found))})"


def _codec(stream: Any) -> str:
    return "" if stream.codec_context is None else str(stream.codec_context.codec.canonical_name)


def _pixels(stream: Any) -> int:
    context = stream.codec_context
    return 0 if context is None else int(context.width) * int(context.height)


def _described(stream: Any) -> str:
    context = stream.codec_context
    return "unknown" if context is None else f"{_codec(stream)} {context.width}x{context.height}"
