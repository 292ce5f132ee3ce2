"""UCF101 (Soomro, Zamir and Shah 2012, arXiv:1212.0402): 13 320 videos from YouTube in 101 classes.

Sources of the facts: the file names and their groups are those of the paper, section 2 (``v_X_gYY_cZZ.avi``: class,
group, clip; the clips of a group may share background and actors). The lists are those of the data set's page
(https://www.crcv.ucf.edu/research/data-sets/ucf101), 'train/test splits for action recognition', in the folder
``ucfTrainTestlist``: ``trainlist0N.txt`` with lines ``Class/file.avi NUMBER``, ``testlist0N.txt`` with lines
``Class/file.avi``, and ``classInd.txt`` with lines ``NUMBER Class``.

The source is the group. A group's name repeats in every class (g01 to g25), so the class stays part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists, any_stem, of_splits
from kinema.data.layouts.tree import Tree, lines

_VIDEO = re.compile(r"(?P<label>[^/]+)/(?P<source>v_[^/]+_g\d+)_c\d+\.\w+")


def _read(tree: Tree, chosen: int) -> Lists:
    numbers = _classes(tree)
    found = tree.lists(r"((?:train|test)list0[1-3])\.txt")
    for part in ("train", "test"):
        if f"{part}list0{chosen}" not in found:
            raise tree.lacks(f"'{part}list0{chosen}.txt'")
    entries: dict[str, Entry] = {}
    parts: dict[str, dict[int, str]] = {}
    lists = Lists()
    for split in (1, 2, 3):
        once = Lists(repeated=lists.repeated)
        for part in ("train", "test"):
            for where, entry in _lines(found.get(f"{part}list0{split}"), part, numbers):
                key = any_stem(entry.name)
                once.add(key, entry, where)
                entries.setdefault(key, entry)
                parts.setdefault(key, {}).setdefault(split, part)
    lists.entries = {key: of_splits(entry, parts[key], chosen) for key, entry in entries.items()}
    return lists


def _lines(path: Path | None, part: str, numbers: Mapping[str, str]) -> list[tuple[str, Entry]]:
    found = []
    for number, line in lines(path) if path is not None else ():
        name, _, class_number = line.partition(" ")
        match = _VIDEO.fullmatch(name)
        if not match:
            raise DataError(
                f"'{path}', line {number}, column 1: '{name}' is not of the form Class/v_Class_g01_c01.avi.",
                "Take the lists for action recognition as they were published.",
            )
        if numbers and match["label"] not in numbers:
            raise DataError(f"'{path}', line {number}, column 1: the class '{match['label']}' is not in classInd.txt.")
        class_number = class_number.strip()
        if class_number and class_number != numbers.get(match["label"], class_number):
            raise DataError(
                f"'{path}', line {number}, column 2: the class {match['label']} has the number "
                f"{numbers[match['label']]} in classInd.txt, not '{class_number}'."
            )
        found.append((f"'{path}', line {number}, column 1", Entry(name, match["label"], match["source"], part)))
    return found


def _classes(tree: Tree) -> dict[str, str]:
    """The number of each class, where the list of classes is there."""
    numbers = {}
    for path in tree.lists(r"(classInd)\.txt").values():
        for number, line in lines(path):
            values = line.split()
            if len(values) != 2 or not values[0].isdigit():
                raise DataError(f"'{path}', line {number}: '{line}' is not a number and a class.")
            numbers[values[1]] = values[0]
    return numbers


UCF101 = Layout(
    title="UCF101",
    read=_read,
    key=any_stem,
    shape="Make it hold the class folders with v_Class_g01_c01.avi and so on, in any depth, and the folder "
    "ucfTrainTestlist with trainlist01.txt, testlist01.txt and so on.",
    splits=3,
)
"""The official splits 1, 2 and 3; files may be re-encoded, so long as they keep their names."""
