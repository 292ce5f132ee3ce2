"""A lock: one process writes to a table at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kinema.core.errors import StorageError
from kinema.core.files import storage_error
from kinema.core.lock import LOCK, held


@contextlib.contextmanager
def writing(uri: str, folder: Path | None) -> Iterator[None]:
    """Holds the lock of a table.

    The lock file of a table in a folder is in that folder. For object storage it is in this machine's temporary folder,
    so that it excludes the processes of one machine, not those of other machines.

    Args:
        uri: of the table's database.
        folder: its folder; None for object storage.

    Raises:
        StorageError: another process holds the lock, or the folder cannot be written or is somebody else's.
    """
    path = folder / LOCK if folder is not None else _temporary(uri)
    if folder is None:
        _own(path.parent)

    def taken(who: str) -> StorageError:
        return StorageError(
            f"Another process (number {who}) is writing into '{uri}'; nothing was changed.",
            "Wait until it has ended, then run the same command again. Searching is possible meanwhile.",
        )

    with held(path, taken):
        yield


def _temporary(uri: str) -> Path:
    name = hashlib.sha256(uri.encode()).hexdigest()[:32]
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    return Path(tempfile.gettempdir()) / f"kinema-{owner}" / f"{name}.lock"


def _own(folder: Path) -> None:
    """Makes a folder among those that everyone may write; raises where another user was there first."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise storage_error(folder, error) from error
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise StorageError(
            f"'{folder}' is a link, or another user's, so no lock is kept there.",
            "Take it away, or name another folder for temporary files with TMPDIR.",
        )
