"""A named layout: the lists of a known data set, matched with the files that are really there.

A layout reads the official lists into entries, each under a key, and says which key a file has. What both know is the
data set. Videos that only the lists know are missing, which is common and a warning; videos that only the disk knows
are left out, with a warning too. That nothing at all fits is an error that says how the folder must look.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.labelling import LabelReading, Names
from kinema.data.layouts.tree import Tree
from kinema.data.video.finding import unlisted
from kinema.data.video.manifest import Video

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """What the lists say of one video.

    Args:
        name: as the lists name it.
        label: the class, or None where the lists keep it back.
        source: the recording it was cut from; empty where nothing is known.
        split: 'train', 'val', 'test', or None.
        attributes: further facts from the lists.
    """

    name: str
    label: str | None = None
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Lists:
    """The entries of a data set while its lists are read.

    Args:
        entries: by key.
        aliases: further keys that a file may have, each with the key of its entry.
        repeated: names that are in the lists more than once; the first line counts.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)

    def add(self, key: str, entry: Entry, where: str, *, strict: bool = True) -> None:
        """Takes an entry.

        Args:
            key: under which a file finds it.
            entry: the facts of the line.
            where: file, line and column, for the error.
            strict: whether a second entry that says otherwise is an error, and not only passed over.

        Raises:
            DataError: the lists contradict themselves.
        """
        known = self.entries.setdefault(key, entry)
        if known is entry:
            return
        self.repeated.append(entry.name)
        if strict and (known.label, known.split) != (entry.label, entry.split):
            raise DataError(
                f"{where}: '{entry.name}' is listed twice: as {_as_text(known)} before, and here as {_as_text(entry)}.",
                "Take the lists as they were published, or take out one of the two lines.",
            )


@dataclass(frozen=True)
class Layout:
    """The layout of one data set on disk.

    Args:
        title: its name, as its authors write it.
        read: the lists of a tree and the number of the split, as entries.
        key: the key of a file, from its path below the root.
        shape: how the folder must look, a sentence.
        splits: how many official splits there are.
        pictures: whether its videos are folders of numbered pictures.
    """

    title: str
    read: Callable[[Tree, int], Lists]
    key: Callable[[str], str]
    shape: str
    splits: int = 1
    pictures: bool = False


def tree_of(layout: Layout, root: Path) -> Tree:
    """The folder of a data set, walked.

    Args:
        layout: of the data set.
        root: the folder.

    Raises:
        DataError: there is no such folder.
    """
    return Tree(root, layout.title, layout.shape, pictures=layout.pictures)


def listed(layout: Layout, root: Path, split: int = 1) -> dict[str, Entry]:
    """The videos of a data set that are there, with what the lists say; see :func:`read_lists`."""
    return read_lists(layout, root, split)[0]


def read_lists(
    layout: Layout, root: Path, split: int = 1, tree: Tree | None = None
) -> tuple[dict[str, Entry], LabelReading]:
    """The videos of a data set that are there, with what the lists say, and what fits none of them.

    Args:
        layout: of the data set.
        root: the folder.
        split: the number of the official split.
        tree: the folder, walked already; None to walk it.

    Returns:
        Entries by path below the root, in order of it; and how they were read.

    Raises:
        DataError: a list is missing or cannot be read, or no video that they name is there.
    """
    tree = tree_of(layout, root) if tree is None else tree
    lists = layout.read(tree, split)
    held: dict[str, str] = {}
    surplus: list[str] = []
    copies: list[str] = []
    for path in sorted(tree.videos, key=_replacements_first):
        key = layout.key(path)
        key = key if key in lists.entries else lists.aliases.get(key, "")
        if key not in lists.entries:
            surplus.append(path)
        elif key in held:
            copies.append(path)
        else:
            held[key] = path
    closed = unlisted(tree.overlooked)
    missing = [entry.name for key, entry in lists.entries.items() if key not in held]
    if not held:
        raise DataError(
            f"None of the {len(lists.entries)} videos that the lists of {layout.title} name is in '{root}'; "
            f"{len(surplus)} other videos are{f'; {closed}' if closed else ''}.",
            layout.shape,
        )
    where, count = f"{layout.title} in '{root}'", len(lists.entries)
    _warn(where, missing, f"of the {count} videos that the lists name are not there")
    _warn(where, surplus, "videos stand in no list and are left out")
    _warn(where, copies, "videos are further copies of others and are left out")
    _warn(where, lists.repeated, "videos are listed more than once, and the first line counts")
    entries = {path: lists.entries[key] for key, path in sorted(held.items(), key=lambda item: item[1])}
    some = any(entry.label is not None for entry in entries.values())
    reading = LabelReading(
        origin="lists",
        table=f"the lists of {layout.title}",
        rows=count,
        unmatched=Names.of(missing),
        unlisted=Names.of(surplus),
        why="" if some else f"The lists of {layout.title} name no class of the videos that are there.",
    )
    return entries, reading


def described(video: Video, entry: Entry) -> Video:
    """A scanned video with what the lists say of it."""
    return replace(
        video,
        label=entry.label,
        source=entry.source or video.path,
        split=entry.split,
        attributes=dict(entry.attributes),
    )


def of_splits(entry: Entry, parts: Mapping[int, str], chosen: int) -> Entry:
    """An entry with its part in each official split as attributes split1, split2, …, and in the chosen one as split."""
    each = {f"split{number}": part for number, part in sorted(parts.items())}
    return replace(entry, split=parts.get(chosen), attributes={**entry.attributes, **each})


def named(names: Sequence[str], most: int = 5) -> str:
    """The first few in quotes, the rest counted."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more


def stem(path: str) -> str:
    """A file's name without its folders and its ending."""
    return posixpath.splitext(posixpath.basename(path))[0]


def any_stem(path: str) -> str:
    """The same where capitals do not matter."""
    return stem(path).casefold()


def _warn(where: str, names: Sequence[str], what: str) -> None:
    if names:
        log.warning("%s: %d %s: %s.", where, len(names), what, named(names))


def _as_text(entry: Entry) -> str:
    return f"{entry.label or 'unlabelled'} in {entry.split or 'no split'}"


def _replacements_first(path: str) -> tuple[bool, str]:
    """Files that were published to replace broken ones come before those."""
    return not any(part.startswith("replacement") for part in path.split("/")), path
