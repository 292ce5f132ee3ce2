"""Matrices of MATLAB files (.mat), as data sets are handed on in them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError

MOST_NUMBERS = 1 << 31
"""Of a matrix that is read: it is held in memory."""

_BROKEN = (
    *(OSError, ValueError, TypeError, EOFError, LookupError, MemoryError, OverflowError, AttributeError),
    *(NotImplementedError, zlib.error, struct.error, RuntimeError),
)
"""What SciPy raises of files that are damaged, or something else than their name says."""

_HINT = "A .mat file holds matrices by name; MATLAB's save -v7 and scipy.io.savemat write such as can be read."


def matrices_in(path: Path) -> dict[str, tuple[int, ...]]:
    """The names and sizes of what a file holds.

    Args:
        path: the file.

    Raises:
        DataError: it is not there, or is no MATLAB file up to version 7.
    """
    from scipy.io import whosmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise DataError(f"'{path}' is not there.", _HINT)
    try:
        return {name: tuple(int(each) for each in shape) for name, shape, _ in whosmat(str(path))}
    except (*_BROKEN, MatReadError) as error:
        raise _broken(path, error) from error


def read_matrix(path: Path, name: str) -> NDArray[Any]:
    """A matrix of numbers, [N, F], in the type in which it is stored; a sparse one with its zeros.

    Args:
        path: the file.
        name: of the matrix in it.

    Raises:
        DataError: the file cannot be read, or holds no such matrix; the message says what it holds.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    there = matrices_in(path)
    if name not in there:
        raise DataError(f"'{path}' holds no '{name}'; it holds: {', '.join(there) or 'nothing'}.", _HINT)
    if np.prod([float(each) for each in there[name]]) > MOST_NUMBERS:
        raise DataError(f"'{name}' in '{path}' is {list(there[name])}: more than {MOST_NUMBERS} numbers are not read.")
    try:
        held = loadmat(str(path), variable_names=[name])[name]
        found: Any = held.toarray() if hasattr(held, "toarray") else held
    except (*_BROKEN, MatReadError) as error:
        raise _broken(path, error) from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "biuf" or not found.size:
        kind = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__
        raise DataError(f"'{name}' in '{path}' is {kind}; numbers [rows, columns] were expected.", _HINT)
    return found


def _broken(path: Path, error: BaseException) -> DataError:
    if isinstance(error, NotImplementedError):
        reason = "it is of version 7.3 (HDF5), or a kind that SciPy does not read"
    else:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return DataError(f"'{path}' is no MATLAB file that can be read: {reason}.", _HINT)
