"""What of pairs can be read: pictures, frames and stored vectors are looked at once, and what is broken is named."""

from __future__ import annotations

import hashlib
import json
import logging
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
from kinema.core.pairs import IMAGE, TEXT, VIEWS, PairView
from kinema.core.splits import tidy
from kinema.data.matlab import read_matrix
from kinema.data.pairs.table import Health, Pair, Pairs, array_file, stored_row
from kinema.data.pictures import frames_of, size_of_picture
from kinema.data.sequences.files import file_digest, open_features
from kinema.data.video.files import claims_video
from kinema.data.video.hearing import frame_times

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Found:
    """What a cell names.

    Args:
        digest: SHA-256 of its content; empty where it cannot be read.
        reason: why it cannot be read; empty where it can.
        end: of a video, the second at which its last frame is over.
        frames: of a picture, of which the first is taken.
    """

    digest: str = ""
    reason: str = ""
    end: float = 0.0
    frames: int = 1


_THREADS = 4
_MISSING = "it is not there"


def checked(rows: Sequence[Pair], root: Path, progress: Progress | None = None) -> tuple[Pair, ...]:
    """Pairs with their health, the reason and their digest; texts and labels are tidied.

    What stands before the colon of a reason is one of a few kinds, by which those that are left out are counted.
    Pictures are decoded, stored vectors looked at, and videos asked when their frames are shown; these are decoded
    while they are loaded. What a row says is broken already keeps its reason. Of a row with a broken picture the text
    can still be learnt from, and the other way round.

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
    if all(row.why_not([view]) for row in found for view in VIEWS) and any(row.reason for row in found):
        first = next(row for row in found if row.reason)
        raise DataError(
            f"None of the {len(found)} pairs in '{root}' can be read; '{first.name}': {first.reason}.",
            "Paths are absolute, or relative to the folder of the table.",
        )
    _warn_of_frames(known)
    return found


def vector_width(table: Pairs, view: PairView) -> int:
    """How many numbers the stored vectors of a view have; 0 where it has pictures or words.

    Args:
        table: the pairs; rows that cannot be read, or lack the view, are passed over.
        view: 'image' or 'text'.

    Raises:
        DataError: some rows have vectors and some have none, or vectors have several widths.
    """
    rows = [row for row in table.rows if not row.why_not([view])]
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
    cells = sorted({row.image for row in rows if not row.why_not([IMAGE])})
    cells += sorted({row.text for row in rows if stored_row(row.text) and not row.why_not([TEXT])} - set(cells))
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
        return _Found(file_digest(path), frames=frames_of(path))
    times = frame_times(path) if size else ()
    if not times:
        return _Found(reason="it does not say when its frames are shown" if size else "the file is empty")
    return _Found(file_digest(path), end=times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0))


def _warn_of_frames(known: Mapping[str, _Found]) -> None:
    """Says of which pictures the first frame alone is taken."""
    several = [f"'{cell}' ({each.frames})" for cell, each in known.items() if each.frames > 1]
    if several:
        log.warning(
            "%d pictures have several frames or pages, of which the first is taken: %s%s.",
            len(several),
            ", ".join(several[:5]),
            f" and {len(several) - 5} more" * (len(several) > 5),
        )


def _judged(row: Pair, known: Mapping[str, _Found]) -> Pair:
    picture, text = known.get(row.image, _Found()), known.get(row.text, _Found(row.text))
    broken = dict(row.broken)
    if row.health == "ok" or broken:
        broken |= {view: why for view, why in _unreadable(row, picture, text).items() if view not in broken}
    content: list[Any] = [picture.digest, row.at, text.digest]
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
    health: Health = "unreadable" if broken or row.health != "ok" else "ok"
    return replace(row, health=health, reason=next(iter(broken.values()), row.reason), digest=digest, broken=broken)


def _unreadable(row: Pair, picture: _Found, text: _Found) -> dict[str, str]:
    """Why a view of a pair cannot be read, by the view."""
    found = {IMAGE: _why_no_picture(row, picture), TEXT: _named(row.text, "vector", text.reason)}
    return {view: why for view, why in found.items() if why}


def _why_no_picture(row: Pair, picture: _Found) -> str:
    stored = stored_row(row.image) is not None
    video = claims_video(row.image) and not stored
    if picture.reason:
        return _named(row.image, "vector" if stored else "video" if video else "picture", picture.reason)
    if video and row.at is None:
        return f"a video in place of a picture: '{row.image}', and 'at' does not say which frame"
    if row.at is not None and not video:
        return f"a second of what is no video: '{row.image}' at {row.at:.3f} s"
    if row.at is not None and not 0 <= row.at <= picture.end:
        return f"a frame that the video has not: at {row.at:.3f} of {picture.end:.3f} s of '{row.image}'"
    return ""


def _named(cell: str, what: str, why: str) -> str:
    if why == _MISSING:
        return f"a missing {what}: '{cell}' is not there"
    return f"a broken {what}: '{cell}', {why}" if why else ""


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
