"""How many processors this process may use, and how the threads of OpenMP, which torch computes with, share them.

By default a thread of OpenMP that waits for the others spins: libgomp, which torch's wheels for Linux bring, turns
300,000 times before it sleeps (GCC's manual of libgomp, GOMP_SPINCOUNT). Where another process wants the processor,
that time is taken from the threads that are waited for. Threads that sleep at once cost a training that is alone two
fifths of its speed, threads that turn ten thousand times a seventh (measured: docs/how-to/several-runs.md). So libgomp
is told to do that; the libraries of Intel and LLVM count no turns, and there threads sleep at once
(``OMP_WAIT_POLICY=PASSIVE``). All of them read it once, when they are loaded, so :func:`prepare` has to come before
torch; ``import kinema`` calls it. Processes that are started inherit it.

torch takes a thread a core of those in its affinity mask and knows nothing of a control group's quota, as that of
``docker run --cpus 2``: it is limited to that here. What a user has set is left as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from kinema.core.plurals import counted

POLICY = "OMP_WAIT_POLICY"
SPINCOUNT = "GOMP_SPINCOUNT"
WAITING = {POLICY: "PASSIVE", SPINCOUNT: "10000"}
"""What is set where a user says nothing; libgomp takes the number of turns before what the policy would make it."""
SPINNING = (*WAITING, "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables by which a user says how threads wait."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which a user says how many threads torch takes."""
TOO_LATE = "not set: torch was loaded before"


class Prepared(NamedTuple):
    """What :func:`prepare` did.

    Attributes:
        late: torch had been loaded, so that the policy could not be set.
        threads: what the threads were limited to; None where they were not.
        instead: the number that the affinity mask alone would have allowed.
    """

    late: bool = False
    threads: int | None = None
    instead: int = 0


_prepared = Prepared()


def prepare() -> None:
    """Sets the policy, and the number of threads where a quota allows fewer than torch would take.

    Nothing is changed that the user has set. Where torch is loaded already, the policy stays as it is, and the number
    of threads is set only if it is the one that torch takes by itself.
    """
    global _prepared
    torch = sys.modules.get("torch")
    chosen = not any(os.environ.get(name) for name in SPINNING)
    if chosen and torch is None:
        os.environ.update(WAITING)
    _prepared = Prepared(chosen and torch is not None, *_limited(torch))


def _limited(torch: Any) -> tuple[int | None, int]:
    """Limits the threads by the quota; see :class:`Prepared`."""
    allowed, granted = len(_affinity()), quota()
    if granted is None or granted >= allowed or any(os.environ.get(name) for name in THREADS):
        return None, 0
    cores = _cores()
    threads = min(granted, cores)
    if torch is None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    elif getattr(torch, "get_num_threads", lambda: 0)() in (allowed, cores):
        torch.set_num_threads(threads)
    else:
        return None, 0
    return threads, allowed


def facts() -> dict[str, Any]:
    """What a run records.

    Returns:
        ``wait_policy``: how threads wait, as the variables of :data:`SPINNING` say, or :data:`TOO_LATE`;
        ``threads_by``: what their number comes from: 'quota', the name of a variable, or 'torch', which stands for
        ``torch.set_num_threads`` too; ``cpus``: :func:`available_cpus`.
    """
    said = [(name, os.environ[name]) for name in SPINNING if os.environ.get(name)]
    policy = ", ".join(value if name == POLICY else f"{name}={value}" for name, value in said)
    variables = [name for name in THREADS if os.environ.get(name)]
    by = "quota" if _prepared.threads else variables[0] if variables else "torch"
    return {"wait_policy": TOO_LATE if _prepared.late else policy, "threads_by": by, "cpus": available_cpus()}


def limit_message() -> str:
    """A sentence where the number of threads was limited here; else empty."""
    if not _prepared.threads:
        return ""
    return (
        f"torch computes with {counted(_prepared.threads, 'threads')}, which is what the "
        f"container's quota allows of its {_prepared.instead} processors; OMP_NUM_THREADS sets another number."
    )


def available_cpus() -> int:
    """Processors that this process may use: by its affinity mask and by the quota of its control groups; at least 1."""
    return min(len(_affinity()), quota() or sys.maxsize)


def _affinity() -> set[int]:
    """The numbers of the processors that the system runs this process on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cores() -> int:
    """Cores among those: processors that share one count once, as for MKL, by which torch goes."""
    place = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    return len({_read(place.format(number)) or str(number) for number in _affinity()})


def quota(root: str = "/") -> int | None:
    """Processors' worth of time that control groups (Linux; version 1 or 2) allow, rounded up.

    Args:
        root: the folder that holds ``proc`` and ``sys``.

    Returns:
        The least of the groups that this process is in, and of those around them; None where no quota is set, or where
        the system has no such groups.
    """
    found = [granted for folder in _groups(root) if (granted := _granted(folder))]
    return min(found, default=None)


def _groups(root: str) -> Iterator[str]:
    """Folders of the groups, from each upwards; those that are not there too."""
    mounted = os.path.join(root, "sys/fs/cgroup")
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        parts = [part for part in path.split("/") if part]
        if ".." in parts:  # the group is outside of what this container sees
            parts = []
        for kind in (controllers, "cpu") if controllers else ("", "unified"):
            for depth in range(len(parts), -1, -1):
                yield os.path.join(mounted, kind, *parts[:depth])


def _granted(folder: str) -> int | None:
    """What one group allows, rounded up to whole processors."""
    words = _read(os.path.join(folder, "cpu.max")).split()
    if not words:
        words = [_read(os.path.join(folder, name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    try:
        time, period = int(words[0]), int(words[1])
    except (ValueError, IndexError):  # 'max', or no such files
        return None
    return -(-time // period) if time > 0 and period > 0 else None


def _read(path: str) -> str:
    """A small file of the system; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
