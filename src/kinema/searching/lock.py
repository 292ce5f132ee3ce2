"""A lock: one process writes to a table at a time."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from kinema.core.errors import StorageError
from kinema.core.lock import LOCK, held, own_temporary_folder
from kinema.searching.checksums import check_files, write_checks


@contextlib.contextmanager
def writing(uri: str, folder: Path | None, *, whole: bool = False) -> Iterator[None]:
    """Holds the lock of a table; when all went well, its files get new checksums.

    The lock file of a table in a folder is in that folder. For object storage it is in this machine's temporary folder,
    so that it excludes the processes of one machine, not those of other machines.

    Args:
        uri: of the table's database.
        folder: its folder; None for object storage.
        whole: whether large files are compared whole with their checksums before.

    Raises:
        StorageError: another process holds the lock, the folder cannot be written or is somebody else's, or the table
            is damaged.
    """
    path = folder / LOCK if folder is not None else _temporary(uri)

    def taken(who: str) -> StorageError:
        return StorageError(
            f"Another process (number {who}) is writing into '{uri}'; nothing was changed.",
            "Wait until it has ended, then run the same command again. Searching is possible meanwhile.",
        )

    with held(path, taken):
        if whole and folder is not None:
            check_files(folder, whole=True)
        yield
        if folder is not None:
            write_checks(folder)


def _temporary(uri: str) -> Path:
    return own_temporary_folder() / f"{hashlib.sha256(uri.encode()).hexdigest()[:32]}.lock"
