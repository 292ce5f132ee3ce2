"""Batches on their way to a GPU while it computes, and how much of the time it does.

On a processor a batch is what the loader gives, when it is asked for. On a GPU the next one is read, pinned and copied,
on a stream of its own, while the step before it is computed. What was read and not trained is of no account: a
checkpoint counts the batches that were trained.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from kinema.core.moving import sent
from kinema.core.records import mapped

T = TypeVar("T")
S = TypeVar("S")


def ahead(batches: Iterable[Any], device: torch.device) -> Iterable[Any]:
    """The batches on a GPU, each copied while the one before it is trained; on other devices as they are.

    Args:
        batches: records of tensors, pinned by their loader where it can.
        device: where they are trained.
    """
    return _copied(batches, device) if device.type == "cuda" else batches


def _copied(batches: Iterable[Any], device: torch.device) -> Iterator[Any]:
    stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def begin(raw: Any) -> tuple[Any, torch.cuda.Event]:
        with torch.cuda.stream(stream):
            moved = mapped(raw, lambda x: sent(x, device))
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(stream)
        return moved, done

    for raw, done in one_ahead(batches, begin):
        computing = torch.cuda.current_stream(device)
        computing.wait_event(done)
        mapped(raw, partial(_used_on, computing))
        yield raw


def _used_on(stream: torch.cuda.Stream, x: Tensor) -> Tensor:
    """Tells the allocator that a tensor of one stream is used on another, too."""
    if x.is_cuda:
        x.record_stream(stream)
    return x


def one_ahead(items: Iterable[T], begin: Callable[[T], S]) -> Iterator[S]:
    """What ``begin`` makes of each item, one item further than was asked for.

    An error that reading the next one raises comes after those before it were given, as without reading ahead.

    Args:
        items: are read one after the other; closed with this iterator, where they can be.
        begin: is called as soon as an item is there.
    """
    reading, held, failed = iter(items), deque[S](), list[Exception]()

    def read() -> None:
        try:
            held.append(begin(next(reading)))
        except StopIteration:
            pass
        except Exception as error:  # whatever it is, it is raised in its turn
            failed.append(error)

    try:
        read()
        while held:
            if not failed:
                read()
            yield held.popleft()
        if failed:
            raise failed[0]
    finally:
        close = getattr(reading, "close", None)
        if close is not None:
            close()


class BusyClock:
    """The share of the time in which a GPU has a step under way, by its own clock.

    A step is under way from its first kernel to its last. Its two events are put into the GPU's queue, and are
    read only when a figure is asked for. Gaps within a step, where the GPU waits for the processor to launch the next
    kernel, are not seen: the share is an upper bound.

    Args:
        device: on others than GPUs nothing is measured.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._steps: list[tuple[Any, Any]] = []
        self._last: Any = None
        self._busy = self._whole = 0.0

    def restart(self) -> None:
        """The time until the next step begins does not count: an epoch begins."""
        self._read()
        self._last = None

    def begin(self) -> None:
        """A step begins."""
        if self._cuda:
            self._steps.append((self._mark(), None))

    def end(self) -> None:
        """The step is over."""
        if self._cuda and self._steps:
            self._steps[-1] = (self._steps[-1][0], self._mark())

    def share(self) -> float | None:
        """The share since the phase began, or was resumed; None where nothing was measured."""
        self._read()
        return self._busy / self._whole if self._whole else None

    def _mark(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _read(self) -> None:
        """Reads the events of all steps that are over."""
        steps, self._steps = self._steps, []
        done = [(begun, over) for begun, over in steps if over is not None]
        if not done:
            return
        done[-1][1].synchronize()
        self._busy += sum(begun.elapsed_time(over) for begun, over in done)
        self._whole += (self._last or done[0][0]).elapsed_time(done[-1][1])
        self._last = done[-1][1]
