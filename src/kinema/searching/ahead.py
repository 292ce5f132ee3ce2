"""Reads some videos ahead in threads, while the encoder works on the one before."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(jobs: Iterable[Callable[[], Iterator[Item]]], *, workers: int, depth: int = 2) -> Iterator[Iterator[Item]]:
    """What each job gives, in the order of the jobs; up to ``workers`` of them run at once.

    Args:
        jobs: make the iterators; each runs in a thread.
        workers: threads, and so jobs that are begun before their turn.
        depth: items of a job that wait to be taken; no more are made.

    Returns:
        An iterator a job, to be used up before the next one is taken. What a job raises is raised there.
    """
    stop = threading.Event()
    waiting: deque[queue.Queue[object]] = deque()
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="kinema-reader")
    left = iter(jobs)

    def begin() -> None:
        job = next(left, None)
        if job is not None:
            line: queue.Queue[object] = queue.Queue(depth)
            waiting.append(line)
            pool.submit(_fill, job, line, stop)

    try:
        for _ in range(max(1, workers)):
            begin()
        while waiting:
            line = waiting.popleft()
            begin()
            yield _emptied(line)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(job: Callable[[], Iterator[Item]], line: queue.Queue[object], stop: threading.Event) -> None:
    try:
        for item in job():
            if not _put(line, item, stop):
                return
        _put(line, _END, stop)
    except BaseException as error:
        _put(line, error, stop)


def _put(line: queue.Queue[object], item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            line.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _emptied(line: queue.Queue[object]) -> Iterator[Any]:
    while True:
        item = line.get()
        if item is _END:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
