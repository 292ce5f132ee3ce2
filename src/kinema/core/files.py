"""Atomic writing: a file is there whole or not at all, whatever interrupts the writer."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from kinema.core.errors import StorageError


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes ``path`` through a temporary neighbour that takes its name only when it is complete and synced.

    Args:
        path: the file; its folder is made where it is missing.
        write: is called with the open binary file.

    Raises:
        StorageError: the disk is full, or the place cannot be written. The former content is untouched.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Has the content of a file on the disk before it returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Has the names in a folder on the disk before it returns, where the system can."""
    if os.name == "posix":
        # Some network shares cannot; the files themselves are on the disk by then.
        with contextlib.suppress(OSError):
            sync_file(path)


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Writes a new folder through a temporary neighbour that takes its name only when it is complete.

    Args:
        path: the folder, which must not exist; its parent is made where it is missing.
        fill: is called with an empty temporary folder beside it, to write into.

    Raises:
        StorageError: there is something at ``path`` already, which is left alone; or the disk is full, or the place
            cannot be written, and nothing is left there.
    """
    temporary: Path | None = None
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        fill(temporary)
        for file in sorted(temporary.rglob("*")):
            if file.is_file():
                sync_file(file)
        os.chmod(temporary, 0o755)
        os.rename(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raises a StorageError where there is something at ``path``, an empty folder or a broken link too."""
    if os.path.lexists(path):
        raise StorageError(f"'{path}' exists already; nothing was changed.", "Choose another name for what is written.")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically; raises like :func:`write_atomic`."""
    write_atomic(path, lambda file: file.write(text.encode("utf-8")))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes one JSON object atomically, indented, its keys in their order."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def storage_error(path: Path, error: OSError) -> StorageError:
    """The error of ours for an operating-system error met while writing ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"The disk is full: '{path}' could not be written.",
            "Free some space and run the same command again; what was written before is intact.",
        )
    return StorageError(
        f"'{path}' could not be written: {error.strerror or error}.",
        "Check that the folder exists, that you may write there and that it is not a file.",
    )
