"""What of pairs can be read: pictures, frames and stored vectors are looked at once, and what is broken is named."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.pairs import IMAGE, PairView
from kinema.core.splits import tidy
from kinema.data.matlab import read_matrix
from kinema.data.pairs.table import Pair, Pairs, array_file, stored_row
from kinema.data.pictures import size_of_picture
from kinema.data.sequences.files import file_digest, open_features
from kinema.data.video.files import claims_video
from kinema.data.video.hearing import frame_times

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Found:
    """What a cell names.

    Args:
        digest: SHA-256 of its content; empty where it cannot be read.
        reason: why it cannot be read; empty where it can.
        end: of a video, the second at which its last frame is over.
    """

    digest: str = ""
    reason: str = ""
    end: float = 0.0


_THREADS = 4
_MISSING = "it is not there"


def checked(rows: Sequence[Pair], root: Path, progress: Progress | None = None) -> tuple[Pair, ...]:
    """Pairs with their health, the reason and their digest; texts and labels are tidied.

    What stands before the colon of a reason is one of a few kinds, by which those that are left out are counted.
    Pictures are decoded, stored vectors looked at, and videos asked when their frames are shown; these are decoded
    while they are loaded. A row that is not 'ok' already keeps its reason.

    Args:
        rows: as a reader of tables, folders or known sets made them.
        root: the folder that their files lie below.
        progress: is called with (files done, files).

    Raises:
        DataError: two rows have one name, or not one can be read.
    """
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        raise DataError(
            f"{len(twice)} names stand more than once, for instance '{twice[0]}'.", "Give each pair a name of its own."
        )
    if not rows:
        raise DataError(f"There is no pair in '{root}'.", "A pair is a picture with a text.")
    tidied = [_tidied(row) for row in rows]
    known = _looked_at(root, tidied, progress)
    found = tuple(_judged(row, known) for row in tidied)
    if all(row.health != "ok" for row in found):
        raise DataError(
            f"None of the {len(found)} pairs in '{root}' can be read; '{found[0].name}': {found[0].reason}.",
            "Paths are absolute, or relative to the folder of the table.",
        )
    return found


def vector_width(table: Pairs, view: PairView) -> int:
    """How many numbers the stored vectors of a view have; 0 where it has pictures or words.

    Args:
        table: the pairs; rows that cannot be read, or lack the view, are passed over.
        view: 'image' or 'text'.

    Raises:
        DataError: some rows have vectors and some have none, or vectors have several widths.
    """
    rows = [row for row in table.rows if row.health == "ok" and row.has(view)]
    stored = [(row, found) for row in rows if (found := stored_row(_cell(row, view))) is not None]
    if not stored:
        return 0
    if len(stored) < len(rows):
        other = next(row for row in rows if stored_row(_cell(row, view)) is None)
        plain = "pictures" if view == IMAGE else "words"
        raise DataError(
            f"The {view} of '{stored[0][0].name}' is a stored vector ('{_cell(stored[0][0], view)}'), and that of "
            f"'{other.name}' is none ('{_cell(other, view)[:60]}').",
            f"Give stored vectors in every row, or {plain} in every row.",
        )
    widths = {int(open_array(table.root / file).shape[1]): file for _, (file, _) in reversed(stored)}
    if len(widths) > 1:
        named = ", ".join(f"{width} ('{file}')" for width, file in sorted(widths.items())[:4])
        raise DataError(f"The stored vectors of '{view}' have several widths: {named}.", "Make all by one network.")
    return next(iter(widths))


def open_array(path: Path) -> NDArray[np.floating]:
    """The vectors of a file, float [N, F]; of a .npy they stay on the disk until they are used.

    Args:
        path: a .npy file; or 'FILE.mat:NAME', a matrix of a MATLAB file.

    Raises:
        DataError: it is not there, or holds no table of numbers.
    """
    file, name = array_file(str(path))
    try:
        state = Path(file).stat()
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {_why(error)}.") from error
    return _opened(Path(file), name, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _opened(path: Path, name: str, size: int, mtime_ns: int) -> NDArray[np.floating]:  # noqa: ARG001 - as the file is now
    return read_matrix(path, name) if name else open_features(path)


def _cell(row: Pair, view: PairView) -> str:
    return row.image if view == IMAGE else row.text


def _tidied(row: Pair) -> Pair:
    labels = tuple(sorted({tidy(label) for label in row.labels} - {""}))
    return replace(row, image=row.image.strip(), text=tidy(row.text), labels=labels)


def _looked_at(root: Path, rows: Sequence[Pair], progress: Progress | None) -> Mapping[str, _Found]:
    """What each picture, video and stored vector that a row names is, by the cell that names it."""
    cells = sorted({row.image for row in rows if row.image and row.health == "ok"})
    cells += sorted({row.text for row in rows if stored_row(row.text) and row.health == "ok"} - set(cells))
    found: dict[str, _Found] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        looked = pool.map(lambda cell: _look(root, cell), cells)
        for done, (cell, each) in enumerate(zip(cells, looked, strict=True), 1):
            found[cell] = each
            if progress is not None:
                progress(done, len(cells))
    return found


def _look(root: Path, cell: str) -> _Found:
    stored = stored_row(cell)
    path = root / (array_file(stored[0])[0] if stored is not None else cell)
    try:
        if not path.exists():
            return _Found(reason=_MISSING)
        if not path.is_file():
            return _Found(reason="it is no file")
        if stored is not None:
            return _look_at_vector(root / stored[0], stored[1])
        state = path.stat()
        return _look_at_file(path, state.st_size, state.st_mtime_ns)
    except DataError as error:
        return _Found(reason=error.message.replace(f"'{path}' cannot be read: ", "").rstrip("."))
    except (OSError, ValueError) as error:
        return _Found(reason=_why(error))


def _look_at_vector(path: Path, number: int) -> _Found:
    array = open_array(path)
    if number >= len(array):
        return _Found(reason=f"the file has {len(array)} rows, counted from 0")
    vector = np.asarray(array[number], np.float32)
    if not np.isfinite(vector).all():
        return _Found(reason=f"row {number} holds what is no finite number")
    return _Found(hashlib.sha256(vector.tobytes()).hexdigest())


@lru_cache(maxsize=1 << 19)
def _look_at_file(path: Path, size: int, mtime_ns: int) -> _Found:  # noqa: ARG001 - another state is another key
    if not claims_video(path.name):
        size_of_picture(path)
        return _Found(file_digest(path))
    times = frame_times(path) if size else ()
    if not times:
        return _Found(reason="it does not say when its frames are shown" if size else "the file is empty")
    return _Found(file_digest(path), end=times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0))


def _judged(row: Pair, known: Mapping[str, _Found]) -> Pair:
    picture, text = known.get(row.image, _Found()), known.get(row.text, _Found(row.text))
    why = row.reason
    if row.health == "ok":
        why = _why_unreadable(row, picture, text)
    content: list[Any] = [picture.digest, row.at, text.digest]
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
    return replace(row, health="unreadable" if why or row.health != "ok" else "ok", reason=why, digest=digest)


def _why_unreadable(row: Pair, picture: _Found, text: _Found) -> str:
    video = claims_video(row.image) and stored_row(row.image) is None
    for cell, why in ((row.image, picture.reason), (row.text, text.reason)):
        what = "vector" if stored_row(cell) else "video" if video else "picture"
        if why == _MISSING:
            return f"a missing {what}: '{cell}' is not there"
        if why:
            return f"a broken {what}: '{cell}', {why}"
    if video and row.at is None:
        return f"a video in place of a picture: '{row.image}', and 'at' does not say which frame"
    if row.at is not None and not video:
        return f"a second of what is no video: '{row.image}' at {row.at:.3f} s"
    if row.at is not None and not 0 <= row.at <= picture.end:
        return f"a frame that the video has not: at {row.at:.3f} of {picture.end:.3f} s of '{row.image}'"
    return ""


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
