"""What is asked: a picture, words, or a stored vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError
from kinema.core.pairs import IMAGE, TEXT, VIEWS, PairView
from kinema.data.documents.files import TEXTS, read_text
from kinema.data.pairs.checking import open_array
from kinema.data.pairs.table import stored_row
from kinema.data.pictures import claims_picture
from kinema.data.video.files import claims_video

ASK = 'Ask with words, kinema search RUN "a red bicycle"; with a picture that exists; or with a .txt file.'


@dataclass(frozen=True)
class PairQuery:
    """A query that was read.

    Args:
        view: what it is: 'image' or 'text'.
        given: words, the path of a picture, or a vector, float32 [F].
        name: how it was written.
        file: the file that it is of; None for words.
    """

    view: PairView
    given: Any
    name: str
    file: Path | None = None

    def __str__(self) -> str:
        return self.name


def read_pair_query(model: Any, query: str | Path, view: str | None = None) -> PairQuery:
    """Tells what a query is, and reads it.

    A file that exists and ends like a picture is one; a ``.txt`` file is its text; ``FILE.npy[ROW]`` is a stored
    vector; anything else is words. What only looks like a file is an error, not words.

    Args:
        model: a ``kinema.data.pairs.reader.PairReader``.
        query: see above.
        view: 'image' or 'text', where the user says what a stored vector is of, or that something is words.

    Raises:
        UsageError: it is of a view that the run does not have, is empty, or is a file that does not exist.
        DataError: it cannot be read.
    """
    if not isinstance(query, str | Path):
        raise UsageError(f"The query is a {type(query).__name__}.", ASK)
    if view not in (None, *VIEWS):
        raise UsageError(f"There is no view '{view}' of pairs.", "Choose image or text.")
    found = _read(model, query, view)
    if found.view not in model.views:
        kind = "a picture" if found.view == IMAGE else "text"
        only = " and ".join(model.views)
        raise UsageError(f"The query '{found.name}' is {kind}, and this run knows only the view '{only}'.", ASK)
    if view not in (None, found.view):
        raise UsageError(f"The query '{found.name}' is no {view}.", ASK)
    return found


def _read(model: Any, query: str | Path, view: str | None) -> PairQuery:
    name, path = str(query), Path(query)
    stored = stored_row(name)
    if stored is not None:
        return _stored(model, name, *stored, view)
    if view == TEXT and isinstance(query, str) and not _is_file(path):
        return _words(name)
    if claims_picture(name):
        _require(path, query)
        return PairQuery(IMAGE, path, name, path)
    if path.suffix.lower() in TEXTS and (_is_file(path) or _is_one_name(name)):
        _require(path, query)
        try:
            return _words(read_text(path), name, path)
        except (OSError, ValueError) as error:
            raise DataError(f"The query '{path}' cannot be read: {error}.") from error
    if claims_video(name) and (_is_file(path) or _is_one_name(name)):
        raise UsageError(f"The query '{name}' is a video, and this run reads pictures and text.", ASK)
    if isinstance(query, Path):
        raise UsageError(f"The query is the path '{query}', which is neither a picture nor a .txt file.", ASK)
    return _words(name)


def _words(text: str, name: str = "", file: Path | None = None) -> PairQuery:
    if not text.strip():
        raise UsageError(f"The query {name or text!r} holds no word.", ASK)
    return PairQuery(TEXT, text, name or text, file)


def _stored(model: Any, name: str, file: str, row: int, view: str | None) -> PairQuery:
    """A stored vector: of a picture where the run's pictures are vectors, of a text otherwise."""
    array = open_array(Path(file))
    if row >= len(array):
        raise DataError(f"The query '{name}' is of row {row}, and the file has {len(array)}, counted from 0.")
    vector: NDArray[np.float32] = np.asarray(array[row], np.float32)
    if not np.isfinite(vector).all():
        raise DataError(f"The query '{name}' holds what is no finite number.")
    takes = [each for each in model.views if _reads_vectors(model, each)]
    if not takes:
        raise UsageError(f"The query '{name}' is a stored vector, and this run reads none.", ASK)
    return PairQuery(next((each for each in takes if each == view), takes[0]), vector, name, Path(file))


def _reads_vectors(model: Any, view: PairView) -> bool:
    if view == TEXT:
        return bool(model.config.text == "vectors")
    return bool(model.towers[view].takes[0] == "features")


def _require(path: Path, query: str | Path) -> None:
    if not _is_file(path):
        raise UsageError(
            f"There is no file '{query}' to search with.",
            f"{ASK} To search for these very words: --view text.",
        )


def _is_one_name(name: str) -> bool:
    return len(name.split()) == 1


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text may be too long for a path
        return False
