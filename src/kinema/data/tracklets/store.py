"""The frames of tracklets as arrays: cut from files while they are asked for, or once for all into one flat file.

    CACHE/tracklets/<key>.crops       uint8 [N, 3, H, W], one frame after the other, then a CRC-32 of each
    CACHE/tracklets/<network>-<key>.features    float32 [N, F] likewise, of frozen features; .json lists the tracklets

The key is a digest of all that the content depends on. See :mod:`kinema.data.stored`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.files import write_json
from kinema.core.reading import load_json
from kinema.core.threads import available_cpus
from kinema.data.pictures import read_picture, resized
from kinema.data.sequences.files import open_features
from kinema.data.stored import Put, opened_store
from kinema.data.tracklets.boxes import cut
from kinema.data.tracklets.table import Box, Tracklet, Tracklets
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.files import claims_video
from kinema.data.video.pieces import decode_pieces

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Wanted = Sequence[tuple[int, Box | None]]
"""Places in a store, and the boxes of one picture that are cut for them."""

FORMAT = 1
_LIST = ".json"
_AT_ONCE = 64
_VIDEO_FRAMES = 8
_THREADS = min(4, available_cpus())


class FrameSource(Protocol):
    """The frames of several tracklets, by the number of the tracklet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W) of crops, uint8; (F,) of features, float32."""
        ...

    def length(self, row: int) -> int:
        """Frames of a tracklet."""
        ...

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[Any]:
        """Some frames of a tracklet, [n, *shape], in the order of ``places``, which count from 0."""
        ...


@dataclass(frozen=True)
class FileCrops:
    """Crops that are cut from their files each time they are asked for.

    Args:
        table: the tracklets.
        height: H of the crops.
        width: W.
    """

    table: Tracklets
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W)."""
        return 3, self.height, self.width

    def length(self, row: int) -> int:
        """Frames of a tracklet."""
        return len(self.table.rows[row])

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some crops of a tracklet, uint8 [n, 3, H, W].

        Raises:
            DataError: a file cannot be read, though it could when the data were opened.
        """
        each = self.table.rows[row]
        if is_video(each):
            return self._of_video(each, places.tolist())
        found = [
            resized(cut(read_picture(self.table.root / each.files[at]), box_of(each, at)), self.height, self.width)
            for at in places.tolist()
        ]
        return np.stack(found)

    def _of_video(self, each: Tracklet, places: Sequence[int]) -> NDArray[np.uint8]:
        path = self.table.root / each.files[0]
        wanted = [each.numbers[at] for at in places]
        pixels = decode_pieces(path, pixels=frozenset(wanted), short_side=None).pixels
        missing = [number for number in wanted if number not in pixels]
        if missing:
            raise _gone(path, missing[0])
        return np.stack(
            [
                resized(cut(pixels[number], box_of(each, at)), self.height, self.width)
                for number, at in zip(wanted, places, strict=True)
            ]
        )


@dataclass(frozen=True)
class ArrayFeatures:
    """Features that lie in arrays (.npy), one a tracklet.

    Args:
        table: the tracklets.
    """

    table: Tracklets

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(F,).

        Raises:
            DataError: arrays have several widths, or one cannot be read.
        """
        widths: dict[int, str] = {}
        for row in self.table.rows:
            widths.setdefault(open_features(self.table.root / row.files[0]).shape[1], row.files[0])
        if len(widths) > 1:
            named = ", ".join(f"{width} ('{file}')" for width, file in sorted(widths.items())[:4])
            raise DataError(f"Frames have features of several widths: {named}.", "Make all of them by one network.")
        return (next(iter(widths)),)

    def length(self, row: int) -> int:
        """Frames of a tracklet."""
        return len(self.table.rows[row])

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some frames of a tracklet, float32 [n, F]."""
        found = np.asarray(open_features(self.table.root / self.table.rows[row].files[0])[places], np.float32)
        if not np.isfinite(found).all():
            raise DataError(f"'{self.table.rows[row].files[0]}' holds features that are no finite numbers.")
        return found


@dataclass(frozen=True)
class StoredFrames:
    """Frames in one array.

    Args:
        array: [N, *shape] of all tracklets, one after the other.
        starts: int64 [rows + 1], where each tracklet begins.
    """

    array: NDArray[Any]
    starts: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame."""
        return tuple(self.array.shape[1:])

    def length(self, row: int) -> int:
        """Frames of a tracklet."""
        return int(self.starts[row + 1] - self.starts[row])

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[Any]:
        """Some frames of a tracklet."""
        return np.asarray(self.array[self.starts[row] + places])


def is_video(row: Tracklet) -> bool:
    """Whether a tracklet's frames are cut from a video."""
    return len(row.files) == 1 and claims_video(row.files[0])


def box_of(row: Tracklet, at: int) -> Box | None:
    """The box of a frame, None where its picture is a crop already."""
    return row.boxes[at] if row.boxes else None


