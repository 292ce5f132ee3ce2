"""Writing: atomically, so that a file is there whole or not at all; and never through a link that lies in its place."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

from kinema.core.errors import StorageError
from kinema.core.leftovers import SUFFIX, clear, under_way
from kinema.core.reading import unwritable

_SAFE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
_FLAGS = {
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "a+b": os.O_RDWR | os.O_CREAT | os.O_APPEND,
    "r+b": os.O_RDWR,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
Mode = Literal["ab", "a+b", "r+b", "xb"]


def open_plain(path: Path, mode: Mode) -> BinaryIO:
    """Opens an ordinary file to write into it; everything that is not written atomically is opened here.

    Whoever made the folder may have put a link there, and to write through it would change the file that it leads to.

    Args:
        path: the file.
        mode: 'ab' to append, 'a+b' to read too, unbuffered, 'r+b' to change what is there, 'xb' for a new file.

    Raises:
        StorageError: there is a link at ``path``, or something else that is no ordinary file; it was left alone.
        OSError: as the system says it, for :func:`storage_error`.
    """
    if os.path.islink(path):
        raise _through_link(path)
    try:
        descriptor = os.open(path, _FLAGS[mode] | _SAFE, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            raise _through_link(path) from error
        if error.errno == errno.ENXIO:  # a pipe that nobody reads
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return cast(BinaryIO, os.fdopen(descriptor, mode.replace("x", "w"), buffering=0 if mode == "a+b" else -1))


def write_new(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file that is not there yet, into a folder that is not complete yet (:func:`write_folder`).

    Args:
        path: the file.
        write: is called with the open binary file.

    Raises:
        OSError: there is something at ``path`` already, or it cannot be written.
    """
    with open_plain(path, "xb") as file:
        write(file)


def csv_cell(value: Any) -> Any:
    """A value for a table of CSV that a person may open with a spreadsheet.

    A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or the end of a line would be run there as a formula; it
    gets an apostrophe before it, which spreadsheets take for the mark of a text.

    Args:
        value: of one cell; what is no text is given back as it is.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else value


def _through_link(path: Path) -> StorageError:
    return StorageError(
        f"'{path}' is a link, and kinema does not write through links; what it leads to was not changed.",
        "Find out who put it there, take it away and run the same command again.",
    )


def _no_file(path: Path) -> StorageError:
    return StorageError(
        f"'{path}' is not an ordinary file, so nothing was written.", "Take it away and run the same command again."
    )


class _Disk(io.FileIO):
    """A file that remembers why it could not be written: what writes into it may tell of it in its own words."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def write_atomic(path: Path, write: Callable[[IO[bytes]], object], *, size: int | None = None) -> None:
    """Writes ``path`` through a temporary neighbour that takes its name only when it is complete and synced.

    What a killed process left of its own neighbours in the folder is cleared (:mod:`kinema.core.leftovers`).

    Args:
        path: the file; its folder is made where it is missing.
        write: is called with the open binary file.
        size: bytes that it will take, for the message where there is no room; None where that is not known.

    Raises:
        StorageError: the disk is full, or the place cannot be written. The former content is untouched.
    """
    temporary: str | None = None
    disk: _Disk | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=under_way(path.name), suffix=SUFFIX)
        disk = _Disk(descriptor, "wb")
        with io.BufferedWriter(disk) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except Exception as error:
        failure = error if isinstance(error, OSError) else None if disk is None else disk.failure
        if failure is None:
            raise
        if temporary is not None:  # its room is free again when it is said how much there is
            Path(temporary).unlink(missing_ok=True)
        raise storage_error(path, failure, size) from error
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
        clear(path.parent)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=under_way(path.name), suffix=SUFFIX))
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
    """Writes UTF-8 text atomically; raises like :func:`write_atomic`. Half characters are written as by their codes."""
    write_atomic(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes one JSON object atomically, indented, its keys in their order."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if unwritable(text):  # a file's name in another encoding; as an escape it comes back as it was
        text = json.dumps(value, indent=2)
    write_text(path, text + "\n")


def write_in_place(path: Path, text: str) -> None:
    """Writes a short text over the one that is there, in the room that it has: what can be done on a full disk.

    Raises:
        StorageError: not even that can be done.
    """
    try:
        with open_plain(path, "r+b") as file:
            file.write(text.encode("utf-8"))
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError, size: int | None = None) -> StorageError:
    """The error of ours for an operating-system error met while writing ``path``.

    Args:
        path: what was written.
        error: what the system said.
        size: bytes that it would have taken, where that is known.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"The disk is full: '{path}' could not be written{_wanted(path, size)}.",
            "Free some space and run the same command again; what was written before is intact.",
        )
    return StorageError(
        f"'{path}' could not be written: {error.strerror or error}.",
        "Check that the folder exists, that you may write there and that it is not a file.",
    )


def _wanted(path: Path, size: int | None) -> str:
    """How much room was wanted, and how much there is."""
    if size is None:
        return ""
    try:
        free = f", and {_bytes(shutil.disk_usage(path.parent).free)} are free"
    except OSError:
        free = ""
    return f"; it takes about {_bytes(size)}{free}"


def _bytes(count: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
