"""Bytes of indexed videos: whole, or the range that a player requests; and of no file elsewhere.

A range is a half-open stretch of bytes. RFC 9110, 14.2: several ranges that cannot be joined, and what is no range of
bytes, may be passed over, and then the whole is sent; a range that begins behind the end is answered with 416.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import anyio.to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from kinema.data.video.files import claims_video, is_pictures
from kinema.data.video.manifest import Video
from kinema.serving.failures import RefusedError, missing

PIECE = 256 * 1024
_MOST_RANGES = 16
_OPEN = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_ONE = re.compile(r"(\d{0,18})-(\d{0,18})")
TYPES = {
    ".gif": "image/gif",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".ogv": "video/ogg",
    ".webm": "video/webm",
}
"""What browsers may know; everything else is sent as bytes."""


def media_type(name: str) -> str:
    """The type of a video by its name's ending."""
    return TYPES.get(os.path.splitext(name)[1].lower(), "application/octet-stream")


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The range of a Range header for a file of ``size`` bytes, as (begin, end), end not included; None for the whole.

    Raises:
        RefusedError: 416, no byte of the file is in it.
    """
    unit, equals, ranges = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes" or ranges.count(",") >= _MOST_RANGES:
        return None
    found: list[tuple[int, int]] = []
    for each in ranges.split(","):
        one = _ONE.fullmatch(each.strip())
        if one is None or one[0] == "-" or (one[1] and one[2] and int(one[2]) < int(one[1])):
            return None
        begin = int(one[1]) if one[1] else max(0, size - int(one[2]))
        end = min(size, int(one[2]) + 1) if one[1] and one[2] else size
        if begin < end:
            found.append((begin, end))
    if not found:
        raise RefusedError(
            416, "range", f"The range lies behind the end: there are {size} bytes.", "Ask for earlier ones."
        )
    found.sort()
    joined = found[0]
    for begin, end in found[1:]:
        if begin > joined[1]:
            return None
        joined = (joined[0], max(joined[1], end))
    return joined


def open_video(root: Path, video: Video, *, indexed: bool = True) -> tuple[int, os.stat_result]:
    """Opens a video of the table: a file that ends like a video, is below the folder, and is the one that was indexed.

    A table says of itself what its videos are; one that a stranger made may name any file of this machine.

    Args:
        root: the folder of the videos.
        video: what the table knows of it.
        indexed: whether its size and time are known; those of a video that was only segmented are not.

    Returns:
        A descriptor, to be closed by the caller, and the status of its file.

    Raises:
        RefusedError: 403, its name ends otherwise; 409, its size or time is another; see :func:`open_below`.
    """
    if not is_pictures(Path(video.path)) and not claims_video(video.path):
        raise RefusedError(403, "refused", "This file does not end like a video.")
    descriptor, found = open_below(root, video.path)
    if indexed and (found.st_size, found.st_mtime_ns) != (video.size, video.mtime_ns):
        os.close(descriptor)
        raise RefusedError(409, "changed", "This video has changed since it was indexed.", "Run kinema embed again.")
    return descriptor, found


def open_below(root: Path, name: str) -> tuple[int, os.stat_result]:
    """Opens a file that must really be below a folder.

    Args:
        root: that folder.
        name: the file's path below it, as the table has it.

    Returns:
        A descriptor, to be closed by the caller, and the status of its file.

    Raises:
        RefusedError: 404, it is not there, or is a folder of pictures; 403, a link leads out of the folder.
    """
    if is_pictures(Path(name)):
        raise RefusedError(404, "pictures", "This video is a folder of pictures, which cannot be played.")
    try:
        home = root.resolve(strict=True)
        file = (home / name).resolve(strict=True)
        if not file.is_relative_to(home):
            raise RefusedError(403, "refused", "This video is a link to a place outside of the indexed folder.")
        descriptor = os.open(file, _OPEN)
    except (OSError, ValueError, RuntimeError) as error:
        raise missing("video file") from error
    found = os.fstat(descriptor)
    try:
        now = os.stat(file.resolve(strict=True))
    except OSError:
        now = None
    # The path was checked before it was opened: the open file must be the one that the path still leads to.
    if not stat.S_ISREG(found.st_mode) or now is None or not os.path.samestat(found, now):
        os.close(descriptor)
        raise missing("video file")
    return descriptor, found


def send_file(
    root: Path, video: Video, *, wanted: str | None, unless: str | None, head: bool, indexed: bool = True
) -> Response:
    """A video of the table as an answer.

    Args:
        root: the folder of the videos.
        video: what the table knows of it.
        wanted: the Range header.
        unless: the If-Range header: the range counts only if the file is still that one.
        head: whether only the headers are requested.
        indexed: see :func:`open_video`.

    Raises:
        RefusedError: see :func:`open_video` and :func:`byte_range`.
    """
    descriptor, found = open_video(root, video, indexed=indexed)
    size = found.st_size
    tag = f'"{found.st_mtime_ns:x}-{size:x}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=0, must-revalidate",
        "ETag": tag,
        "Last-Modified": formatdate(found.st_mtime, usegmt=True),
    }
    try:
        part = byte_range(wanted, size) if unless in (None, tag, headers["Last-Modified"]) else None
    except RefusedError as error:
        os.close(descriptor)
        error.headers = {"Content-Range": f"bytes */{size}"}
        raise
    begin, end = part if part is not None else (0, size)
    headers["Content-Length"] = str(end - begin)
    if part is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    status = 200 if part is None else 206
    if head:
        os.close(descriptor)
        return Response(None, status, headers, media_type(video.path))
    return _Sending(descriptor, begin, end, status, headers, media_type(video.path))


class _Sending(StreamingResponse):
    """Closes the file however the sending ends, even before it began."""

    def __init__(self, descriptor: int, begin: int, end: int, status: int, headers: dict[str, str], kind: str) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        super().__init__(self._pieces(begin, end), status, headers, kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)

    async def _pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        self._file.seek(begin)
        left = end - begin
        while left > 0:
            piece = await anyio.to_thread.run_sync(self._file.read, min(PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
