"""One process at a time: a lock that the system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from kinema.core.errors import KinemaError
from kinema.core.files import storage_error

LOCK = ".kinema.lock"
"""The name of the lock of a folder, which lies in it."""

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
        StorageError: the file cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("a+", encoding="utf-8")
    except OSError as error:
        raise storage_error(place, error) from error
    with file:
        try:
            _take(file, taken)
        except (ImportError, OSError):  # a system, or a folder on a network, without such locks
            yield
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _take(file: IO[str], taken: Callable[[str], KinemaError]) -> None:
    import fcntl

    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read(40).strip()
            if _lives(who) or time.monotonic() > end:
                raise taken(who or "unknown") from error
            time.sleep(0.1)
        else:
            return


def _lives(who: str) -> bool:
    """Whether there is a process of that number on this machine, as far as that can be told."""
    try:
        os.kill(int(who), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
