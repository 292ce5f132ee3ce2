"""The pictures of pairs as arrays: read while they are asked for, or once for all into one flat file.

    CACHE/pairs/<key>.pictures    uint8 [N, 3, H, W] of N different pictures; see :mod:`kinema.data.stored`

The key is a digest of all that the content depends on. A picture that several rows name is held once.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.cost import CacheEstimate
from kinema.core.errors import DataError
from kinema.core.pairs import IMAGE, TEXT, PairView
from kinema.core.threads import available_cpus
from kinema.data.pairs.checking import open_array, vector_width
from kinema.data.pairs.table import Pair, Pairs, stored_row
from kinema.data.pictures import read_picture, resized
from kinema.data.stored import Put, stored, stored_bytes
from kinema.data.video.hearing import frame_times
from kinema.data.video.pieces import Part, decode_parts

if TYPE_CHECKING:
    from kinema.data.pairs.config import PairsConfig

Progress = Callable[[int, int], None]

FORMAT = 1
_AT_ONCE = 64
_THREADS = min(4, available_cpus())


class PictureSource(Protocol):
    """The pictures of several pairs, or their stored vectors, by the number of the row."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W) of pictures, uint8; (F,) of stored vectors, float32."""
        ...

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some of them, [B, *shape]."""
        ...


@dataclass(frozen=True)
class FilePictures:
    """Pictures that are read from their files each time they are asked for.

    Args:
        table: the pairs.
        height: H.
        width: W.
    """

    table: Pairs
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W)."""
        return 3, self.height, self.width

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some pictures, uint8 [B, 3, H, W].

        Raises:
            DataError: one cannot be read, though it could when the data were opened, or its video has no such frame.
        """
        found = np.empty((len(rows), *self.shape), np.uint8)
        for place, picture in self.each([self.table.rows[row] for row in rows.tolist()]):
            found[place] = picture
        return found

    def each(self, rows: Sequence[Pair]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The picture of each row with the row's place, uint8 [3, H, W]; frames of one video in one pass.

        Args:
            rows: of the table.

        Raises:
            DataError: as :meth:`read`.
        """
        files = [(place, self.table.root / row.image) for place, row in enumerate(rows) if row.at is None]

        def picture(item: tuple[int, Path]) -> tuple[int, NDArray[np.uint8]]:
            return item[0], resized(read_picture(item[1]), self.height, self.width)

        if len(files) == 1:
            yield picture(files[0])
        elif files:
            with ThreadPoolExecutor(_THREADS) as pool:
                for first in range(0, len(files), _AT_ONCE):
                    yield from pool.map(picture, files[first : first + _AT_ONCE])
        videos: dict[str, list[tuple[float, int]]] = {}
        for place, row in enumerate(rows):
            if row.at is not None:
                videos.setdefault(row.image, []).append((row.at, place))
        for file, wanted in videos.items():
            yield from self._frames(self.table.root / file, sorted(wanted))

    def _frames(self, path: Path, wanted: Sequence[tuple[float, int]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        times = frame_times(path)
        if not times:
            raise DataError(
                f"'{path}' does not say when its frames are shown, so that none can be told by its second.",
                "Write it anew in a container with times, for instance .mp4 or .mkv.",
            )
        places: dict[int, list[int]] = {}
        for at, place in wanted:
            places.setdefault(nearest(times, at), []).append(place)
        numbers = sorted(places)
        parts = [Part(frozenset({number})) for number in numbers]
        for number, pieces in zip(numbers, decode_parts(path, parts, short_side=None), strict=True):
            if number not in pieces.pixels:
                raise DataError(f"'{path}' has no frame {number} that can be decoded, counted from 0.")
            picture = resized(pieces.pixels[number], self.height, self.width)
            for place in places[number]:
                yield place, picture


@dataclass(frozen=True)
class StoredPictures:
    """Pictures in one array.

    Args:
        array: uint8 [N, 3, H, W], different pictures.
        places: int64 [rows], which of them each row has.
    """

    array: NDArray[np.uint8]
    places: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W)."""
        return tuple(self.array.shape[1:])

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some pictures, uint8 [B, 3, H, W]."""
        return np.asarray(self.array[self.places[rows]])


@dataclass(frozen=True)
class StoredVectors:
    """Vectors that lie in arrays (.npy), of the pictures or of the texts.

    Args:
        table: the pairs.
        view: 'image' or 'text'.
    """

    table: Pairs
    view: PairView

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(F,).

        Raises:
            DataError: they have several widths, or some rows have none.
        """
        return (vector_width(self.table, self.view),)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors, float32 [B, F].

        Raises:
            DataError: one cannot be read, though it could when the data were opened.
        """
        found = np.empty((len(rows), *self.shape), np.float32)
        files: dict[str, list[tuple[int, int]]] = {}
        for place, row in enumerate(rows.tolist()):
            each = self.table.rows[row]
            named = stored_row(each.image if self.view == IMAGE else each.text)
            assert named is not None, "every row has a stored vector"
            files.setdefault(named[0], []).append((place, named[1]))
        for file, wanted in files.items():
            places, numbers = map(list, zip(*wanted, strict=True))
            array = open_array(self.table.root / file)
            if max(numbers) >= len(array):
                raise DataError(f"'{file}' has {len(array)} rows, and row {max(numbers)} was asked for.")
            found[places] = array[numbers]
        if not np.isfinite(found).all():
            bad = self.table.rows[int(rows[int(np.argwhere(~np.isfinite(found))[0][0])])]
            raise DataError(f"The stored vector of '{bad.name}' holds what is no finite number.")
        return found


@dataclass(frozen=True)
class StoredTexts:
    """Stored vectors of texts, as a network takes them.

    Args:
        vectors: of each row.
        count: rows.
    """

    vectors: StoredVectors
    count: int

    @classmethod
    def of(cls, table: Pairs) -> StoredTexts:
        """Those of a table."""
        return cls(StoredVectors(table, TEXT), len(table))

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """None is made of words."""
        return np.zeros(self.count, np.bool_)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Some texts, float32 [B, V]."""
        return torch.from_numpy(self.vectors.read(rows))


def nearest(times: Sequence[float], at: float) -> int:
    """The number of the frame that is shown nearest to a moment; of two equally near the earlier.

    Args:
        times: of the frames, in seconds, ascending.
        at: seconds.
    """
    after = min(bisect_left(times, at), len(times) - 1)
    before = max(0, after - 1)
    return before if at - times[before] <= times[after] - at else after


def pictures_of(
    table: Pairs, config: PairsConfig, cache: Path | None = None, progress: Progress | None = None
) -> PictureSource:
    """The pictures of pairs, or their stored vectors, as a network is given them.

    Args:
        table: the pairs; each has a picture.
        config: says how large pictures are, and how large the cache may be.
        cache: the folder of all caches; None reads pictures as they are asked for.
        progress: is called with (pictures done, pictures).

    Raises:
        DataError: a picture cannot be read, or rows are of pictures and of stored vectors.
    """
    if vector_width(table, IMAGE):
        return StoredVectors(table, IMAGE)
    files = FilePictures(table, config.height, config.width)
    first, places = _different(table)
    if cache is None or stored_bytes(len(first), files.shape, np.uint8) > config.cache_gib * 2**30:
        return files

    def make(put: Put) -> None:
        for done, (place, picture) in enumerate(files.each([table.rows[row] for row in first]), 1):
            put(place, picture)
            if progress is not None:
                progress(done, len(first))

    array = stored(_file(cache, table, config, first), len(first), files.shape, np.uint8, make)
    return StoredPictures(array, places)


def cost_of(table: Pairs, config: PairsConfig, pictures: PictureSource | None, cache: Path) -> CacheEstimate:
    """What pictures take in the cache; nothing is written.

    Args:
        table: the pairs.
        config: says how large pictures are.
        pictures: of the pairs; None where none are needed.
        cache: the folder of all caches.
    """
    limit = int(config.cache_gib * 2**30)
    if pictures is None or len(pictures.shape) == 1:
        return CacheEstimate(cache / "pairs", 0, limit, True, 0.0)
    first, _ = _different(table)
    path = _file(cache, table, config, first)
    return CacheEstimate(path, stored_bytes(len(first), pictures.shape, np.uint8), limit, path.is_file(), 0.0)


def _different(table: Pairs) -> tuple[list[int], NDArray[np.int64]]:
    """The first row of each different picture, and which of these each row has, int64 [rows]."""
    numbers: dict[tuple[str, float | None], int] = {}
    first: list[int] = []
    places = np.empty(len(table), np.int64)
    for row, each in enumerate(table.rows):
        places[row] = numbers.setdefault((each.image, each.at), len(numbers))
        if len(numbers) > len(first):
            first.append(row)
    return first, places


def _file(cache: Path, table: Pairs, config: PairsConfig, rows: Sequence[int]) -> Path:
    content = [FORMAT, config.height, config.width, [table.rows[row].digest for row in rows]]
    return cache / "pairs" / f"{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]}.pictures"
