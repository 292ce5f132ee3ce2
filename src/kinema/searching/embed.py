"""Makes and renews a table of embeddings.

A video's rows are written in one commit of LanceDB together with those of some others, so that a table always holds
videos whole. Whoever is stopped, by whatever, goes on with the videos that the table does not hold yet; since each
video is encoded by itself, the end is the same.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinema.core.cluster import check_room, joined
from kinema.core.errors import DataError, UsageError
from kinema.core.progress import Progress
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Manifest, Video
from kinema.searching import names, place
from kinema.searching.by_ray import by_ray, gpus_of
from kinema.searching.centre import find_centre
from kinema.searching.changes import Changes, changes, check_root, known_videos, root_of_table
from kinema.searching.encode import Shots, Space
from kinema.searching.engines import Encoding, Engine, by_threads, check_engine
from kinema.searching.index import Index, IndexKind, renew_index, tidy
from kinema.searching.schema import (
    SPACES,
    Making,
    arrow,
    attribute_columns,
    centre_of,
    check_made_by,
    making_of,
    manifest_columns,
    quoted,
    rows_of,
    schema_of,
    told_columns,
)
from kinema.searching.windows import Length, WindowSpec

ROWS, SECONDS = 2048, 20.0
"""A commit is made of at least so many rows, or after so many seconds."""

Steps = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Embedded:
    """What a table holds after an embedding, and what was done for it.

    Args:
        table: where it is.
        videos: in the table.
        windows: in the table.
        added: videos that were new.
        changed: videos whose files were others than before.
        updated: videos of which only the manifest said something else; nothing was encoded for these.
        deleted: videos that are no longer there, or no longer readable.
        unchanged: videos that needed nothing.
        failed: videos that could not be embedded, with the reason.
        held: videos shorter than a clip, whose last frame was held; of those embedded now.
        index: what searches it, None for exact search.
        seconds: how long it took.
    """

    table: str
    videos: int
    windows: int
    added: int
    changed: int
    updated: int
    deleted: int
    unchanged: int
    failed: Mapping[str, str]
    held: int
    index: Index | None
    seconds: float

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("failed", "index")}
        failed = [{"path": path, "reason": reason} for path, reason in self.failed.items()]
        return told | {"failed": failed, "index": None if self.index is None else self.index.plain()}


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
    with _threads(job.threads), _on_cluster(job):
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
def _threads(count: int | None) -> Iterator[None]:
    """So many threads for torch, for the time being."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _on_cluster(job: Job) -> Iterator[None]:
    """The cluster is joined, and known to have room, before a table that is there is made anew."""
    if job.engine == "local":
        yield
        return
    with joined(job.workers * torch.get_num_threads()) as ray:
        check_room(ray, torch.get_num_threads(), gpus_of(ray, job.device))
        yield


