"""What is under way carries the name of the process that writes it, so that what a killed one left can be cleared.

A temporary neighbour is called ``.NAME.MACHINE-PROCESS-RANDOM.part``. The first time that a process writes into a
folder it clears those whose process has ended; what another machine, or another container, is writing stays.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
from pathlib import Path

SUFFIX = ".part"
"""How the names of what is under way end."""

_NAME = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[^.]*\.part")
_cleared: set[str] = set()


def under_way(name: str) -> str:
    """The first part of a temporary name, for ``tempfile`` with :data:`SUFFIX`; the folder gets its random rest.

    Args:
        name: what it will be called once it is complete.
    """
    return f".{name}.{_machine()}-{os.getpid()}-"


def clear(folder: Path, *, again: bool = False) -> None:
    """Removes what killed processes of this machine left under way in a folder; nothing where that cannot be done.

    Args:
        folder: the folder itself, not those in it.
        again: look again where this process has looked before.
    """
    place = os.path.abspath(folder)
    if place in _cleared and not again:
        return
    _cleared.add(place)
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found is None or found["machine"] != _machine() or lives(found["process"]):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def lives(number: str) -> bool:
    """Whether there is a process of that number on this machine, as far as can be known."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, OSError):
        return True
    return True


@functools.cache
def _machine() -> str:
    """Digits for the machine, or the container: where the numbers of processes mean the same."""
    names = [platform.node()]
    with contextlib.suppress(OSError):
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
