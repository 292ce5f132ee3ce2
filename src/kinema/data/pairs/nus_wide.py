"""NUS-WIDE with its 21 most frequent labels: the official lists, or matrices of tags and labels (nus-wide-tc21)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.data.pairs.named import Files, hashing_matrices, warn_of_missing
from kinema.data.pairs.table import Pair

log = logging.getLogger(__name__)

MOST_FREQUENT = 21
"""How many labels are kept, those of most pictures; pictures of none of them are left out."""

QUERIES, TRAIN = 2100, 10_500
"""Rows of the split of the matrices: the first are queries, those that follow are learnt from."""

_EXPECTED = (
    "ImageList/Imagelist.txt, Groundtruth/AllLabels/Labels_airport.txt, …, and NUS_WID_Tags/All_Tags.txt or "
    "AllTags1k.txt with TagList1k.txt; or nus-wide-tc21-lall.mat and nus-wide-tc21-yall.mat"
)
_LABEL = re.compile(r"(?:.*/)?AllLabels/Labels_(\w+)\.txt", re.IGNORECASE)


def nus_wide_rows(root: Path) -> tuple[Pair, ...]:
    """The pairs of NUS-WIDE-21.

    Of the official form a text is the picture's tags. Its name is that of the list of pictures; the split is that of
    TrainImagelist.txt and TestImagelist.txt where they are there. For the matrices see
    :func:`kinema.data.pairs.named.hashing_matrices`.

    Args:
        root: the folder.

    Raises:
        DataError: it holds neither form, or lists do not fit one another.
    """
    files = Files.of(root, "NUS-WIDE", _EXPECTED)
    matrices = files.ending("-lall.mat")
    if matrices:
        return hashing_matrices(files, matrices[0], None, QUERIES, TRAIN)
    listed = files.named("ImageList.txt")
    truths = {found[1].lower(): path for path in files.paths if (found := _LABEL.fullmatch(path))}
    if listed is None or not truths:
        raise files.missing()
    names = [line.replace("\\", "/") for line in files.lines(listed)]
    labels, truth = _frequent(files, truths, len(names))
    tags = _tags(files, names)
    splits = _splits(files)
    kept = np.flatnonzero(truth.any(axis=1)).tolist()
    log.info("NUS-WIDE: %d of %d pictures have one of the %d labels.", len(kept), len(names), len(labels))
    pictures = {row: files.picture(names[row]) for row in kept}
    gone = [names[row] for row in kept if not pictures[row]]
    warn_of_missing(files, gone, len(kept), "pictures")
    here = len(gone) < len(kept)
    return tuple(
        Pair(
            names[row],
            (pictures[row] or names[row]) if here else "",
            text=tags[row],
            labels=tuple(sorted(labels[column] for column in np.flatnonzero(truth[row]))),
            split=splits.get(names[row].lower()),
        )
        for row in kept
    )


def _frequent(files: Files, truths: dict[str, str], rows: int) -> tuple[list[str], NDArray[np.bool_]]:
    """The most frequent labels, and which pictures have them: bool [rows, C]."""
    columns = {label: _column(files, path, rows) for label, path in sorted(truths.items())}
    labels = sorted(sorted(columns, key=lambda label: -int(columns[label].sum()))[:MOST_FREQUENT])
    return labels, np.stack([columns[label] for label in labels], axis=1)


def _column(files: Files, path: str, rows: int) -> NDArray[np.bool_]:
    """Which pictures have a label, bool [rows]: a line 0 or 1 a picture."""
    lines = files.lines(path)
    if len(lines) != rows:
        raise DataError(f"'{files.root / path}' has {len(lines)} lines, and the list of pictures has {rows}.")
    wrong = next((number for number, line in enumerate(lines, 1) if line not in ("0", "1")), None)
    if wrong is not None:
        raise DataError(f"'{files.root / path}', line {wrong}: '{lines[wrong - 1][:40]}' is neither 0 nor 1.")
    return np.array([line == "1" for line in lines])


def _tags(files: Files, names: Sequence[str]) -> list[str]:
    """The tags of each picture, spaces between."""
    path = files.named("All_Tags.txt")
    if path is not None:
        known: dict[str, str] = {}
        for line in files.lines(path):
            number, *words = line.split()
            known[number] = " ".join(words)
        wanted = [PurePosixPath(name).stem.rpartition("_")[2] for name in names]
        missing = [name for name, number in zip(names, wanted, strict=True) if number not in known]
        if len(missing) == len(names):
            raise DataError(f"'{files.root / path}' has the tags of none of the {len(names)} pictures.", _EXPECTED)
        warn_of_missing(files, missing, len(names), "tags of pictures")
        return [known.get(number, "") for number in wanted]
    return _frequent_tags(files, len(names))


def _frequent_tags(files: Files, rows: int) -> list[str]:
    """The tags of each picture among the thousand most frequent: a line of 0 and 1 a picture, and a list of names."""
    table, listed = files.named("AllTags1k.txt"), files.named("TagList1k.txt")
    if table is None or listed is None:
        raise DataError(f"'{files.root}' holds no tags of NUS-WIDE.", _EXPECTED)
    words, lines = files.lines(listed), files.lines(table)
    if len(lines) != rows:
        raise DataError(f"'{files.root / table}' has {len(lines)} lines, and the list of pictures has {rows}.")
    found = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if len(cells) != len(words) or not {"0", "1"} >= set(cells):
            raise DataError(f"'{files.root / table}', line {number}: {len(words)} times 0 or 1 were expected.")
        found.append(" ".join(word for word, cell in zip(words, cells, strict=True) if cell == "1"))
    return found


def _splits(files: Files) -> dict[str, str]:
    """The official split of pictures, by their names in small letters."""
    found: dict[str, str] = {}
    for split, name in (("train", "TrainImagelist.txt"), ("test", "TestImagelist.txt")):
        path = files.named(name)
        if path is not None:
            found |= {line.replace("\\", "/").lower(): split for line in files.lines(path)}
    return found
