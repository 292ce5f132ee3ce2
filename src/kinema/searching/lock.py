"""One writer at a time: a lock that the system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kinema.core.errors import StorageError
from kinema.core.files import storage_error


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
    place = folder / ".kinema.lock" if folder is not None else _elsewhere(uri)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("a+", encoding="utf-8")
    except OSError as error:
        raise storage_error(place, error) from error
    with file:
        try:
            import fcntl
        except ImportError:  # a system without such locks
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read(40).strip() or "unknown"
            raise StorageError(
                f"Another process (number {who}) is writing into '{uri}'; nothing was changed.",
                "Wait until it has ended, then run the same command again. Searching is possible meanwhile.",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _elsewhere(uri: str) -> Path:
    name = hashlib.sha256(uri.encode()).hexdigest()[:32]
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    return Path(tempfile.gettempdir()) / f"kinema-{owner}" / f"{name}.lock"
