"""What readers of known sets of pairs share: the files that are there, pictures by their names, lists, errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.data.documents.walking import files_below
from kinema.data.matlab import matrices_in, read_matrix
from kinema.data.pairs.table import Pair
from kinema.data.pictures import claims_picture
from kinema.data.written import read_written

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """The files of a known data set.

    Args:
        root: its folder.
        title: the set's, for messages.
        expected: how it lies there, for messages.
        paths: all files, with forward slashes, sorted.
    """

    root: Path
    title: str
    expected: str
    paths: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, root: Path, title: str, expected: str) -> Files:
        """Those below a folder.

        Raises:
            DataError: the folder cannot be listed.
        """
        below, closed = files_below(root)
        if "." in closed:
            raise DataError(f"'{root}' cannot be listed: {closed['.']}.")
        return cls(root, title, expected, tuple(below))

    def ending(self, *endings: str) -> list[str]:
        """The files whose paths end so, in capitals too; those nearest to the root first.

        Args:
            endings: for instance '-lall.mat', or 'meta/tags/tags1.txt'.
        """
        folded = tuple(each.lower() for each in endings)
        found = [path for path in self.paths if path.lower().endswith(folded)]
        return sorted(found, key=lambda path: (path.count("/"), path))

    def named(self, name: str) -> str | None:
        """The file of that name, or of that name with folders before it; the one nearest to the root, or None."""
        return next((path for path in self.ending(name) if f"/{path}".lower().endswith(f"/{name}".lower())), None)

    def lines(self, path: str) -> list[str]:
        """The lines of a file that hold anything, without the space around them.

        Raises:
            DataError: it cannot be read.
        """
        return [line.strip() for line in read_written(self.root / path).text.splitlines() if line.strip()]

    @cached_property
    def _pictures(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self.paths:
            if claims_picture(path):
                parts = PurePosixPath(path.lower()).parts
                found.setdefault(parts[-1], path)
                found["/".join(parts[-2:])] = path
        return found

    def picture(self, name: str) -> str:
        """The picture of that name, by its folder too where it is named with one; empty where there is none.

        Args:
            name: for instance 'im17.jpg', or 'actor/0001_2124494179.jpg'.
        """
        tail = "/".join(PurePosixPath(name.lower()).parts[-2:])
        return self._pictures.get(tail) or self._pictures.get(PurePosixPath(tail).name, "")

    def missing(self) -> DataError:
        """What to raise where nothing of the set is there."""
        there = f"it holds {len(self.paths)} files, for instance '{self.paths[0]}'" if self.paths else "it is empty"
        return DataError(f"'{self.root}' holds no {self.title}: {there}.", f"Expected: {self.expected}.")


def hashing_matrices(
    files: Files, labels: str, names: Sequence[str] | None, queries: int, train: int
) -> tuple[Pair, ...]:
    """The form in which sets are handed on since DCMH: NAME-lall.mat, NAME-yall.mat, and NAME-iall.mat of features.

    The first rows are queries ('test'), those that follow 'train', all others are in the gallery alone. A text is the
    words 'tag0001', … for the columns of its row that are not 0.

    Args:
        files: of the set.
        labels: the file NAME-lall.mat.
        names: of the labels, in the order of the columns; None where the set says none.
        queries: how many are queries.
        train: how many are learnt from.

    Raises:
        DataError: a file cannot be read, or they do not fit one another.
    """
    stem = labels[: -len("lall.mat")]
    known = _matrix(files, labels)
    tags_file = next((path for path in files.paths if path.lower() == f"{stem}yall.mat".lower()), None)
    if tags_file is None:
        raise DataError(f"'{files.root}' holds '{labels}' and no '{stem}yall.mat' with the tags.", files.expected)
    tags = _matrix(files, tags_file)
    if len(tags) != len(known):
        raise DataError(
            f"'{labels}' has {len(known)} rows, and '{tags_file}' has {len(tags)}: they are not of one set."
        )
    if names is not None and len(names) != known.shape[1]:
        raise DataError(f"'{labels}' has {known.shape[1]} labels; {files.title} has {len(names)}.", files.expected)
    called = names or [f"label{number:02d}" for number in range(1, known.shape[1] + 1)]
    pictures = _features(files, stem, len(known))
    if len(known) < queries + train:
        log.warning(
            "%s has %d queries and %d rows to learn from, and '%s' has %d rows: they have no splits.",
            *(files.title, queries, train, labels, len(known)),
        )
        queries = train = 0
    return tuple(
        Pair(
            f"row {row}",
            f"{pictures}[{row}]" if pictures else "",
            text=" ".join(f"tag{column + 1:04d}" for column in np.flatnonzero(tags[row])),
            labels=tuple(sorted(called[column] for column in np.flatnonzero(known[row]).tolist())),
            split="test" if row < queries else "train" if row < queries + train else None,
        )
        for row in range(len(known))
    )


def _matrix(files: Files, path: str) -> NDArray[np.bool_]:
    """The one matrix of a file, of what is there and what is not: bool [rows, columns]."""
    there = matrices_in(files.root / path)
    if len(there) != 1:
        shown = f" ({', '.join(there)})" if there else ""
        raise DataError(f"'{files.root / path}' holds {len(there)} matrices{shown}, and one was expected.")
    found = read_matrix(files.root / path, next(iter(there)))
    if not np.isin(found, (0, 1)).all():
        raise DataError(f"The matrix of '{path}' holds other numbers than 0 and 1.", files.expected)
    return found.astype(np.bool_)


def _features(files: Files, stem: str, rows: int) -> str:
    """The stored vectors of the pictures, 'FILE.mat:NAME'; empty where there are none."""
    path = next((path for path in files.paths if path.lower() == f"{stem}iall.mat".lower()), None)
    if path is None:
        return ""
    try:
        there = matrices_in(files.root / path)
    except DataError as error:
        log.warning("%s Texts are read without pictures.", error.message)
        return ""
    found = [name for name, shape in there.items() if len(shape) == 2 and shape[0] == rows]
    if not found:
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in there.items())
        log.warning("'%s' holds no features [%d, F], but %s; texts are read without pictures.", path, rows, shown)
        return ""
    return f"{path}:{found[0]}"


def warn_of_missing(files: Files, missing: Sequence[str], of: int, what: str) -> None:
    """Names what lists name and the folder lacks.

    Args:
        files: of the set.
        missing: names.
        of: how many there should be.
        what: they are, for instance 'pictures'.
    """
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        named = ", ".join(f"'{each}'" for each in missing[:5])
        log.warning("%s: %d of %d %s are not there: %s%s.", files.title, len(missing), of, what, named, more)


def numbers_in(files: Files, path: str, lines: Iterable[str], most: int) -> list[int]:
    """Whole numbers from 1, one a line.

    Args:
        files: of the set.
        path: the file, for messages.
        lines: of it.
        most: the largest that there may be.

    Raises:
        DataError: a line holds something else.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.isascii() or not line.isdigit() or not 1 <= int(line) <= most:
            raise DataError(
                f"'{files.root / path}', line {number}: '{line[:40]}' is no number from 1 to {most}.", files.expected
            )
        found.append(int(line))
    return found
