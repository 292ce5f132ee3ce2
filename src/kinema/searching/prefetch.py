"""Reads the next videos in threads while the encoder works on the current one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def prefetch(jobs: Iterable[Callable[[], Iterator[Item]]], *, workers: int, depth: int = 2) -> Iterator[Iterator[Item]]:
    """The items of each job, in the order of the jobs; up to ``workers`` jobs run at once.

    Args:
        jobs: functions that return an iterator; each runs in a thread.
        workers: number of threads, and of jobs that are started early.
        depth: items of a job that are buffered; no more are computed.

    Returns:
        An iterator per job, to be exhausted before the next one is taken. It raises what the job raises.
    """
    stop = threading.Event()
    pending: deque[queue.Queue[object]] = deque()
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="kinema-reader")
    remaining = iter(jobs)

    def start_next() -> None:
        job = next(remaining, None)
        if job is not None:
            buffer: queue.Queue[object] = queue.Queue(depth)
            pending.append(buffer)
            pool.submit(_fill, job, buffer, stop)

    try:
        for _ in range(max(1, workers)):
            start_next()
        while pending:
            buffer = pending.popleft()
            start_next()
            yield _drain(buffer)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(job: Callable[[], Iterator[Item]], buffer: queue.Queue[object], stop: threading.Event) -> None:
    try:
        for item in job():
            if not _put(buffer, item, stop):
                return
        _put(buffer, _END, stop)
    except BaseException as error:
        _put(buffer, error, stop)


def _put(buffer: queue.Queue[object], item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            buffer.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _drain(buffer: queue.Queue[object]) -> Iterator[Any]:
    while True:
        item = buffer.get()
        if item is _END:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
