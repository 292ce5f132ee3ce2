"""How a training ends before its end: it is asked to, it is told to, or a process that reads for it is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kinema.core.errors import KinemaError, RunError, StorageError, WorkerError
from kinema.core.processes import place
from kinema.training.phase import InterruptedRunError

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the system's wish, and a terminal that was closed."""


ONE_WISH = 3.0
"""Seconds in which signals to several processes are one."""


class StopNow(BaseException):
    """The second wish to stop: leave what is under way as it is."""


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turns the first signal of :data:`STOPS` into a request to stop after the batch; the second stops at once.

    A signal that the process was told to ignore, as ``nohup`` does, stays ignored. Of several processes that train
    together each hears of Ctrl-C twice, from the terminal and from what started them: what comes within
    :data:`ONE_WISH` is one wish.

    Raises:
        StopNow: at the second signal, wherever the training is.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    heeded = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    several, asked = place().world > 1, 0.0

    def request_stop(number: int, frame: object) -> None:  # noqa: ARG001 - the signal's signature
        nonlocal asked
        if stop.is_set() and several and time.monotonic() - asked < ONE_WISH:
            return
        asked = time.monotonic()
        if stop.is_set():
            for each in heeded:  # a third must not keep the status from being written
                signal.signal(each, signal.SIG_IGN)
            raise StopNow
        stop.set()

    for number in heeded:
        signal.signal(number, request_stop)
    try:
        yield stop.is_set
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def stopped_at_once() -> InterruptedRunError:
    """The error for a training that was told to stop where it was."""
    return InterruptedRunError(
        "Stopped at once; the last checkpoint is kept, and what came after it is trained again.",
        "Run the same command with --resume to go on.",
    )


@contextmanager
def going_on_by_itself() -> Iterator[None]:
    """For trainings in verbs that go on by themselves and have no ``--resume``: what a stop says is true there."""
    try:
        yield
    except KinemaError as error:
        if isinstance(error, RunError) and "--resume" in error.hint:  # of another process that trains there
            error.hint = "Wait until it has ended, or stop it; then run the same command again, which goes on."
        elif (error.resumable and not isinstance(error, StorageError)) or "--resume" in error.hint:
            error.hint = "Run the same command again: it goes on where this one stopped."
        raise


def lost_worker(failure: RuntimeError) -> WorkerError | None:
    """The error for a process that read for the training and was killed; None for another failure.

    Args:
        failure: torch's own, which arrives wherever the training is.
    """
    text = str(failure)
    if not text.startswith("DataLoader worker"):
        return None
    if "Bus error" in text:
        return WorkerError(
            "A process that reads for the training was ended, for it had no shared memory left.",
            "Give the container more shared memory (--shm-size=1g), or go on with fewer processes (--workers, 0 for "
            "none).",
        )
    return WorkerError(
        "A process that reads for the training was killed, as the system does when memory runs out.",
        "Go on with fewer processes (--workers, 0 for none), or with more memory.",
    )


def failure_line(failure: BaseException) -> str:
    """A failure in a line of a status: ours as it is, another by its kind."""
    if isinstance(failure, KinemaError):
        return failure.message
    first = next(iter(str(failure).splitlines()), "")
    return f"{type(failure).__name__}: {first}" if first else type(failure).__name__
