"""MIRFLICKR-25K: as it was published, or as matrices of tags and labels (DCMH's 20,015 rows)."""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.data.pairs.named import Files, hashing_matrices, numbers_in, warn_of_missing
from kinema.data.pairs.table import Pair
from kinema.data.pictures import claims_picture

log = logging.getLogger(__name__)

QUERIES, TRAIN = 2000, 10_000
"""Rows of DCMH's split: the first are queries, those that follow are learnt from."""

LABELS = (
    *("animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor", "lake", "male"),
    *("night", "people", "plant_life", "portrait", "river", "sea", "sky", "structures", "sunset", "transport"),
    *("tree", "water"),
)
"""The 24 labels of what can be seen, in the order of DCMH's columns."""

_RELEVANT = "_r1"
"""At the end of a label's name: only where it is what the picture is about. There are 14 such."""

_EXPECTED = (
    "im1.jpg, … with meta/tags/tags1.txt, … and lists of numbers for each label (animals.txt, baby_r1.txt, …); or "
    "mirflickr25k-lall.mat and mirflickr25k-yall.mat"
)
_NAME = re.compile(r"im(\d{1,7})\.\w+", re.IGNORECASE)
_TAGS = re.compile(r"(?:.*/)?tags/tags(\d{1,7})\.txt", re.IGNORECASE)


def mirflickr_rows(root: Path) -> tuple[Pair, ...]:
    """The pairs of MIRFLICKR-25K.

    Of the published form a text is the picture's tags, with spaces between; the labels are the 24 of what can be seen,
    and those of them that the picture is about stand in the attribute 'relevant', ';' between. It has no splits. For
    the matrices see :func:`kinema.data.pairs.named.hashing_matrices`.

    Args:
        root: the folder.

    Raises:
        DataError: it holds neither form, or a list is malformed.
    """
    files = Files.of(root, "MIRFLICKR-25K", _EXPECTED)
    matrices = files.ending("mirflickr25k-lall.mat") or files.ending("-lall.mat")
    if matrices:
        return hashing_matrices(files, matrices[0], LABELS, QUERIES, TRAIN)
    pictures = _numbered(files, _NAME)
    tags = {int(found[1]): path for path in files.paths if (found := _TAGS.fullmatch(path))}
    if not pictures or not tags:
        raise files.missing()
    most = max(*pictures, *tags)
    seen, relevant = _labels(files, most)
    warn_of_missing(files, [f"tags{number}.txt" for number in sorted(set(pictures) - set(tags))], len(pictures), "tags")
    warn_of_missing(files, [f"im{number}.jpg" for number in sorted(set(tags) - set(pictures))], len(tags), "pictures")
    return tuple(
        Pair(
            f"im{number}",
            pictures[number],
            text=" ".join(files.lines(tags[number])) if number in tags else "",
            labels=tuple(sorted(seen.get(number, ()))),
            attributes={"relevant": ";".join(sorted(relevant[number]))} if number in relevant else {},
        )
        for number in sorted(pictures)
    )


def _numbered(files: Files, pattern: re.Pattern[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for path in files.paths:
        name = pattern.fullmatch(PurePosixPath(path).name)
        if name is not None and claims_picture(path):
            number = int(name[1])
            if number in found:
                raise DataError(f"'{found[number]}' and '{path}' in '{files.root}' are both picture {number}.")
            found[number] = path
    return found


def _labels(files: Files, most: int) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """The labels of each picture, and those that it is about."""
    seen: dict[int, list[str]] = {}
    relevant: dict[int, list[str]] = {}
    lacking = []
    for label in LABELS:
        for end, held in (("", seen), (_RELEVANT, relevant)):
            path = files.named(f"{label}{end}.txt")
            if path is None:
                lacking += [f"{label}.txt"] * (not end)
                continue
            for number in numbers_in(files, path, files.lines(path), most):
                held.setdefault(number, []).append(label)
    if len(lacking) == len(LABELS):
        log.warning("'%s' holds no labels of MIRFLICKR-25K, such as animals.txt; pairs have none.", files.root)
    elif lacking:
        warn_of_missing(files, lacking, len(LABELS), "lists of labels")
    return seen, relevant
