"""Starts several processes of one command on this machine, and ends them together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kinema.core.errors import UsageError
from kinema.core.processes import OURS
from kinema.core.threads import THREADS, available_cpus

GRACE = 30.0
"""Seconds that the others have to end by themselves when one has ended badly."""


def launched(count: int, words: Sequence[str]) -> int:
    """Runs a command in so many processes, as torchrun would; gives the exit status of all.

    Args:
        count: how many.
        words: the command's arguments.

    Raises:
        UsageError: ``count`` is below 1.
    """
    if count < 1:
        raise UsageError(f"--devices is {count}; it must be at least 1.")
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "kinema",
        OURS: str(count),
    }
    if not any(os.environ.get(name) for name in THREADS):
        shared["OMP_NUM_THREADS"] = str(max(1, available_cpus() // count))
    command = [sys.executable, "-m", "kinema", *words]
    jobs: list[subprocess.Popen[bytes]] = []
    with _signals_passed_to(jobs):
        for rank in range(count):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            jobs.append(subprocess.Popen(command, env={**os.environ, **shared, **own}))
        return _watched(jobs)


def _watched(jobs: Sequence[subprocess.Popen[bytes]]) -> int:
    """Waits for all; when one ends badly the others soon do."""
    end: float | None = None
    while any(job.poll() is None for job in jobs):
        if end is None and any(job.poll() for job in jobs):
            end = time.monotonic() + GRACE
        if end is not None and time.monotonic() > end:
            for job in jobs:
                job.kill()
        time.sleep(0.05)
    for rank, job in enumerate(jobs):
        if job.returncode < 0:
            name = signal.Signals(-job.returncode).name
            print(f"kinema: process {rank} of {len(jobs)} was ended by {name}.", file=sys.stderr)
    return next((abs(job.returncode) and max(job.returncode, 1) for job in jobs if job.returncode), 0)


@contextmanager
def _signals_passed_to(jobs: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Passes on what this process is told; of Ctrl-C the others hear twice, and heed it once."""

    def passed(number: int, frame: object) -> None:  # noqa: ARG001 - the signal's signature
        for job in jobs:
            if job.poll() is None:
                job.send_signal(number)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, passed)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])
