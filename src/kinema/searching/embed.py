"""Makes and renews a table of the embeddings of videos; see :mod:`kinema.searching.renewal` for how it is written."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import torch
from torch import Tensor

from kinema.core.cluster import check_room, joined
from kinema.core.errors import UsageError
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Manifest, Video
from kinema.searching import place
from kinema.searching.by_ray import by_ray, gpus_of
from kinema.searching.centre import find_centre
from kinema.searching.changes import Changes, Known, changes, check_root, known_videos, root_of_table
from kinema.searching.encode import Shots, Space
from kinema.searching.engines import Encoding, Engine, by_threads, check_engine
from kinema.searching.index import IndexKind
from kinema.searching.layout import VIDEOS
from kinema.searching.renewal import Renewal, Renewed, Steps, showing, threads_of_torch
from kinema.searching.schema import (
    SPACES,
    Making,
    attribute_columns,
    check_made_by,
    making_of,
    manifest_columns,
    rows_of,
    schema_of,
    told_columns,
)
from kinema.searching.windows import Length, WindowSpec

ROWS = 2048
"""A commit is made of at least so many rows."""


@dataclass(frozen=True, kw_only=True)
class Embedded(Renewed):
    """What a table of videos holds after an embedding, and what was done for it.

    Args:
        videos: in the table.
        windows: in the table.
        held: videos shorter than a clip, whose last frame was held; of those embedded now.
    """

    videos: int
    windows: int
    held: int
    noun: ClassVar[str] = "videos"

    @property
    def content(self) -> str:
        """What the table holds, in words."""
        return f"{self.videos} videos, {self.windows} windows"

    @property
    def note(self) -> str:
        """What a person should know; empty for nothing."""
        return f"{self.held} videos are shorter than a clip; their last frame is held." if self.held else ""


@dataclass(frozen=True)
class Job:
    """What is to be embedded, and how.

    Args:
        model: the encoder.
        manifest: the videos.
        uri: where the table is, or will be.
        length: of a window; None for that of the table, or one clip.
        stride: from window to window; None likewise.
        replace: make the table anew, whoever made it.
        index: what searches large tables: 'auto', 'ivf-pq', 'hnsw' or 'none'.
        engine: what reads and encodes: 'local', this process; 'ray', the workers of a cluster.
        workers: threads that read videos; on 'ray', workers that read and encode.
        threads: that an encoder computes with; None for what torch takes here. It may
            change the last digits of a vector.
        batch_size: clips at a time.
        device: where to compute; on 'ray' and where none is named, a GPU where the cluster has one.
        space: what a row holds: 'embedding' or 'projection'; None for that of the table, or an embedding.
        steps: makes a context that shows progress under a title.
    """

    model: Model
    manifest: Manifest
    uri: str
    length: Length | None = None
    stride: Length | None = None
    replace: bool = False
    index: IndexKind = "auto"
    engine: Engine = "local"
    workers: int = 2
    threads: int | None = None
    batch_size: int = 32
    device: str | None = None
    space: Space | None = None
    steps: Steps | None = None

    @property
    def readers(self) -> int:
        """What reads on this machine: all workers, or on a cluster at most as many as this machine has processors."""
        return self.workers if self.engine == "local" else min(self.workers, os.cpu_count() or 1)


def embed_table(job: Job) -> Embedded:
    """Makes the table say what the manifest says. The caller holds its lock (:mod:`kinema.searching.lock`).

    Raises:
        UsageError: a setting that cannot be.
        DataError: the table is another encoder's or of other videos, or no video could be embedded.
        StorageError: it cannot be written.
        MissingExtraError: the engine's package is not installed.
        ClusterError: no cluster can be joined, it has no room, or it fails.
    """
    if job.workers < 1 or job.batch_size < 1:
        raise UsageError(f"workers is {job.workers} and batch_size {job.batch_size}; each must be at least 1.")
    if job.threads is not None and job.threads < 1:
        raise UsageError(f"threads is {job.threads}; it must be at least 1.")
    if job.space not in (None, *SPACES):
        raise UsageError(f"There is no space '{job.space}'.", f"Choose one of: {', '.join(SPACES)}.")
    check_engine(job.engine)
    began = time.monotonic()
    with threads_of_torch(job.threads), _on_cluster(job):
        with place.telling(job.uri):
            embedding = _Embedding(job)
        centre = embedding.new_centre()
        with place.telling(job.uri):
            embedding.open(centre)
            found, gone = embedding.prepare()
        failed = len(found.failed)
        embedding.encode(found)
        with place.telling(job.uri):
            return embedding.finish(found, gone, len(found.failed) - failed, began)


@contextlib.contextmanager
def _on_cluster(job: Job) -> Iterator[None]:
    """The cluster is joined, and known to have room, before a table that is there is made anew."""
    if job.engine == "local":
        yield
        return
    with joined(job.workers * torch.get_num_threads()) as ray:
        check_room(ray, torch.get_num_threads(), gpus_of(ray, job.device))
        yield


class _Embedding(Renewal[Shots]):
    """One renewal of a table of videos, under its lock."""

    layout = VIDEOS

    def __init__(self, job: Job) -> None:
        root = str(job.manifest.root.resolve())
        super().__init__(job.uri, root=root, replace=job.replace, rows=ROWS, steps=job.steps)
        self.job = job
        self.making = self._making(None if self.anew else self.there)
        self.columns = attribute_columns(key for video in job.manifest.videos for key in video.attributes)
        self.held = 0

    def new_centre(self) -> Tensor | None:
        """The centre of a table that is to be made; None for one that has its own, and for projections."""
        if not self.anew or self.making.space == "projection":
            return None
        job = self.job
        with showing(job.steps, "finding the centre") as progress:
            return find_centre(
                job.model,
                job.manifest,
                self.making.windows,
                workers=job.readers,
                batch_size=job.batch_size,
                device=job.device,
                told=progress,
            )

    def _making(self, table: Any | None) -> Making:
        job, windows = self.job, WindowSpec(self.job.length, self.job.stride)
        if table is None:
            windows.check(job.model.clip)
            return Making.of(job.model, windows, job.space or "embedding")
        made = making_of(table, job.uri)
        there = made.windows
        windows = WindowSpec(job.length or there.length, job.stride or there.stride)
        check_made_by(made, Making.of(job.model, windows, job.space or made.space), job.uri)
        return made

    def new_schema(self, centre: Tensor | None) -> pa.Schema:
        """The columns of a new table."""
        return schema_of(self.making, self.columns.values(), centre)

    def name(self, row: int) -> str:
        """The path of a video."""
        return self._video(row).path

    def known(self) -> Known:
        """Size, time and facts of each video that the table holds."""
        return known_videos(self.table)

    def moved(self, known: Known) -> bool:
        """Whether the table's videos now lie in another folder."""
        return check_root(known, self.job.manifest, str(root_of_table(self.table)), self.job.uri)

    def changes(self, known: Known) -> Changes:
        """New, changed and deleted videos."""
        return changes(self.job.manifest, known, hears=self.job.model.hears is not None)

    def facts_of(self, row: int) -> dict[str, Any]:
        """What each row of a video repeats of the manifest."""
        return manifest_columns(self._video(row), self.columns)

    def rows_of(self, row: int, answer: Shots) -> list[dict[str, Any]]:
        """The rows of a video, its whole first."""
        return rows_of(self._video(row), answer, self.making, self.columns)

    def own_columns(self) -> Sequence[str]:
        """The columns that attributes gave the table."""
        return told_columns(self.table.schema)

    def finish(self, found: Changes, gone: int, failed: int, began: float) -> Embedded:
        """Tidies the table up, renews its index and says what came of it; see :meth:`finished`."""
        done = self.finished(found, gone, failed, self.job.index, began)
        return Embedded(videos=self.count("video"), windows=self.count("window"), held=self.held, **done)

    def _video(self, row: int) -> Video:
        return self.job.manifest.videos[row]

    def answers(self, rows: Sequence[int]) -> Generator[tuple[int, Shots | str]]:
        """Each video's embeddings, or why there are none; the engine says in which order."""
        job, making = self.job, self.making
        encoding = Encoding(job.model, making.windows, self.centre, job.batch_size, job.device, making.space)
        work = [(job.manifest.file(row), self._video(row)) for row in rows]
        if job.engine == "ray":
            answers = by_ray(encoding, work, workers=job.workers, threads=torch.get_num_threads())
        else:
            answers = by_threads(encoding, work, workers=job.workers)
        with contextlib.closing(answers):  # so that a cluster is left at once when this is stopped
            for at, shots in answers:
                self.held += isinstance(shots, Shots) and work[at][1].frames < job.model.clip.span
                yield rows[at], shots


def local_manifest(uri: str) -> Path | None:
    """Where the scan of a table's folder of videos is kept between embeddings; None for object storage."""
    folder = place.folder_of(uri)
    return None if folder is None else folder / "manifest.parquet"


def default_place(run: Path) -> str:
    """Where a run's table is unless another place is named."""
    return str(run / "index")
