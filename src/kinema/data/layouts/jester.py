"""Jester (Materzynska, Berger, Bax and Memisevic, ICCV Workshops 2019): 148 092 gestures before a webcam, 27 classes.

Sources of the facts: the release of 20BN, now of Qualcomm
(https://developer.qualcomm.com/software/ai-datasets/jester), holds no video files but the folder
``20bn-jester-v1/<id>/`` with ``00001.jpg``, ``00002.jpg``, …; its page says that they were cut at 12 frames a second.
The lists are ``jester-v1-train.csv`` and ``jester-v1-validation.csv`` with lines ``id;class``, ``jester-v1-test.csv``
with ids, and ``jester-v1-labels.csv`` with a class a line; none has a head. So MMAction2 reads them
(``tools/data/parse_file_list.py``).

A video is its folder and the pattern of its pictures (see :mod:`kinema.data.video.files`). Who performs is not
published: every video is its own source.
"""

from __future__ import annotations

import posixpath

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists
from kinema.data.layouts.tree import Tree, lines, semicolons


def _read(tree: Tree, _: int) -> Lists:
    found = tree.lists(r"jester-v1-(train|validation|test|labels)\.csv")
    for name in ("train", "validation"):
        if name not in found:
            raise tree.lacks(f"'jester-v1-{name}.csv'")
    classes = {line for _, line in lines(found["labels"])} if "labels" in found else None
    lists = Lists()
    for name, split in (("train", "train"), ("validation", "val")):
        for line, (video, label) in semicolons(found[name], ("id", "class")):
            where = f"'{found[name]}', line {line}"
            if classes is not None and label not in classes:
                raise DataError(
                    f"{where}, column 2: '{label}' is no class of jester-v1-labels.csv.",
                    "Take all lists from one release.",
                )
            lists.add(video, Entry(video, label, split=split), f"{where}, column 1")
    for line, (video,) in semicolons(found["test"], ("id",)) if "test" in found else ():
        lists.add(video, Entry(video, split="test"), f"'{found['test']}', line {line}, column 1")
    return lists


JESTER = Layout(
    title="Jester",
    read=_read,
    key=lambda path: posixpath.basename(posixpath.dirname(path)),
    shape="Make it hold the folder 20bn-jester-v1 with a folder of numbered JPEG files a video, and the lists "
    "jester-v1-train.csv, jester-v1-validation.csv, jester-v1-test.csv and jester-v1-labels.csv.",
    pictures=True,
)
"""The splits are train, val and test; the classes of test are not published."""