def starts_of(table: Tracklets) -> NDArray[np.int64]:
    """Where each tracklet begins among the frames of all, int64 [rows + 1]."""
    return np.concatenate([[0], np.cumsum([len(row) for row in table.rows], dtype=np.int64)]).astype(np.int64)


def key_of(table: Tracklets, *how: Any) -> str:
    """The name of a store: a digest of the tracklets' frames, in order, and of how they are made."""
    content = [FORMAT, *how, [row.digest for row in table.rows]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def crops_of(
    table: Tracklets, height: int, width: int, progress: Progress | None = None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """All crops of a table, each with its place among them; every file is read once, however many people it shows.

    Args:
        table: the tracklets.
        height: H of the crops.
        width: W.
        progress: is called with (crops done, crops).

    Raises:
        DataError: a file cannot be read, though it could when the data were opened.
    """
    starts = starts_of(table)
    pictures: dict[str, list[tuple[int, Box | None]]] = {}
    videos: dict[str, dict[int, list[tuple[int, Box | None]]]] = {}
    for number, row in enumerate(table.rows):
        for at in range(len(row)):
            one = (int(starts[number]) + at, box_of(row, at))
            if is_video(row):
                videos.setdefault(row.files[0], {}).setdefault(row.numbers[at], []).append(one)
            else:
                pictures.setdefault(row.files[at], []).append(one)
    done = 0
    for found in itertools.chain(
        _of_pictures(table.root, pictures, height, width), _of_videos(table.root, videos, height, width)
    ):
        for each in found:
            done += 1
            yield each
        if progress is not None:
            progress(done, int(starts[-1]))


def _of_pictures(
    root: Path, pictures: Mapping[str, Wanted], height: int, width: int
) -> Iterator[list[tuple[int, NDArray[np.uint8]]]]:
    def crops(item: tuple[str, Wanted]) -> list[tuple[int, NDArray[np.uint8]]]:
        picture = read_picture(root / item[0])
        return [(place, resized(cut(picture, box), height, width)) for place, box in item[1]]

    items = list(pictures.items())
    with ThreadPoolExecutor(_THREADS) as pool:
        for first in range(0, len(items), _AT_ONCE):
            yield from pool.map(crops, items[first : first + _AT_ONCE])


def _of_videos(
    root: Path, videos: Mapping[str, Mapping[int, Wanted]], height: int, width: int
) -> Iterator[list[tuple[int, NDArray[np.uint8]]]]:
    for file, frames in videos.items():
        number, last = 0, max(frames)
        for chunk in decode_chunks(
            root / file, short_side=None, motion=False, stop=last + 1, seek=False, chunk=_VIDEO_FRAMES
        ):
            for picture in chunk.frames:
                yield [(place, resized(cut(picture, box), height, width)) for place, box in frames.get(number, ())]
                number += 1
        if number <= last:
            raise _gone(root / file, min(frame for frame in frames if frame >= number))


def _gone(path: Path, frame: int) -> DataError:
    return DataError(
        f"'{path}' has no frame {frame} that can be decoded, counted from 0.",
        "The file is damaged or ends early: mend it, or take the boxes of these frames out.",
    )


def put_known(path: Path, table: Tracklets, shape: tuple[int, ...], kind: Any, put: Put) -> list[int]:
    """Gives a store the tracklets that others of its kind hold already: parts of one set are not made again.

    Args:
        path: the store, called KIND-KEY; others of that kind lie beside it, with their lists of tracklets.
        table: the tracklets that it is to hold.
        shape: of a frame.
        kind: the type of its numbers.
        put: takes the place and the content of a frame.

    Returns:
        The rows that no other store holds.
    """
    starts, left = starts_of(table), set(range(len(table)))
    for listed in sorted(path.parent.glob(f"{path.name.partition('-')[0]}-*{path.suffix}{_LIST}")):
        wanted: dict[str, list[int]] = {}
        for row in left:
            wanted.setdefault(table.rows[row].digest, []).append(row)
        try:
            held = [(str(digest), int(frames)) for digest, frames in load_json(listed)["rows"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not any(digest in wanted for digest, _ in held):
            continue
        count = sum(frames for _, frames in held)
        array = opened_store(listed.with_name(listed.name.removesuffix(_LIST)), count, shape, kind)
        if array is None:
            continue
        first = 0
        for digest, frames in held:
            for row in wanted.get(digest, ()):
                if row in left and len(table.rows[row]) == frames:
                    for at in range(frames):
                        put(int(starts[row]) + at, array[first + at])
                    left.discard(row)
            first += frames
    return sorted(left)


def list_rows(path: Path, table: Tracklets) -> None:
    """Writes beside a store which tracklets it holds, for :func:`put_known`.

    Args:
        path: the store.
        table: its tracklets.
    """
    listed = path.with_name(path.name + _LIST)
    if not listed.exists():
        write_json(listed, {"rows": [[row.digest, len(row)] for row in table.rows]})
