"""Kinetics-400, -600 and -700 (Kay et al. 2017, arXiv:1705.06950; Carreira et al. 2018 and 2019): clips from YouTube.

Sources of the facts:

- The annotations are CSV files with the columns ``label,youtube_id,time_start,time_end,split`` (and ``is_cc``); those
  of a test set may lack ``label``. DeepMind publishes ``train.csv``, ``validate.csv`` and ``test.csv``; the Common
  Visual Data Foundation (https://github.com/cvdfoundation/kinetics-dataset) ``annotations/train.csv``, ``val.csv`` and
  ``test.csv``; the crawler of ActivityNet ``kinetics_train.csv``, ``kinetics-400_train.csv`` and the like.
- A clip is ``<youtube id>_<start>_<end>.mp4`` with six digits each (ActivityNet's crawler, kept by CVDF).
- CVDF's extractors put the clips into ``train/``, ``val/`` and ``test/``, and its ``replacement`` folder holds clips
  for those of Kinetics-400 that are broken: they count first. Its ``arrange_by_classes.py`` and MMAction2's guide make
  class folders, ``videos_train/air_drumming/``; MMAction2 writes underscores for the spaces in a class.

Several clips of one YouTube id are siblings. In Kinetics-400 every clip comes from a video of its own, and some keep
the clips under the id alone: such a file is found where the lists name one clip of the id. Of a split without a CSV
file the folders speak: split and class from ``train/<class>/``, the split alone from ``train/``.

Where the lists name a clip twice, even in two classes, the first line counts. Kinetics-600's CSV files are, as CVDF
says, incomplete, so that some of its videos stand in no list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists, stem
from kinema.data.layouts.tree import Tree, rows

_CSV = r"(?:(?:kinetics|k)[-_]?\d*(?:[-_]2020)?[-_])?(train|val|validate|validation|test)\.csv"
_CLIP = re.compile(r"(?P<id>.{11})(?:_\d{6}_\d{6})?")
_FOLDER = re.compile(r"(?:.*[_-])?(?P<split>train|val|validate|validation|test)(?:[_-]?\d+p?)?", re.IGNORECASE)
_SPLITS = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}


def _read(classes: int, tree: Tree) -> Lists:
    lists = Lists()
    listed = {_SPLITS[name]: path for name, path in tree.lists(_CSV).items()}
    for split, path in sorted(listed.items(), key=lambda item: list(_SPLITS.values()).index(item[0])):
        _read_csv(lists, path, split)
    for video in tree.videos:
        entry = _from_folders(video)
        if entry is not None and (not listed or (entry.split is not None and entry.split not in listed)):
            lists.entries.setdefault(entry.name, entry)
    ids = Counter(key[:11] for key in lists.entries)
    lists.aliases = {key[:11]: key for key in lists.entries if ids[key[:11]] == 1}
    if not lists.entries:
        raise tree.lacks("annotation file (train.csv, val.csv, test.csv) and no clip")
    labels = {entry.label for entry in lists.entries.values() if entry.label is not None}
    if len(labels) > classes:
        raise DataError(
            f"The lists in '{tree.root}' name {len(labels)} classes; Kinetics-{classes} has {classes}.",
            "Name the data set that it is: kinetics400, kinetics600 or kinetics700.",
        )
    return lists


def _read_csv(lists: Lists, path: Path, split: str) -> None:
    for line, row in rows(path, ("youtube_id", "time_start", "time_end"), ("label",)):
        if not row["youtube_id"].strip():
            raise DataError(f"'{path}', line {line}, column 'youtube_id': it is empty.")
        start, end = _seconds(path, line, row, "time_start"), _seconds(path, line, row, "time_end")
        identity = row["youtube_id"].strip()
        name = f"{identity}_{start:06d}_{end:06d}"
        label = row.get("label", "").strip().strip('"') or None
        entry = Entry(name, label, identity, split, {"start": str(start), "end": str(end)})
        lists.add(name, entry, f"'{path}', line {line}", strict=False)


def _seconds(path: Path, line: int, row: Mapping[str, str], column: str) -> int:
    try:
        return int(float(row[column]))
    except (ValueError, OverflowError):
        raise DataError(
            f"'{path}', line {line}, column '{column}': '{row[column]}' is not a number of seconds."
        ) from None


def _from_folders(path: str) -> Entry | None:
    """What the folders of a clip say; None for a file whose name is not that of a clip."""
    *folders, _ = path.split("/")
    match = _CLIP.fullmatch(stem(path))
    if not match:
        return None
    places = [(place, found["split"]) for place, name in enumerate(folders) if (found := _FOLDER.fullmatch(name))]
    place, split = places[0] if places else (-1, None)
    label = folders[-1].replace("_", " ") if len(folders) - 1 > place else None
    return Entry(stem(path), label, match["id"], _SPLITS[split.lower()] if split else None)


def _kinetics(classes: int) -> Layout:
    return Layout(
        title=f"Kinetics-{classes}",
        read=lambda tree, _: _read(classes, tree),
        key=stem,  # YouTube's ids differ in capitals alone
        shape="Make it hold clips named <youtube id>_<start>_<end>.mp4, six digits each, in train, val and test or in "
        "class folders inside those, and the CSV files train.csv, val.csv and test.csv.",
    )


KINETICS400 = _kinetics(400)
KINETICS600 = _kinetics(600)
KINETICS700 = _kinetics(700)
"""Of 2019 or 2020: the lists say which."""
