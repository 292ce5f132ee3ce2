"""Files below a folder, in all depths: each once, in the order of their paths, without hidden ones.

Links are followed, but no folder is entered from inside itself, so that a link to a folder above ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The regular files below a folder, and what could not be looked into.

    Args:
        folder: where to begin.

    Returns:
        Paths relative to it with forward slashes, sorted; and path to reason of folders that cannot be opened, of
        links that lead nowhere and of pipes, sockets and devices.
    """
    found: list[str] = []
    closed: dict[str, str] = {}
    for path, entry in _walk(folder, "", frozenset(), closed):
        try:
            regular = entry.is_file()
            if not regular and not entry.is_symlink():
                closed[path] = "it is a pipe, a socket or a device and no file"
            elif not regular:
                closed[path] = "the link leads to nothing that is a file"
        except OSError as error:
            regular, closed[path] = False, error.strerror or str(error)
        if regular:
            found.append(path)
    return sorted(found), closed


def _walk(
    folder: Path, below: str, above: frozenset[tuple[int, int]], closed: dict[str, str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        closed[below or "."] = error.strerror or str(error)
        return
    for entry in listed:
        if entry.name.startswith("."):
            continue
        path = f"{below}/{entry.name}" if below else entry.name
        if _is_folder(entry):
            yield from _walk(folder / entry.name, path, above | {here}, closed)
        else:
            yield path, entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
