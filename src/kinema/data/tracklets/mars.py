"""MARS by its index files: which pictures are a tracklet, which tracklets are queries, junk and distractors.

    ROOT/info/tracks_train_info.mat   [8298, 4]: first and last line of train_name.txt (from 1), person, camera
    ROOT/info/tracks_test_info.mat    [12180, 4]: the same of test_name.txt; person 0 is a distractor, -1 is junk
    ROOT/info/query_IDX.mat           rows of the test tracklets that are queries, from 1
    ROOT/info/train_name.txt          a picture's name a line: 0001C1T0001F001.jpg
    ROOT/info/test_name.txt
    ROOT/bbox_train/0001/*.jpg        the pictures, a folder a person
    ROOT/bbox_test/0002/*.jpg         (0000 of distractors, 00-1 of junk)

The index files are those of github.com/liangzheng06/MARS-evaluation; they may lie in ROOT itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.data.tracklets.drafts import Draft, Shot, finished, numbers_of
from kinema.data.tracklets.table import Kind, Tracklet

JUNK, DISTRACTOR = -1, 0
"""Persons of MARS who are nobody: detections of no use, and somebody who is no query's match."""

_BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, EOFError, NotImplementedError, MemoryError, OverflowError),
    *(struct.error, zlib.error, AttributeError, AssertionError),
)
_HINT = "The index files are those of github.com/liangzheng06/MARS-evaluation, in ROOT/info."


@dataclass(frozen=True)
class MarsIndex:
    """What MARS' index files say; columns are first and last line of the list of names (from 1), person and camera.

    Args:
        train: int64 [N, 4], the tracklets to train on.
        test: int64 [M, 4], the others.
        query: int64 [Q], rows of ``test`` that are queries, from 0.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    query: NDArray[np.int64]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What each test tracklet is."""
        names: dict[int, Kind] = {JUNK: "junk", DISTRACTOR: "distractor"}
        return tuple(names.get(person, "person") for person in self.test[:, 2].tolist())


def read_mars_index(folder: str | Path) -> MarsIndex:
    """Reads the three index files of MARS.

    Args:
        folder: it holds them, or its folder ``info`` does.

    Raises:
        DataError: a file is missing or damaged, or what it says cannot be; the message names it.
    """
    info = _info(Path(folder))
    train = _tracks(info / "tracks_train_info.mat", "track_train_info")
    test = _tracks(info / "tracks_test_info.mat", "track_test_info")
    path = info / "query_IDX.mat"
    query = _numbers(path, "query_IDX").reshape(-1) - 1
    if not len(query) or query.min() < 0 or query.max() >= len(test):
        raise DataError(
            f"'{path}' names tracklets that 'tracks_test_info.mat' has not: it has 1 to {len(test)}.", _HINT
        )
    if len(np.unique(query)) < len(query):
        raise DataError(f"'{path}' names a tracklet twice.", _HINT)
    nobody = int((test[query, 2] <= DISTRACTOR).sum())
    if nobody:
        raise DataError(f"{nobody} of {len(query)} queries in '{path}' are of nobody (person 0 or -1).", _HINT)
    return MarsIndex(train, test, query)


def mars_rows(root: Path, progress: Callable[[int, int], None] | None = None) -> list[Tracklet]:
    """The tracklets of MARS, training and test, in the order of their names.

    Args:
        root: the folder of the data set.
        progress: is called with (pictures done, pictures).

    Raises:
        DataError: an index file, a list of names or a folder of pictures is missing, or they do not belong together.
    """
    index = read_mars_index(root)
    missing = [name for name in ("bbox_train", "bbox_test") if not (root / name).is_dir()]
    if missing:
        raise DataError(
            f"'{root}' has no folder {' and no folder '.join(missing)}, where the pictures of MARS lie.",
            "Unpack bbox_train.zip and bbox_test.zip there; the index files alone hold no picture.",
        )
    queries = set(index.query.tolist())
    drafts = _drafts(root, "train", index.train, None) + _drafts(root, "test", index.test, queries)
    return list(finished(root, drafts, progress))


def _info(folder: Path) -> Path:
    for place in (folder / "info", folder):
        if (place / "query_IDX.mat").is_file():
            return place
    raise DataError(f"'{folder}' holds no MARS: neither it nor its folder info has a 'query_IDX.mat'.", _HINT)


def _tracks(path: Path, name: str) -> NDArray[np.int64]:
    found = _numbers(path, name)
    if found.shape[1] != 4 or not len(found):
        raise DataError(f"'{name}' in '{path}' is {list(found.shape)}; expected a row of four a tracklet.", _HINT)
    first, last, person, camera = found.T
    wrong = (first < 1) | (last < first) | (person < JUNK) | (camera < 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"Row {row + 1} of '{path}' is {found[row].tolist()}: first, last, person and camera.", _HINT)
    return found


def _numbers(path: Path, name: str) -> NDArray[np.int64]:
    """One matrix of whole numbers of a file, int64 [rows, columns]."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise DataError(f"'{path}' is not there.", _HINT)
    try:
        there = loadmat(str(path))
    except (*_BROKEN, MatReadError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"'{path}' is no MATLAB file that can be read: {reason}.", _HINT) from error
    found: Any = there.get(name)
    if not isinstance(found, np.ndarray):
        known = ", ".join(key for key in there if not key.startswith("__"))
        raise DataError(f"'{path}' holds no '{name}'; it holds: {known or 'nothing'}.", _HINT)
    whole = found.ndim == 2 and found.dtype.kind in "iuf" and bool((found == np.round(found)).all())
    if not whole or (found.size and np.abs(found.astype(np.float64)).max() >= 2**53):
        raise DataError(f"'{name}' in '{path}' is {found.dtype} {list(found.shape)}; expected whole numbers.", _HINT)
    return found.astype(np.int64)


def _drafts(root: Path, part: str, tracks: NDArray[np.int64], queries: set[int] | None) -> list[Draft]:
    """The tracklets of one part; with ``queries``, each has its role."""
    path = _info(root) / f"{part}_name.txt"
    try:
        names = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}', the list of pictures, cannot be read: {error}.", _HINT) from error
    most = int(tracks[:, 1].max())
    if most > len(names):
        raise DataError(
            f"'{path}' has {len(names)} names, and 'tracks_{part}_info.mat' goes up to {most}.",
            "They must be of one edition of the set.",
        )
    drafts = []
    for row, (first, last, person, camera) in enumerate(tracks.tolist()):
        files = names[first - 1 : last]
        begins = f"{person:04d}" if person != JUNK else "00-1"
        _check_names(files, f"{begins}C{camera}", path, first)
        shots = [
            Shot(f"bbox_{part}/{begins}/{file}", number) for file, number in zip(files, numbers_of(files), strict=True)
        ]
        kind: Kind = "junk" if person == JUNK else "distractor" if person == DISTRACTOR else "person"
        draft = Draft(f"{part}/{begins}/c{camera}/{row + 1:05d}", begins, str(camera), shots, kind=kind, split=part)
        if queries is not None:
            draft.role = "query" if row in queries else "gallery"
        drafts.append(draft)
    return drafts


def _check_names(files: Sequence[str], begins: str, path: Path, first: int) -> None:
    """Refuses pictures of another person or camera than the index says."""
    for number, file in enumerate(files):
        if not file.startswith(begins):
            raise DataError(
                f"Line {first + number} of '{path}' is '{file}', where the index has a picture of {begins}….",
                "The list of names and the index must be of one edition of the set.",
            )
