"""What a person gives an encoder of video, brought to two forms: files, with a stretch or without, and frames.

Paths, folders, pictures, bytes, streams, arrays, tensors and PIL images are told apart here, and nowhere else.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from kinema.core.errors import DataError, ShapeError, UsageError
from kinema.core.files import open_plain, storage_error
from kinema.core.plurals import counted
from kinema.data.clips.stretches import is_picture, parse_stretch
from kinema.data.video.decoding import decode
from kinema.data.video.files import on_disk
from kinema.data.video.scanning import video_files

Frames = Sequence[Image | NDArray[Any] | Tensor]
Video = str | Path | bytes | BinaryIO | NDArray[Any] | Tensor | Image | Frames

AT_ONCE = 64
"""Items of a generator that are taken before they are encoded."""

TAKES = (
    "A model of video takes paths (also clip.mp4@2-5, a folder or a picture), bytes and binary streams of files, "
    "arrays or tensors uint8 [frames, H, W, 3], PIL images, and lists of frames."
)

_BEGIN = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*")
"""How files of JPEG, PNG, BMP and TIFF begin."""


@dataclass(frozen=True)
class Given:
    """One video that is to be encoded: a file or frames.

    Args:
        name: what a person calls it, for messages.
        file: the video; None where the frames are here.
        stretch: of the file, (start, end) in seconds; None for all of it.
        frames: uint8 [frames, H, W, 3], RGB.
        still: whether it is one picture.
    """

    name: str
    file: Path | None = None
    stretch: tuple[float, float] | None = None
    frames: NDArray[np.uint8] | None = None
    still: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A video that could not be encoded.

    Args:
        position: its place among those that were given, from 0; of a folder, among its files in order of their paths.
        name: its path, or 'video 3' where it has none.
        reason: why, in words.
    """

    position: int
    name: str
    reason: str


@dataclass(frozen=True)
class Encoded:
    """What ``encode(…, errors="skip")`` gives. It is no array, so that no row can be taken for another video's.

    Args:
        embeddings: float32 [K, dim], a row for each video that could be read.
        kept: the place of each row's video among those that were given, from 0.
        names: the path of each row's video, or 'video 3' where it has none.
        left_out: those that could not be read, and why.
    """

    embeddings: NDArray[np.float32]
    kept: tuple[int, ...]
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    def __str__(self) -> str:
        rows = counted(len(self.kept), "rows")
        lost = "; ".join(f"{each.name} ({each.reason})" for each in self.left_out)
        return f"{rows} of {counted(len(self.kept) + len(self.left_out), 'videos')}, left out: {lost or 'none'}"


def listed(videos: Any) -> tuple[Iterable[Any], bool, int | None]:
    """The videos one by one, whether it was one by itself, and how many there are, None where that is not known.

    Raises:
        UsageError: it is nothing that holds videos.
        DataError: a folder holds none.
    """
    if isinstance(videos, str | Path) and os.path.isdir(videos):
        files = video_files(Path(videos))
        return files, False, len(files)
    if isinstance(videos, str | bytes | bytearray | memoryview | Path | Image) or _is_stream(videos):
        return [videos], True, 1
    if isinstance(videos, np.ndarray) and videos.dtype.kind in "UO":
        return videos.tolist(), False, len(videos)
    if isinstance(videos, np.ndarray | Tensor):
        return (list(videos), False, len(videos)) if videos.ndim == 5 else ([videos], True, 1)
    if isinstance(videos, Mapping) or not isinstance(videos, Iterable):
        raise UsageError(f"Videos are given as {type(videos).__name__}.", TAKES)
    if isinstance(videos, Sequence):
        return videos, False, len(videos)
    return videos, False, None


def portions(items: Iterable[Any], count: int | None) -> Iterator[list[Any]]:
    """The items, all at once where they are all there, and otherwise as many as are held at a time.

    Args:
        items: one by one.
        count: how many there are; None where they are made as they are asked for.
    """
    coming = iter(items)
    while some := list(islice(coming, AT_ONCE if count is None else max(count, 1))):
        yield some