class _Embedding:
    """One renewal of a table, under its lock."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.there = place.open_table(job.uri)
        self.anew = self.there is None or job.replace
        self.making = self._making(None if self.anew else self.there)
        self.columns = attribute_columns(key for video in job.manifest.videos for key in video.attributes)
        self.held = 0

    def new_centre(self) -> Tensor | None:
        """The centre of a table that is to be made; None for one that has its own, and for projections."""
        if not self.anew or self.making.space == "projection":
            return None
        job, steps = self.job, self.job.steps
        with steps("finding the centre") if steps is not None else _silence() as told:
            return find_centre(
                job.model,
                job.manifest,
                self.making.windows,
                workers=job.readers,
                batch_size=job.batch_size,
                device=job.device,
                told=told,
            )

    def open(self, centre: Tensor | None) -> None:
        """Makes the table, or readies the one that is there.

        Args:
            centre: of a new table.
        """
        connection = place.connect(self.job.uri)
        if self.anew:
            if self.there is not None:
                names.set_aside(connection, self.there)
            self.table = self._create("create" if self.there is None else "overwrite", centre)
        else:
            self.table = self.there
            missing = [name for name in self.columns.values() if name not in self.table.schema.names]
            if missing:
                import pyarrow as pa

                self.table.add_columns(pa.schema([pa.field(name, pa.string()) for name in missing]))
        self.centre = centre_of(self.table)
        self.carried = names.set_aside_names(connection)

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

    def _create(self, mode: str, centre: Tensor | None) -> Any:
        schema = schema_of(self.making, self.columns.values(), centre)
        at = schema.get_field_index("video")
        root = str(self.job.manifest.root.resolve()).encode("utf-8", "backslashreplace")
        schema = schema.set(at, schema.field(at).with_metadata({"root": root}))
        # The metadata of the schema and of its field come with the first commit: there is no table without them.
        return place.connect(self.job.uri).create_table(place.TABLE, schema=schema, mode=mode)

    def prepare(self) -> tuple[Changes, int]:
        """What is to be encoded, once all that needs no encoder is written; and how many videos went."""
        known = known_videos(self.table)
        if check_root(known, self.job.manifest, str(root_of_table(self.table)), self.job.uri):
            root = str(self.job.manifest.root.resolve())
            self.table.update_field_metadata({"path": "video", "metadata": {"root": root}})
        found = changes(self.job.manifest, known, hears=self.job.model.hears is not None)
        gone = [*found.deleted, *found.spoilt]
        for at in range(0, len(gone), 500):
            self.table.delete(f"video IN ({', '.join(quoted(path) for path in gone[at : at + 500])})")
        self._retell(found.told)
        return found, len(gone)

    def finish(self, found: Changes, gone: int, failed: int, began: float) -> Embedded:
        """Tidies the table up, renews its index and tells what came of it.

        Args:
            found: what there was to do.
            gone: videos taken out.
            failed: videos that were to be encoded and could not be.
            began: by the monotonic clock.
        """
        if not self.table.count_rows():
            raise DataError(*_nothing(found))
        names.forget(place.connect(self.job.uri))
        tidy(self.table)
        index = renew_index(self.table, self.job.index)
        added = len([row for row in found.new if self._video(row).path not in found.failed])
        return Embedded(
            table=self.job.uri,
            videos=self.table.count_rows("kind = 'video'"),
            windows=self.table.count_rows("kind = 'window'"),
            added=added,
            changed=len(found.new) + len(found.changed) - failed - added,
            updated=len(found.told),
            deleted=gone,
            unchanged=found.unchanged,
            failed=found.failed,
            held=self.held,
            index=index,
            seconds=time.monotonic() - began,
        )

    def _video(self, row: int) -> Video:
        return self.job.manifest.videos[row]

    def _retell(self, rows: Sequence[int]) -> None:
        """Writes what the manifest now says of files that are as they were; their embeddings stay."""
        for at in range(0, len(rows), 100):
            videos = {self._video(row).path: self._video(row) for row in rows[at : at + 100]}
            where = f"video IN ({', '.join(quoted(path) for path in videos)})"
            held = self.table.search().where(where).to_arrow().to_pylist()
            empty = dict.fromkeys(told_columns(self.table.schema))
            made = [row | empty | manifest_columns(videos[row["video"]], self.columns) for row in held]
            self.table.merge_insert("id").when_matched_update_all().execute(arrow(made, self.table.schema))

    def encode(self, found: Changes) -> None:
        """Encodes new and changed videos and commits them as they come; the engine says in which order."""
        todo, anew = sorted([*found.new, *found.changed]), set(found.changed)
        pending: list[dict[str, Any]] = []
        replaced: list[str] = []
        since = time.monotonic()
        steps = self.job.steps
        with (
            steps("embedding") if steps is not None else _silence() as told,
            contextlib.closing(self._shots(todo)) as answers,
        ):
            told(0, len(todo))
            for done, (row, shots) in enumerate(answers, 1):
                video = self._video(row)
                if isinstance(shots, Shots):
                    pending += names.carry(rows_of(video, shots, self.making, self.columns), self.carried)
                else:
                    found.failed[video.path] = shots
                replaced += [video.path] if row in anew else []
                if len(pending) >= ROWS or time.monotonic() - since > SECONDS or done == len(todo):
                    self._commit(pending, replaced)
                    pending, replaced, since = [], [], time.monotonic()
                told(done, len(todo))

    def _shots(self, rows: Sequence[int]) -> Generator[tuple[int, Shots | str]]:
        """Each video's embeddings, or why there are none."""
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

    def _commit(self, rows: Sequence[Mapping[str, Any]], replaced: Sequence[str]) -> None:
        """Writes rows; those that a replaced video had before go in the same commit."""
        made = arrow(rows, self.table.schema)
        with place.telling(self.job.uri):
            if replaced:
                old = f"video IN ({', '.join(quoted(path) for path in replaced)})"
                merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                merge.when_not_matched_by_source_delete(old).execute(made)
            elif rows:
                self.table.add(made)


@contextlib.contextmanager
def _silence() -> Iterator[Progress]:
    yield lambda done, total: None  # noqa: ARG005 - tells nobody


def _nothing(found: Changes) -> tuple[str, str]:
    some = [f"'{path}' ({reason})" for path, reason in list(found.failed.items())[:5]]
    return f"None of the {len(found.failed)} videos could be embedded: {', '.join(some)}.", "See: kinema scan VIDEOS"


def local_manifest(uri: str) -> Path | None:
    """Where the scan of a table's folder of videos is kept between embeddings; None for object storage."""
    folder = place.folder_of(uri)
    return None if folder is None else folder / "manifest.parquet"


def default_place(run: Path) -> str:
    """Where a run's table is unless another place is named."""
    return str(run / "index")
