"""Files of features: one array [T, F] each, a row a frame, in the formats that such features are handed on in."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError

ARRAYS = (".npy", ".npz")
TEXTS = (".txt", ".txt.gz", ".csv", ".csv.gz")
ENDINGS = (*ARRAYS, *TEXTS)
BLOCK = 4096
"""Frames that are looked at together."""

_HINT = "Features are numbers, a row a frame: .npy or .npz of one array [T, F], or text (.txt, .csv, also gzipped)."


def claims_features(name: str) -> bool:
    """Whether a file's name ends like that of a file of features."""
    return name.lower().endswith(ENDINGS)


def stem_of(path: str) -> str:
    """A file's path without its ending: 'coffee/P03.txt.gz' gives 'coffee/P03'."""
    ending = next((each for each in sorted(ENDINGS, key=len, reverse=True) if path.lower().endswith(each)), "")
    return path[: len(path) - len(ending)] if ending else str(PurePosixPath(path).with_suffix(""))


def open_features(path: Path) -> NDArray[np.floating]:
    """The features of a file, float [T, F]; of a .npy they stay on the disk until they are used.

    A file of one number a frame gives [T, 1].

    Args:
        path: the file.

    Raises:
        DataError: it cannot be read, holds several arrays, or no table of numbers.
    """
    try:
        found = _read(path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"The features in '{path}' cannot be read: {reason}.", _HINT) from error
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or found.dtype.kind not in "fiu" or not found.shape[1]:
        raise DataError(f"'{path}' holds an array {found.shape} of {found.dtype}, and no numbers [T, F].", _HINT)
    return found


def _read(path: Path) -> NDArray[np.floating]:
    name = path.name.lower()
    if name.endswith(".npy"):
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    if name.endswith(".npz"):
        with np.load(path, allow_pickle=False) as held:
            if len(held.files) != 1:
                shown = ", ".join(held.files[:5])
                raise ValueError(f"it holds {len(held.files)} arrays ({shown}), and one was expected")
            return np.asarray(held[held.files[0]])
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        first = file.readline()
        if not first.strip():
            return np.empty((0, 1), np.float32)
        file.seek(0)
        return np.loadtxt(file, dtype=np.float32, ndmin=2, delimiter="," if "," in first else None)


def blocks(features: NDArray[np.floating]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The frames of a sequence some thousand at a time: the first one's number, and float64 [n, F]."""
    for first in range(0, len(features), BLOCK):
        yield first, np.asarray(features[first : first + BLOCK], np.float64)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
