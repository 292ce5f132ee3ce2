"""One process at a time: a lock that the system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from kinema.core.errors import KinemaError, RunError, StorageError
from kinema.core.files import open_plain, storage_error
from kinema.core.leftovers import lives

LOCK = ".kinema.lock"
"""The name of a folder's lock file."""

PATIENCE = 10.0
"""Seconds in which the processes that a dead holder had begun must end; the lock is theirs too until then."""


@contextlib.contextmanager
def held(place: Path, taken: Callable[[str], KinemaError]) -> Iterator[None]:
    """Holds a lock, or says that another process does. Where the file system knows no locks, nothing is held.

    Args:
        place: the file of the lock; it stays when the lock is let go of.
        taken: the error where another process holds it, from that process's number.

    Raises:
        KinemaError: ``taken``.
        StorageError: the file cannot be written, or there is a link in its place.
    """
    with contextlib.ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open_plain(place, "a+b"))
            if _take(file, taken):
                file.truncate(0)
                file.write(f"{os.getpid()}\n".encode())
        except OSError as error:
            raise storage_error(place, error) from error
        yield


@contextlib.contextmanager
def alone(folder: Path, doing: str) -> Iterator[None]:
    """Keeps other processes from doing the same in a folder, which is made where it is not there.

    Args:
        folder: the folder to lock.
        doing: what is done there: 'training', 'searching'.

    Raises:
        RunError: another process does it.
        StorageError: the folder cannot be written.
    """

    def taken(who: str) -> RunError:
        return RunError(
            f"Another process (number {who}) is {doing} in '{folder}'; nothing was changed.",
            "Wait until it has ended, or stop it and go on with --resume; or choose another --out.",
        )

    with held(folder / LOCK, taken):
        yield


def is_held(folder: Path) -> bool | None:
    """Whether a process holds the lock of a folder; None where there is none, or the system cannot tell."""
    try:
        import fcntl

        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return None
    return False


def is_free(path: Path) -> bool:
    """Whether there is nothing yet, or an empty folder; a lock that was left there counts for nothing."""
    return not path.exists() or (path.is_dir() and all(each.name == LOCK for each in path.iterdir()))


def _take(file: IO[bytes], taken: Callable[[str], KinemaError]) -> bool:
    """Takes the lock; False where the system, or the network that the folder lies on, has none."""
    try:
        import fcntl
    except ImportError:
        return False
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read(40).decode("ascii", "replace").strip()
            if lives(who) or time.monotonic() > end:
                raise taken(who or "unknown") from error
            time.sleep(0.1)
        except OSError:
            return False
        else:
            return True


def own_temporary_folder() -> Path:
    """A folder of this user's among those that everyone may write; made where it is not there.

    Raises:
        StorageError: it cannot be made, or another user was there first.
        OSError: there is no folder for temporary files.
    """
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    folder = Path(tempfile.gettempdir()) / f"kinema-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise storage_error(folder, error) from error
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise StorageError(
            f"'{folder}' is a link, or another user's, so nothing is kept there.",
            "Take it away, or name another folder for temporary files with TMPDIR.",
        )
    return folder
