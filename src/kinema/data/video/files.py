"""What counts as a video on disk: a file, by its ending; or a folder of numbered pictures, by a pattern.

Some data sets (Jester) come as one folder a video with a JPEG file a frame. Such a video is named by the path of its
folder and a pattern, ``148092/%05d.jpg``, which FFmpeg's demuxer ``image2`` reads as a stream (ffmpeg-formats, image2).
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kinema.data.workers import progressed

# fmt: off
EXTENSIONS = frozenset({
    ".264", ".265", ".266", ".360", ".3g2", ".3gp", ".3gp2", ".3gpp", ".amv", ".apng", ".asf",
    ".avc", ".avi", ".cavs", ".dav", ".dif", ".divx", ".dv", ".dvr-ms", ".evo", ".f4p",
    ".f4v", ".flc", ".fli", ".flv", ".gif", ".gxf", ".h261", ".h263", ".h264", ".h265", ".h266",
    ".hevc", ".insv", ".ismv", ".ivf", ".lrv", ".m1v", ".m2p", ".m2t", ".m2ts", ".m2v", ".m4v",
    ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mod", ".mov", ".mp2v", ".mp4", ".mp4v",
    ".mpe", ".mpeg", ".mpg", ".mpg4", ".mpv", ".mts", ".mxf", ".nsv", ".nut", ".nuv", ".obu",
    ".ogm", ".ogv", ".ogx", ".qt", ".rm", ".rmvb", ".roq", ".tod", ".tp", ".trp", ".ts", ".vc1",
    ".viv", ".vob", ".vro", ".vvc", ".webm", ".wm", ".wmv", ".wtv", ".xvid", ".y4m",
})
# fmt: on
"""File names that end in one of these claim to be video, in capitals too: what FFmpeg opens as one, by its demuxers and
by what cameras and recorders write. Endings that are mostly of sound (.ogg) or of anything (.dat) are left out."""

PICTURES_PER_SECOND = 12
"""The rate of every folder of pictures: that of Jester. Pictures have no times; only seconds depend on it."""

_PIECE = 1 << 20
_PATTERN = re.compile(r"([^%]*)%0(\d)d(\.(?:jpe?g|png))", re.IGNORECASE)
_NUMBERED = re.compile(r"([^%]*?)(\d+)(\.(?:jpe?g|png))", re.IGNORECASE)
_PICTURE = re.compile(r"(\d+)(\.jpe?g)", re.IGNORECASE)


def claims_video(name: str) -> bool:
    """Whether a file's name ends like a video's."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def is_pictures(path: Path) -> bool:
    """Whether a path names a folder of numbered pictures."""
    return _PATTERN.fullmatch(path.name) is not None


def pattern_of(name: str) -> str | None:
    """The pattern of a folder with a picture of this name: '%05d.jpg' for '00001.jpg'; None for others."""
    found = _PICTURE.fullmatch(name)
    return f"%0{len(found[1])}d{found[2]}" if found and len(found[1]) < 10 else None


def numbered_pictures(paths: Iterable[str]) -> dict[str, list[str]]:
    """The pictures that are numbered, by the pattern of their folder: 'a/img_%05d.png' for 'a/img_00001.png', ….

    Args:
        paths: of files, with forward slashes.
    """
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        match = _NUMBERED.fullmatch(name)
        if match and len(match[2]) < 10:
            found.setdefault((folder + slash, match[1], match[3]), []).append((match[2], path))
    named = {}
    for (folder, prefix, ending), each in found.items():
        width = min(len(number) for number, _ in each)
        named[f"{folder}{prefix}%0{width}d{ending}"] = [path for _, path in each]
    return named


def pictures(path: Path) -> dict[int, os.DirEntry[str]]:
    """The pictures of a pattern, by number and in order of it; empty for an ordinary file.

    Raises:
        OSError: the folder cannot be read.
    """
    found = _PATTERN.fullmatch(path.name)
    if not found:
        return {}
    one = re.compile(rf"{re.escape(found[1])}(\d{{{found[2]},}}){re.escape(found[3])}")
    with os.scandir(path.parent) as entries:
        named = [(one.fullmatch(entry.name), entry) for entry in entries]
    return dict(sorted(((int(match[1]), entry) for match, entry in named if match), key=lambda item: item[0]))


def status(path: Path) -> tuple[int, int]:
    """Bytes, and when it was last changed in nanoseconds since 1970; of a folder of pictures, their sum and the latest.

    Raises:
        OSError: it is not there.
    """
    if not is_pictures(path):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    each = [entry.stat() for entry in pictures(path).values()]
    if not each:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return sum(one.st_size for one in each), max(one.st_mtime_ns for one in each)


def why_other(path: Path, size: int, mtime_ns: int) -> str:
    """Why a file is not the one that was scanned with this size and time; empty where it is.

    Args:
        path: of the file now.
        size: bytes at the scan; 0 with ``mtime_ns`` 0 where they are not known, and nothing is compared.
        mtime_ns: when it had last been changed then, nanoseconds since 1970.
    """
    try:
        now = status(path)
    except OSError as error:
        return f"it cannot be reached now: {error.strerror}"
    if (size or mtime_ns) and now != (size, mtime_ns):
        return "it has changed since it was scanned: scan again"
    return ""


def is_passing(error: OSError, path: Path) -> bool:
    """Whether a failure may pass, so that the file may be there and whole: all but that a folder does not hold it.

    Args:
        error: of looking at a file, or of reading it.
        path: of the file. Where its folder cannot be seen either, nothing is known of the file.
    """
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return True
    try:
        os.stat(path.parent)
    except OSError:
        return True
    return os.path.islink(path)


def reading_error(path: Path) -> OSError | None:
    """The system's error of reading a file, or a folder of pictures, from its beginning to its end; None for none.

    Decoders cannot tell a file that is damaged from a disk or a share that fails; the system can.

    Args:
        path: of the file.
    """
    try:
        for name in [entry.path for entry in pictures(path).values()] or [os.fspath(path)]:
            if not stat.S_ISREG(os.stat(name).st_mode):
                continue
            with open(name, "rb", buffering=0) as file:
                while file.read(_PIECE):
                    progressed()
    except OSError as error:
        return error
    return None


def exists(path: Path) -> bool:
    """Whether there is such a file, or a folder with such pictures."""
    try:
        status(path)
    except OSError:
        return False
    return True


def on_disk(path: Path) -> Path:
    """A path as the disk spells it: the one with the same letters, where accents are composed in another way.

    Args:
        path: as somebody writes it. It is the answer too where it is there, or nothing else is meant by it.
    """
    if exists(path) or os.path.lexists(path) or "\0" in str(path) or path.parent == path:
        return path
    parent = on_disk(path.parent)
    wanted = unicodedata.normalize("NFC", path.name)
    try:
        alike = [name for name in os.listdir(parent) if unicodedata.normalize("NFC", name) == wanted]
    except OSError:
        return path
    return parent / alike[0] if len(alike) == 1 else path


def source_of(path: Path) -> tuple[str, dict[str, Any]]:
    """What PyAV opens: a name, and further arguments of ``av.open``.

    Raises:
        OSError: a folder of pictures that cannot be read.
    """
    absolute = os.path.abspath(path)
    if not is_pictures(path):
        return absolute, {}
    folder, name = os.path.split(absolute)
    options = {"framerate": str(PICTURES_PER_SECOND), "start_number": str(next(iter(pictures(path)), 0))}
    # A percent sign in the folder's own name would be taken for a part of the pattern.
    return os.path.join(folder.replace("%", "%%"), name), {"format": "image2", "options": options}
