"""The features of frames: ``features/VIDEO.npy``, float [F, D], and how many of them are seen a second."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.reading import read_object
from kinema.data.questions.lines import indexed, one_of
from kinema.data.questions.table import Questions
from kinema.data.sequences.files import blocks, file_digest, open_features

log = logging.getLogger(__name__)

FEATURES, ABOUT = "features", "features.json"
_HINT = "Features are one .npy a video, float [F, D], a row a frame; `kinema features RUN DATA` makes them."


def features_about(folder: Path) -> Mapping[str, Any]:
    """What features.json says of a folder of features; empty where it is not there.

    Args:
        folder: of the features.

    Raises:
        DataError: it is damaged, or its rate is no number above 0.
    """
    path = folder / ABOUT
    if not path.is_file():
        return {}
    found = read_object(path, error=DataError, hint=_HINT)
    rate = found.get("frames_a_second")
    bad = isinstance(rate, bool) or not isinstance(rate, int | float)
    if rate is not None and (bad or not 0 < rate < math.inf):
        raise DataError(f"'{path}': 'frames_a_second' is {rate!r}; a number above 0 was expected.", _HINT)
    return found


def rate_of(about: Mapping[str, Any], rate: float, folder: Path) -> float:
    """Frames a second: as features.json says, else as the settings say, else 1.

    Args:
        about: what features.json says.
        rate: what the settings say; 0 for nothing.
        folder: of the features, for messages.
    """
    said = about.get("frames_a_second")
    if said is None:
        if not rate:
            log.warning(
                "Nothing says how many frames of '%s' are seen a second; 1 is taken. Write {\"frames_a_second\": r} "
                "into %s, or give --rate.",
                folder,
                ABOUT,
            )
        return rate or 1.0
    if rate and not math.isclose(rate, said):
        log.warning("%s says %g frames a second, and the settings %g; %s counts.", ABOUT, said, rate, ABOUT)
    return float(said)


def feature_files(folder: Path, videos: Sequence[str]) -> dict[str, tuple[Path, int, int, str]]:
    """The features of each video that has some: file, F, D, and SHA-256 of the file.

    Args:
        folder: of the features; need not be there.
        videos: their names.

    Raises:
        DataError: a file cannot be read, holds no frame or what is no finite number, files have several widths, or
            none is named as a video.
    """
    files = indexed(folder, (".npy",))
    found: dict[str, tuple[Path, int, int, str]] = {}
    for video in videos:
        path = one_of(video, files)
        if path is None:
            continue
        state = path.stat()
        found[video] = (path, *_looked_at(path, state.st_size, state.st_mtime_ns))
        width, first = found[video][2], next(iter(found.values()))
        if width != first[2]:
            raise DataError(
                f"The features in '{path.name}' have {width} numbers a frame, and those in '{first[0].name}' "
                f"{first[2]}.",
                "Make all by one network.",
            )
    if files and not found:
        raise DataError(
            f"None of the {len(files)} files in '{folder}' is named as one of the {len(videos)} videos; there are "
            f"'{next(iter(files.values()))[0].name}', for instance, and the video '{videos[0]}'.",
            _HINT,
        )
    return found


@lru_cache(maxsize=1 << 16)
def _looked_at(path: Path, size: int, mtime_ns: int) -> tuple[int, int, str]:  # noqa: ARG001 - as the file is now
    array = open_features(path)
    if not len(array) or not array.shape[1]:
        raise DataError(f"The features in '{path}' are {array.shape}; at least one frame was expected.", _HINT)
    for first, block in blocks(array):
        good = np.isfinite(block).all(axis=1)
        if not good.all():
            row = first + int(np.flatnonzero(~good)[0])
            raise DataError(f"The features in '{path}' hold what is no finite number, in row {row}.", _HINT)
    return len(array), array.shape[1], file_digest(path)


class FrameSource(Protocol):
    """The features of videos' frames."""

    @property
    def width(self) -> int:
        """D; 0 where there are none."""
        ...

    def times(self, video: str) -> NDArray[np.float32]:
        """The middle of each of a video's frames in seconds, float32 [F]; none of a video without."""
        ...

    def read(self, video: str, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some frames of a video, float32 [n, D]."""
        ...


class StoredFrames:
    """Features as they lie on the disk; what is read of them stays there.

    Args:
        table: says where they are.
    """

    def __init__(self, table: Questions) -> None:
        self._table = table
        self.width = table.frame_width

    def times(self, video: str) -> NDArray[np.float32]:
        """The middle of each frame, (f + .5) / rate."""
        return frame_times(self._table.clip(video).count, self._table.rate)

    def read(self, video: str, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some frames, float32 [n, D]; raises DataError where the file is gone or changed."""
        path = self._table.frames(video)
        assert path is not None, "frames are asked of a video that has some"
        array = _opened(path)
        if array.shape != (self._table.clip(video).count, self.width):
            raise DataError(f"'{path}' is {array.shape} now, and was otherwise when the data were read.", "Start anew.")
        return np.asarray(array[frames], np.float32)


class GivenFrames:
    """The features of one video, as a user gives them.

    Args:
        features: float32 [F, D].
        times: float32 [F], the middle of each frame in seconds.
    """

    def __init__(self, features: NDArray[np.float32], times: NDArray[np.float32]) -> None:
        self._features, self._times, self.width = features, times, features.shape[1]

    def times(self, video: str) -> NDArray[np.float32]:  # noqa: ARG002 - there is one
        """The middle of each frame."""
        return self._times

    def read(self, video: str, frames: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002 - there is one
        """Some frames, float32 [n, D]."""
        return self._features[frames]


def frame_times(count: int, rate: float) -> NDArray[np.float32]:
    """The middle of each of so many frames in seconds, float32 [count].

    Args:
        count: F.
        rate: frames a second.
    """
    return ((np.arange(count) + 0.5) / rate).astype(np.float32)


@lru_cache(maxsize=256)
def _opened(path: Path) -> NDArray[np.floating]:
    return open_features(path)
