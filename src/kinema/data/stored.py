"""Arrays of many frames or pictures in one flat file: one after the other, then a CRC-32 of each.

A file is written under another name and renamed when it is complete; what is damaged is found by its sums and made
again.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.files import write_atomic

log = logging.getLogger(__name__)

Put = Callable[[int, NDArray[Any]], None]
"""Takes the place and the content of a frame."""


def stored_bytes(count: int, shape: Sequence[int], kind: Any) -> int:
    """Bytes of a store of ``count`` frames."""
    return int(count * (math.prod(shape) * np.dtype(kind).itemsize + 4))


def stored(path: Path, count: int, shape: tuple[int, ...], kind: Any, make: Callable[[Put], object]) -> NDArray[Any]:
    """Frames from a flat file, which is made where it is not there, or is damaged.

    Args:
        path: the file.
        count: N.
        shape: of a frame.
        kind: the type of its numbers.
        make: is called with a function that takes the place and the content of a frame, and must give it each one.

    Returns:
        [N, *shape], mapped.

    Raises:
        StorageError: it cannot be written.
    """
    found = opened_store(path, count, shape, kind)
    if found is None:
        if path.exists():
            log.warning("The cache '%s' was damaged and is made again.", path)
        write_atomic(path, lambda file: _write(file, count, shape, kind, make), size=stored_bytes(count, shape, kind))
        found = opened_store(path, count, shape, kind)
        assert found is not None, "what was just written is sound"
    return found


def _write(file: IO[bytes], count: int, shape: tuple[int, ...], kind: Any, make: Callable[[Put], object]) -> None:
    size = math.prod(shape) * int(np.dtype(kind).itemsize)
    sums, given = np.zeros(count, "<u4"), np.zeros(count, np.bool_)

    def put(place: int, frame: NDArray[Any]) -> None:
        content = np.ascontiguousarray(frame, kind).tobytes()
        file.seek(place * size)
        file.write(content)
        sums[place], given[place] = zlib.crc32(content), True

    make(put)
    assert given.all(), "every frame was given"
    file.seek(count * size)
    file.write(sums.tobytes())


def opened_store(path: Path, count: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any] | None:
    """The frames of a file, [N, *shape], mapped; None where it is not there or not as it was written.

    Args:
        path: the file.
        count: N.
        shape: of a frame.
        kind: the type of its numbers.
    """
    try:
        if path.stat().st_size != stored_bytes(count, shape, kind):
            return None
        whole = np.memmap(path, np.uint8, mode="r")
    except (OSError, ValueError):
        return None
    size = math.prod(shape) * int(np.dtype(kind).itemsize)
    frames = whole[: count * size].reshape(count, size)
    sums = whole[count * size :].view("<u4")
    if any(zlib.crc32(frames[at].data) != sums[at] for at in range(count)):
        return None
    found: NDArray[Any] = frames.view(kind).reshape(count, *shape)
    return found
