"""Videos read and encoded by the workers of a Ray cluster, as a pipeline of Ray Data.

A block of the pipeline is one video. When a worker dies, Ray Data drops its video and may drop another that was queued
for it. Each of these is then retried in a pipeline of its own, so that only the video that kills workers fails: if its
second worker dies too, it counts as not embedded.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import pickle
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from kinema.core.cluster import check_room, joined, ray_package
from kinema.core.errors import ClusterError
from kinema.searching.encode import VideoEmbeddings
from kinema.searching.engines import Encoding, Work
from kinema.searching.prefetch import prefetch

SLICE = 4096
"""Videos per pipeline: Ray's memory grows with the blocks of a pipeline, and an archive may have millions."""

LOST = 256
"""Videos per pipeline that may kill workers; with more, the cause is not the videos."""

_QUIET = {"enable_progress_bars": False, "print_on_execution_start": False, "max_errored_blocks": -1}


def by_ray(
    encoding: Encoding, work: Sequence[Work], *, workers: int, threads: int
) -> Generator[tuple[int, VideoEmbeddings | str]]:
    """Each video's index in ``work`` and its embeddings, or the reason why there are none; in order of completion.

    Args:
        encoding: encodes a video; it is sent to the workers, which read the files by their paths.
        work: the videos.
        workers: the most workers; fewer where the cluster has no room.
        threads: of each worker.

    Raises:
        MissingExtraError: ray is not installed, or not with Ray Data.
        ClusterError: no cluster can be joined, it has no room, or it fails.
    """
    ray_package("data")
    with joined(workers * threads) as ray, _quietly(ray):
        gpus = gpus_of(ray, encoding.device)
        check_room(ray, threads, gpus)
        for reader in encoding.model.readers:
            reader.tower.to("cpu")
        encoding_ref = ray.put(
            replace(encoding, device="cuda" if gpus else "mps" if encoding.device == "mps" else "cpu")
        )
        pool = {"num_cpus": threads, "num_gpus": gpus or None}
        for begin in range(0, len(work), SLICE):
            left = set(range(begin, min(begin + SLICE, len(work))))
            for alone in (False, True):
                todo = sorted(left)
                if alone and len(todo) > LOST:
                    raise _dying(len(todo))
                for some in [[at] for at in todo] if alone else [todo]:
                    rows = [{"at": at, "work": pickle.dumps(work[at])} for at in some]
                    for at, answer in _answers(ray, rows, encoding_ref, min(workers, len(rows)), pool):
                        if at in left:  # a row that Ray lost and made again comes twice
                            left.remove(at)
                            yield at, answer
            yield from ((at, "the worker that read it died, twice") for at in sorted(left))


def _dying(count: int) -> ClusterError:
    return ClusterError(
        f"Workers died at {count} videos.",
        "They may lack memory: take fewer --workers, or a smaller --batch_size. Then call again; it continues.",
    )


def gpus_of(ray: Any, device: str | None) -> int:
    """The GPUs that a worker takes: one where the device is CUDA, or where none is named and the cluster has some."""
    if device in (None, "auto"):
        return int(ray.cluster_resources().get("GPU", 0) >= 1)
    return int(str(device).startswith("cuda"))


def _answers(
    ray: Any, rows: Sequence[dict[str, Any]], encoding_ref: Any, workers: int, pool: dict[str, Any]
) -> Generator[tuple[int, VideoEmbeddings | str]]:
    """The results of one pipeline; there is none for a row whose worker died."""
    compute = ray.data.ActorPoolStrategy(
        min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=1
    )
    threads = pool["num_cpus"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Ray Data will give the number of restarts another name
            made = ray.data.from_items(rows, override_num_blocks=len(rows))
            made = made.map(
                _Worker, fn_constructor_args=[encoding_ref, threads], compute=compute, max_restarts=0, **pool
            )
        for row in made.iter_rows():
            answer = pickle.loads(row["answer"])
            if isinstance(answer, Exception):
                raise answer
            yield int(row["at"]), answer
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ClusterError(
            f"The Ray cluster failed: {lines[-1][:300]}",
            "Each of its machines needs kinema, of this version. What is embedded stays; call again to go on.",
        ) from error


class _Worker:
    """A worker: an encoder, loaded at the first video."""

    def __init__(self, encoding_ref: Any, threads: int) -> None:
        self._encoding_ref, self._threads = encoding_ref, threads
        self._encoding: Encoding | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"at": row["at"], "answer": _packed(self._answer(row["work"]))}

    def _answer(self, packed: bytes) -> VideoEmbeddings | str | Exception:
        """Embeddings or a reason; the caller raises an exception again."""
        try:
            if self._encoding is None:
                torch.set_num_threads(self._threads)
                self._encoding = ray_package().get(self._encoding_ref)
            encoding: Encoding = self._encoding
            file, video = pickle.loads(packed)
            (found,) = [
                encoding.embed(file, video, c)
                for c in prefetch([functools.partial(encoding.read, file, video)], workers=1)
            ]
        except Exception as error:
            return error
        return found


def _packed(answer: VideoEmbeddings | str | Exception) -> bytes:
    try:
        packed = pickle.dumps(answer)
        pickle.loads(packed)
    except Exception:  # an exception whose constructor needs more than a message
        return pickle.dumps(RuntimeError(f"{type(answer).__name__}: {answer}"))
    return packed


@contextlib.contextmanager
def _quietly(ray: Any) -> Iterator[None]:
    """Ray Data without progress bars and logs of its own; its settings are restored afterwards."""
    context, log = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    before, level = {name: getattr(context, name) for name in _QUIET if hasattr(context, name)}, log.level
    try:
        for name in before:
            setattr(context, name, _QUIET[name])
        log.setLevel(logging.CRITICAL)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        log.setLevel(level)
