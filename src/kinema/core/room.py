"""How much memory this process may still take."""

from __future__ import annotations

import os
from pathlib import Path

_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""What a container may take and has taken, in the files of control groups, version 2 and 1."""


def free_memory(root: str = "/") -> int | None:
    """Bytes of memory that processes can still get, on this machine and in this container; None where it is not known.

    Args:
        root: the folder that holds ``proc`` and ``sys``.
    """
    known = [free for free in (_of_machine(Path(root)), _of_container(Path(root))) if free is not None]
    return min(known, default=None)


def _of_machine(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _of_container(root: Path) -> int | None:
    for limit, used in _LIMITS:
        try:
            most, now = ((root / "sys/fs/cgroup" / name).read_text(encoding="ascii").strip() for name in (limit, used))
            return max(0, int(most) - int(now))
        except (OSError, ValueError):  # no such files, or 'max'
            continue
    return None
