"""Batches of clips from processes that read beside the training; none that dies, starves or hangs is waited for.

Batches come through shared memory where there is enough of it for all that are under way, and through pipes where there
is not: small containers have little, and a process that runs out of it is killed. Where processes cannot be started at
all, the training reads by itself. The batches are the same in each case.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from kinema.core.clips import RawClips
from kinema.core.errors import DataError, KinemaError, WorkerError
from kinema.data.clips.dataset import Clip, ClipDataset, collate
from kinema.data.clips.sampler import ClipRequest

log = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")
PREFETCHED = 2
"""Batches that each process reads ahead."""
LOOK, PATIENCE = 5.0, 50.0
"""Seconds between two looks whether the processes do anything, and how long they may do nothing."""
ROUNDING = 1 << 16
"""Bytes that a batch may take beside its own: each of its tensors is rounded up to pages."""


class ClipLoader:
    """Reads batches of clips, in this process or in others.

    Args:
        dataset: reads the clips.
        workers: processes that read; 0 reads in this one.
    """

    def __init__(self, dataset: ClipDataset, workers: int) -> None:
        self.dataset, self.workers = dataset, workers
        self._told = False

    def batches(self, requests: list[list[ClipRequest]]) -> Iterator[RawClips]:
        """The batches that are asked for, in order.

        Raises:
            DataError: too many videos could not be read.
            WorkerError: the processes do nothing any more.
            RuntimeError: one of them was killed; see :func:`kinema.training.stopping.lost_worker`.
        """
        if self.workers:
            try:
                _try_locks(self.workers)
                loader = iter(_loader(self.dataset, requests, self.workers))
            except OSError as error:
                self._tell(
                    "The processes that read clips cannot be started (%s), so the training reads by itself, which is "
                    "slower and gives the same. In a container, give it more shared memory (--shm-size=1g).",
                    error.strerror or error,
                )
            else:
                yield from self._answers(loader)
                return
        yield from DataLoader(
            self.dataset, batch_sampler=requests, collate_fn=collate, pin_memory=torch.cuda.is_available()
        )

    def _answers(self, loader: Any) -> Iterator[RawClips]:
        whole = False
        try:
            for answer in _patiently(loader):
                found = pickle.loads(answer) if isinstance(answer, bytes) else answer
                if isinstance(found, KinemaError):
                    raise found
                if isinstance(answer, bytes):
                    self._tell(
                        "There is little shared memory (%.1f MB are free in %s): batches come from the processes that "
                        "read them through pipes, which is slower and gives the same. In a container, give it more "
                        "(--shm-size=1g).",
                        (free_shared_memory() or 0) / 10**6,
                        SHARED_MEMORY,
                    )
                yield found
            whole = True
        finally:
            if not whole:
                end(loader)

    def _tell(self, message: str, *values: object) -> None:
        """Says it once a phase."""
        if not self._told:
            log.warning(message, *values)
        self._told = True


class _Careful(Dataset[Clip | KinemaError]):
    """A data set whose errors of ours are answers, so that they arrive as they are."""

    def __init__(self, dataset: ClipDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, request: ClipRequest) -> Clip | KinemaError:
        try:
            return self.dataset[request]
        except KinemaError as error:
            return error
        except MemoryError:
            return WorkerError("A process that reads clips has no memory left.", FEWER)
        except OSError as error:
            return DataError(f"A clip could not be read: {error}.", "Run `kinema scan VIDEOS`; it names such files.")


FEWER = "Go on with fewer processes (--workers, 0 for none) or with more memory."
"""What to do where a process was killed."""


class _Handed:
    """Puts clips together, as a batch in shared memory, or as bytes for a pipe where there is too little of it."""

    def __init__(self, workers: int) -> None:
        self.under_way = PREFETCHED * workers + 1

    def __call__(self, clips: Sequence[Clip | KinemaError]) -> RawClips | bytes:
        wrong = next((each for each in clips if isinstance(each, KinemaError)), None)
        if wrong is not None:
            return pickle.dumps(wrong)
        batch = collate([each for each in clips if isinstance(each, Clip)])
        free = free_shared_memory()
        if free is not None and free < self.under_way * (_size(batch) + ROUNDING):
            return pickle.dumps(batch, protocol=pickle.HIGHEST_PROTOCOL)
        return batch


def free_shared_memory() -> int | None:
    """Bytes of shared memory that are free; None where the system has no folder for it."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return None


def end(loader: Any) -> None:
    """Ends the processes of a loader at once, whatever they are doing: what they would answer is not wanted."""
    from torch.utils.data._utils import signal_handling

    signal_handling._remove_worker_pids(id(loader))  # type: ignore[attr-defined]  # their end is no news
    loader._worker_pids_set = False
    for process in loader._workers:
        process.kill()


def _size(batch: Any) -> int:
    """Bytes of all tensors of a record."""
    if isinstance(batch, Tensor):
        return batch.numel() * batch.element_size()
    return sum(_size(getattr(batch, item.name)) for item in fields(batch)) if is_dataclass(batch) else 0


def _try_locks(workers: int) -> None:
    """Tries whether there is room for the locks of a loader, which are in shared memory too.

    Raises:
        OSError: there is none.
    """
    _ = [torch.multiprocessing.get_context().Lock() for _ in range(3 * workers + 12)]


def _loader(dataset: ClipDataset, requests: list[list[ClipRequest]], workers: int) -> Any:
    return DataLoader(
        _Careful(dataset),
        batch_sampler=requests,
        collate_fn=_Handed(workers),
        num_workers=workers,
        prefetch_factor=PREFETCHED,
        pin_memory=torch.cuda.is_available(),
        timeout=LOOK,
        worker_init_fn=_leave_signals,
    )


def _leave_signals(number: int) -> None:  # noqa: ARG001 - the signature of the loader
    """A stop is asked of the training, which ends its processes; a terminal asks them all."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _patiently(loader: Any) -> Iterator[Any]:
    """The answers of a loader, as long as its processes do something."""
    while True:
        idle, before = 0.0, _done_by(loader)
        while True:
            began = time.monotonic()
            try:
                answer = next(loader)
            except StopIteration:
                return
            except RuntimeError as error:
                if "timed out" not in str(error):
                    raise
                now = _done_by(loader)
                idle = 0.0 if now != before else idle + min(time.monotonic() - began, 2 * LOOK)
                before = now
                if idle >= (PATIENCE if now is not None else 10 * PATIENCE):
                    raise _idle(loader, idle) from None
            else:
                break
        yield answer


def _idle(loader: Any, seconds: float) -> WorkerError:
    count = len(loader._workers)
    which = "the process that reads clips has" if count == 1 else f"none of the {count} processes that read clips has"
    doing = "done nothing" if count == 1 else "done anything"
    return WorkerError(
        f"For {seconds:.0f} seconds {which} {doing}: the place of the videos does not answer, or the memory they share "
        "is full.",
        "See that the videos can be read, then go on with fewer processes (--workers, 0 for none).",
    )


def _done_by(loader: Any) -> Mapping[int, tuple[int, int]] | None:
    """What each process has done: its processor time, in tenths of a second, and the bytes that it has read.

    None where the system does not tell.
    """
    done = {}
    for process in loader._workers:
        try:
            stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
            used = sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        except (OSError, ValueError):
            return None
        try:
            read = int(Path(f"/proc/{process.pid}/io").read_text(encoding="utf-8").split()[1])
        except (OSError, ValueError, IndexError):
            read = 0
        done[process.pid] = (used * 10 // os.sysconf("SC_CLK_TCK"), read)
    return done
