"""Walks a folder in all depths: each real folder and file once, and what could not be looked at by name.

What lies in the folder itself is found first, then what links lead to. A link to a folder or file that was found
already is passed over and counted, so links that lead to one another end, and no file is there twice. Folders are
compared by their real paths and not by their inodes, which some network shares make up. Nothing is opened but folders.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kinema.core.reading import legible, unwritable

SPECIAL = ((stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"))
"""What is no file and no folder: opening a pipe can wait for ever, and a device may never end."""


@dataclass(frozen=True)
class Walk:
    """What is below a folder. All paths are relative to it, with forward slashes; hidden names are left out.

    Args:
        files: regular files, sorted; those behind links by the path of the link.
        unlisted: folders that could not be listed, with the reason, and entries of which it could not be told what
            they are; '.' is the folder itself. What is below them may be there all the same.
        dangling: links that lead nowhere, with the reason. The place that they lead to may be a share that is offline.
        links: how many files and folders behind links were passed over, because they were found already.
        special: pipes, sockets and devices, with the word for it.
        misnamed: files and folders whose names are not UTF-8, so that no table could hold them, the bytes that are not
            by their numbers. They are left out, folders with all that is in them.
    """

    files: tuple[str, ...] = ()
    unlisted: Mapping[str, str] = field(default_factory=dict)
    dangling: Mapping[str, str] = field(default_factory=dict)
    links: int = 0
    special: Mapping[str, str] = field(default_factory=dict)
    misnamed: tuple[str, ...] = ()


def walk(folder: str | Path) -> Walk:
    """What is below a folder; it raises nothing, whatever cannot be looked at.

    Args:
        folder: where to begin.
    """
    return _Walker(os.fspath(folder)).walk()


def reason_of(error: OSError) -> str:
    """What the system says of an error, without the file's name."""
    return error.strerror or str(error)


class _Walker:
    """One walk: folders that wait to be listed, links that wait to be followed, and what was found already."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: list[str] = []
        self.unlisted: dict[str, str] = {}
        self.dangling: dict[str, str] = {}
        self.special: dict[str, str] = {}
        self.misnamed: list[str] = []
        self.links = 0
        self._found: set[str] = set()
        self._folders: deque[tuple[str, str]] = deque()
        self._waiting: list[str] = []

    def walk(self) -> Walk:
        self._enter("", os.path.realpath(self.root))
        while self._folders or self._waiting:
            if self._folders:
                self._list(*self._folders.popleft())
            else:
                self._follow(heapq.heappop(self._waiting))
        misnamed = tuple(sorted(self.misnamed))
        return Walk(tuple(sorted(self.files)), self.unlisted, self.dangling, self.links, self.special, misnamed)

    def _enter(self, path: str, real: str) -> None:
        if self._is_new(real):
            self._folders.append((path, real))

    def _is_new(self, real: str) -> bool:
        if real in self._found:
            self.links += 1
            return False
        self._found.add(real)
        return True

    def _list(self, folder: str, real: str) -> None:
        """Takes in the entries of a folder; where listing it breaks off, those that came until then."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if unwritable(entry.name):
                        self.misnamed.append(legible(f"{folder}/{entry.name}" if folder else entry.name))
                    else:
                        self._take(entry, f"{folder}/{entry.name}" if folder else entry.name, real)
        except OSError as error:
            self.unlisted[folder or "."] = reason_of(error)

    def _take(self, entry: os.DirEntry[str], path: str, above: str) -> None:
        try:
            if entry.is_symlink() or (hasattr(entry, "is_junction") and entry.is_junction()):
                heapq.heappush(self._waiting, path)
            elif entry.is_dir(follow_symlinks=False):
                self._enter(path, os.path.join(above, entry.name))
            elif entry.is_file(follow_symlinks=False):
                self._add(path, os.path.join(above, entry.name))
            else:
                self.special[path] = _special(entry.stat(follow_symlinks=False).st_mode)
        except OSError as error:
            self.unlisted[path] = reason_of(error)

    def _add(self, path: str, real: str) -> None:
        if self._is_new(real):
            self.files.append(path)

    def _follow(self, path: str) -> None:
        full = os.path.join(self.root, path)
        try:
            mode = os.stat(full).st_mode
            real = os.path.realpath(full)
        except OSError as error:
            self.dangling[path] = reason_of(error)
            return
        if stat.S_ISDIR(mode):
            self._enter(path, real)
        elif stat.S_ISREG(mode):
            self._add(path, real)
        else:
            self.special[path] = _special(mode)


def _special(mode: int) -> str:
    return next((word for holds, word in SPECIAL if holds(mode)), "device")