def taken(item: Any, number: int, folder: Path, short_side: int) -> Given:
    """One item as a file or as frames.

    Args:
        item: what a person gave.
        number: its place among them.
        folder: where files are put that exist only in memory.
        short_side: to which pictures are scaled.

    Raises:
        UsageError: it is nothing that can be encoded; the message says what it is.
        ShapeError: an array is not uint8 [frames, H, W, 3], or frames differ in size.
        DataError: a picture cannot be read.
        StorageError: the temporary folder is full.
    """
    if isinstance(item, str | Path):
        return _path(item, short_side)
    if isinstance(item, bytes | bytearray | memoryview) or _is_stream(item):
        return _written(item, number, folder, short_side)
    name = f"video {number}"
    if isinstance(item, Image):
        return Given(name, frames=np.asarray(item.convert("RGB"))[None], still=True)
    if isinstance(item, Tensor):
        item = item.detach().cpu().numpy()
    if isinstance(item, list | tuple) and item:
        item = _stacked(item, number)
    if not isinstance(item, np.ndarray):
        raise UsageError(
            f"Video {number} is of type {type(item).__name__}; expected a path, an array or a picture.", TAKES
        )
    if item.dtype != np.uint8 or item.ndim != 4 or item.shape[-1] != 3 or not item.size:
        raise ShapeError(
            f"Video {number} is {item.dtype} {item.shape}; expected uint8 [frames, H, W, 3], RGB.{_as_torch(item)}"
        )
    return Given(name, frames=item)


def _as_torch(item: NDArray[Any]) -> str:
    """How an array in another order, or of another type, becomes what is taken; empty where it is not known."""
    if item.ndim == 4 and item.shape[1] == 3 and item.shape[-1] != 3:
        return " Channels come last: permute(0, 2, 3, 1)."
    if item.ndim == 4 and item.dtype.kind == "f" and item.size and item.min() >= 0 and item.max() <= 1:
        return " Values from 0 to 1 become bytes by (255 * x).round() and the type uint8."
    return ""


def _path(item: str | Path, short_side: int) -> Given:
    file, stretch = parse_stretch(item)
    file = on_disk(file)
    if file.is_dir():
        raise UsageError(
            f"'{file}' is a folder, among other things.", "Give a folder by itself, or its files one by one."
        )
    if is_picture(file) and file.exists():
        if stretch is not None:
            raise UsageError(f"'{file}' is a still picture; it has no stretch of time.", "Leave the '@…' away.")
        return Given(str(item), frames=decode(file, short_side=short_side, motion=False, stop=1).frames[:1], still=True)
    return Given(str(item), file, stretch)


def _written(item: Any, number: int, folder: Path, short_side: int) -> Given:
    """A file that exists only in memory, or comes from a stream, in a folder; a picture is read at once."""
    file, name = folder / f"video-{number}", f"video {number}"
    parts = iter(lambda: item.read(1 << 20), b"") if _is_stream(item) else iter([item])
    with _room_for(file), open_plain(file, "xb") as out:
        for part in parts:
            if not isinstance(part, bytes | bytearray | memoryview):
                raise UsageError(
                    f"Video {number} is a stream of {type(part).__name__}, not of bytes.", 'Open it with mode "rb".'
                )
            out.write(part)
    if not file.stat().st_size:
        raise DataError(f"Video {number} is empty.", "A stream is read from where it stands: seek(0) rewinds it.")
    with file.open("rb") as held:
        begin = held.read(12)
    if not begin.startswith(_BEGIN) and not (begin[:4] == b"RIFF" and begin[8:] == b"WEBP"):
        return Given(name, file)
    frames = decode(file, short_side=short_side, motion=False, stop=1).frames[:1]
    return Given(name, frames=frames, still=True)


@contextmanager
def _room_for(file: Path) -> Iterator[None]:
    """Says in our words that the temporary folder is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise  # of the stream that a person gave
        raise storage_error(file, error) from error


def _stacked(frames: Sequence[Any], number: int) -> NDArray[Any]:
    """Frames one by one as a video."""
    each = [_frame(frame, number) for frame in frames]
    if len({frame.shape for frame in each}) > 1:
        sizes = sorted({frame.shape for frame in each})
        raise ShapeError(f"The frames of video {number} differ in size: {', '.join(map(str, sizes[:4]))}.")
    return np.stack(each)


def _frame(frame: Any, number: int) -> NDArray[Any]:
    if isinstance(frame, Image):
        return np.asarray(frame.convert("RGB"))
    if isinstance(frame, Tensor):
        frame = frame.detach().cpu().numpy()
    if isinstance(frame, np.ndarray) and frame.ndim == 3:
        return frame
    what = f"an array {frame.shape}" if isinstance(frame, np.ndarray) else f"of type {type(frame).__name__}"
    raise UsageError(
        f"A frame of video {number} is {what}; expected a PIL image or an array uint8 [H, W, 3].",
        "A list within the list is one video, frame by frame; the paths of several videos are one list.",
    )


def _is_stream(item: Any) -> bool:
    return callable(getattr(item, "read", None)) and not isinstance(item, Path)
