"""Files of features: one array [T, F] each, a row a frame, in the formats that such features are handed on in."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError

ARRAYS = (".npy", ".npz")
TEXTS = (".txt", ".txt.gz", ".csv", ".csv.gz")
ENDINGS = (*ARRAYS, *TEXTS)
AT_ONCE = 1 << 19
"""Numbers that are looked at together."""

_BROKEN = (
    *(OSError, ValueError, EOFError, LookupError, MemoryError, OverflowError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
"""What readers raise of files that are damaged, encrypted, or something else than their name says."""

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
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"The features in '{path}' cannot be read: {reason}.", _HINT) from error
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or found.dtype.kind not in "fiu" or not found.shape[1]:
        raise DataError(f"'{path}' holds an array {found.shape} of {found.dtype}, and no numbers [T, F].", _HINT)
    return found


def _read(path: Path) -> NDArray[np.floating]:
    name = path.name.lower()
    if name.endswith(ARRAYS):
        return _read_array(path)
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.partition("#")[0].strip()), "")
        if not first:
            return np.empty((0, 1), np.float32)
        file.seek(0)
        separator = next((each for each in ",;" if each in first.partition("#")[0]), None)
        return np.loadtxt(file, dtype=np.float32, ndmin=2, delimiter=separator)


def _read_array(path: Path) -> NDArray[np.floating]:
    """The one array of a .npy, which stays on the disk, or of a .npz; by what the file is, whatever it is called."""
    with path.open("rb") as file:
        head = file.read(6)
        if head == b"\x93NUMPY":
            shape, _, kind = _head(file)
            if 0 in shape:
                return np.empty(shape, kind)  # nothing can be mapped
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    if head[:2] != b"PK":
        raise ValueError("it begins as no .npy or .npz does" if head else "it is empty")
    with np.load(path, allow_pickle=False) as held:
        if len(held.files) != 1:
            shown = ", ".join(held.files[:5])
            raise ValueError(f"it holds {len(held.files)} arrays ({shown}), and one was expected")
        return np.asarray(held[held.files[0]])


def _head(file: io.BufferedReader) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of the array in a .npy file."""
    file.seek(0)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(file)
    return found


def blocks(features: NDArray[np.floating]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The frames of a sequence some thousand at a time: the first one's number, and float64 [n, F]."""
    rows = rows_at_once(features.shape[1])
    for first in range(0, len(features), rows):
        yield first, np.asarray(features[first : first + rows], np.float64)


def rows_at_once(width: int) -> int:
    """How many frames of so many features are taken at a time: some megabytes, whatever the width."""
    return max(16, AT_ONCE // max(1, width))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
