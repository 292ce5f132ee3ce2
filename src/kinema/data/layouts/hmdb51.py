"""HMDB51 (Kuehne, Jhuang, Garrote, Poggio and Serre, ICCV 2011): 6 766 clips from films and the web.

Sources of the facts: the data set's page (https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database)
for the two archives, ``hmdb51_org.rar`` (class folders of AVI files) and ``test_train_splits.rar`` (folder
``testTrainMulti_7030_splits``), and for the properties in a file's name. The lists are ``<class>_test_split<N>.txt``
with lines ``file.avi 0|1|2``; that 1 is training, 2 is test and 0 neither is how torchvision's ``HMDB51`` and the
MMAction2 guide read them.

A name is ``<title>_<class>_<visible>_<camera>_<people>_<view>_<quality>_<number>.avi``: visible part of the body (h
head, u upper, l lower, f full), camera (cm moves, nm does not), people (np1, np2, np3), view (fr, ba, le, ri), quality
(goo, med, bad). The source is the title, across classes: a film is one recording whatever is done in it. **How far that
goes:** clips with one title are taken for siblings, even where two recordings happen to share it; parts of one
recording that were given different titles (``April_09``, or a film under two spellings) are taken for strangers, for
nothing in the release tells that they belong together. A name outside the convention is its own source.
"""

from __future__ import annotations

import posixpath
import re

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists, any_stem, of_splits, stem
from kinema.data.layouts.tree import Tree, lines

_PARTS = {"0": "", "1": "train", "2": "test"}
_NAME = re.compile(
    r"(?P<title>.+)_(?P<visible>[hulf])_(?P<camera>cm|nm)_(?P<people>np\d+)_(?P<view>fr|ba|le|ri)"
    r"_(?P<quality>goo|med|bad)_\d+"
)


def _read(tree: Tree, chosen: int) -> Lists:
    found = tree.lists(r"(.+_test_split[1-3])\.txt")
    if not any(name.endswith(str(chosen)) for name in found):
        raise tree.lacks(f"'<class>_test_split{chosen}.txt'")
    entries: dict[str, Entry] = {}
    parts: dict[str, dict[int, str]] = {}
    lists = Lists()
    for name, path in sorted(found.items()):
        label, _, split = name.rpartition("_test_split")
        once = Lists(repeated=lists.repeated)
        for number, line in lines(path):
            file, _, code = line.rpartition(" ")
            if code not in _PARTS or not file.strip():
                raise DataError(
                    f"'{path}', line {number}, column 2: '{code}' is not 0, 1 or 2 after a file's name.",
                    "Take the lists as they were published: 1 is training, 2 test, 0 neither.",
                )
            file, part = file.strip(), _PARTS[code]
            key = _key(f"{label}/{file}")
            once.add(key, Entry(file, label, split=part), f"'{path}', line {number}, column 1")
            entries.setdefault(key, _entry(label, file))
            parts.setdefault(key, {})
            if part:
                parts[key].setdefault(int(split), part)
    lists.entries = {key: of_splits(entry, parts[key], chosen) for key, entry in entries.items()}
    return lists


def _entry(label: str, file: str) -> Entry:
    name = stem(file)
    match = _NAME.fullmatch(name)
    if not match:
        return Entry(f"{label}/{file}", label)
    attributes = match.groupdict()
    title = attributes.pop("title")
    cut = len(title) - len(label) - 1
    if title.casefold().endswith(f"_{label}".casefold()) and cut > 0:
        title = title[:cut]
    return Entry(f"{label}/{file}", label, title, attributes=attributes)


def _key(path: str) -> str:
    """The class folder and the file's name: names alone are not promised to be different in all classes."""
    folder = posixpath.basename(posixpath.dirname(path))
    return f"{folder.casefold()}/{any_stem(path)}"


HMDB51 = Layout(
    title="HMDB51",
    read=_read,
    key=_key,
    shape="Make it hold the class folders with the AVI files, in any depth, and the folder testTrainMulti_7030_splits "
    "with brush_hair_test_split1.txt and so on.",
    splits=3,
)
"""The official splits 1, 2 and 3. A clip that a split uses neither for training nor for the test has no split."""
