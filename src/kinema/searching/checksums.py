"""Checksums of a table's files: LanceDB keeps none, and reads what is damaged as if it had been written so.

They are written after every update, and compared when a table is opened. The files of large tables are compared by
their size, and whole only before embedding, so that a search need not read all of a table first. LanceDB never changes
a file of data.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from kinema.core.errors import StorageError
from kinema.core.files import write_json
from kinema.core.reading import read_shape
from kinema.data.video.manifest import inside_root

CHECKS = "checks.json"
"""The file with the checksums, in the folder of the table."""

AT_ONCE = 64 << 20
"""Bytes that are compared whenever a table is opened, the smallest files first."""

_PIECE = 1 << 20
_read: dict[Path, tuple[tuple[int, int, int], int]] = {}
"""The checksums of files that this process has read, with inode, bytes and time: a program may search many times."""
_HINT = (
    "Put back a copy, or delete the folder and run kinema embed again. If another program than kinema changed the "
    f"table, delete {CHECKS} in its folder."
)


class ChecksFile(TypedDict):
    """checks.json: by a file's path, its bytes and their CRC-32."""

    files: dict[str, list[int]]


def write_checks(folder: Path) -> None:
    """Writes the checksums of the tables in a folder, as they are now.

    Args:
        folder: of the database.

    Raises:
        StorageError: they cannot be written, or the files not be read.
    """
    before: dict[str, list[int]] = {}
    if (folder / CHECKS).is_file():
        before = read_shape(folder / CHECKS, ChecksFile, error=StorageError, hint=_HINT)["files"]
    known: dict[str, list[int]] = {}
    try:
        for path in _files(folder):
            name, found = path.relative_to(folder).as_posix(), path.stat()
            kept = before.get(name, [])[:1] == [found.st_size] and path.suffix == ".lance"
            known[name] = before[name] if kept else [found.st_size, _crc(path, found)]
    except OSError as error:
        raise StorageError(f"The table in '{folder}' could not be read again: {error.strerror}.") from error
    if known:
        write_json(folder / CHECKS, ChecksFile(files=known))


def check_files(folder: Path, *, whole: bool = False) -> None:
    """Compares the files of the tables in a folder with their checksums, if nothing was written since.

    Args:
        folder: of the database.
        whole: whether large files are compared whole, and not by their size alone.

    Raises:
        StorageError: a file is gone or is not what was written, or the checksums are damaged.
        DataError: they name a file elsewhere.
    """
    if not (folder / CHECKS).is_file():
        return  # of an earlier version, or an update was stopped
    known = read_shape(folder / CHECKS, ChecksFile, error=StorageError, hint=_HINT)["files"]
    if _manifests(folder) != {name for name in known if name.endswith(".manifest")}:
        return  # written to since, or at this moment
    left = AT_ONCE
    for name, entry in sorted(known.items(), key=lambda item: (item[1][:1], item[0])):
        inside_root(name, f"'{folder / CHECKS}'")
        if len(entry) != 2:
            raise StorageError(f"'{folder / CHECKS}' is damaged at '{name}'.", _HINT)
        size, check = entry
        left -= size
        if not _is_right(folder / name, size, check if whole or left >= 0 else None):
            if _manifests(folder) != {each for each in known if each.endswith(".manifest")}:
                return  # another process updates it now
            raise StorageError(f"The table in '{folder}' is damaged: its file '{name}' is not what was written.", _HINT)


def _is_right(path: Path, size: int, check: int | None) -> bool:
    try:
        found = path.stat()
        right = stat.S_ISREG(found.st_mode) and found.st_size == size
        return right and (check is None or _crc(path, found) == check)
    except OSError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    for table in sorted(folder.glob("*.lance")):
        yield from sorted(path for path in table.rglob("*") if path.is_file())


def _manifests(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("*.lance/_versions/*.manifest")}


def _crc(path: Path, found: os.stat_result) -> int:
    state = found.st_ino, found.st_size, found.st_mtime_ns
    if path in _read and _read[path][0] == state:
        return _read[path][1]
    value = 0
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            value = zlib.crc32(piece, value)
    _read[path] = state, value
    return value
