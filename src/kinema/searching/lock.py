"""One writer of a table at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kinema.core.errors import StorageError
from kinema.core.lock import LOCK, held


@contextlib.contextmanager
def writing(uri: str, folder: Path | None) -> Iterator[None]:
    """Holds the lock of a table, or says that another process does.

    The lock of a table in a folder lies in the folder. That of a table elsewhere lies in this machine's temporary
    folder, so there it keeps apart the processes of one machine and not several machines.

    Args:
        uri: of the table's database.
        folder: where it lies, None where it is not on this machine.

    Raises:
        StorageError: another process writes there, or the folder cannot be written.
    """
    place = folder / LOCK if folder is not None else _elsewhere(uri)

    def taken(who: str) -> StorageError:
        return StorageError(
            f"Another process (number {who}) is writing into '{uri}'; nothing was changed.",
            "Wait until it has ended, then run the same command again. Searching is possible meanwhile.",
        )

    with held(place, taken):
        yield


def _elsewhere(uri: str) -> Path:
    name = hashlib.sha256(uri.encode()).hexdigest()[:32]
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    return Path(tempfile.gettempdir()) / f"kinema-{owner}" / f"{name}.lock"
