"""Creates and updates a table of embeddings of videos; :mod:`kinema.searching.table_update` writes it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import torch
from torch import Tensor

from kinema.core.clips import SOUND
from kinema.core.cluster import check_room, joined
from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from
from kinema.core.plurals import counted
from kinema.core.threads import available_cpus
from kinema.data.clips.reader import Model
from kinema.data.moving import require_root
from kinema.data.video.files import reading_error
from kinema.data.video.limits import is_cut
from kinema.data.video.manifest import Manifest, Video
from kinema.searching import database
from kinema.searching.by_ray import by_ray, gpus_of
from kinema.searching.centre import find_centre
from kinema.searching.changes import Changes, Known, find_changes
from kinema.searching.encode import Space, VideoEmbeddings
from kinema.searching.engines import Encoding, Engine, by_threads, check_engine
from kinema.searching.layout import VIDEOS
from kinema.searching.schema import (
    COLUMNS,
    SPACES,
    TableSettings,
    manifest_columns,
    read_settings,
    rows_of,
    schema_of,
)
from kinema.searching.table_settings import check_settings
from kinema.searching.table_update import TableUpdate, UpdateJob, UpdateResult, run_update, showing, threads_of_torch
from kinema.searching.windows import Length, WindowSpec

ROWS = 2048
"""The fewest rows of a commit."""


@dataclass(frozen=True, kw_only=True)
class Embedded(UpdateResult):
    """The result of embedding videos: what the table holds now, and what was done.

    Args:
        videos: in the table.
        windows: in the table.
        held: newly embedded videos shorter than a clip, whose last frame was repeated.
        cut: newly embedded videos with such long pictures that only the middle is used.
        view: what the table's encoder sees; of several side by side 'rgb+motion'.
    """

    videos: int
    windows: int
    held: int
    cut: int = 0
    view: str = ""
    noun: ClassVar[str] = "videos"

    @property
    def content(self) -> str:
        """What the table holds, in words."""
        return f"{counted(self.videos, 'videos')}, cut into {counted(self.windows, 'windows')} of {self.view}"

    @property
    def note(self) -> str:
        """A note for the user; empty for none."""
        one = "1 video is" if self.held == 1 else f"{self.held} videos are"
        held = f"{one} shorter than a clip; the last frame is held." if self.held else ""
        cut = f"Of {self.cut} videos, much longer than wide or high, only the middle is used." if self.cut else ""
        return " ".join(filter(None, (held, cut)))


@dataclass(frozen=True, kw_only=True)
class Job(UpdateJob):
    """What to embed, and how; see :class:`~kinema.searching.table_update.UpdateJob` for the other fields.

    Args:
        model: the encoder.
        manifest: the videos.
        length: of a window; None for that of the table, or one clip.
        stride: from window to window; None for that of the table, or half a window.
        engine: where videos are read and encoded: 'local', in this process; 'ray', by the workers of a cluster.
        workers: threads that read videos; on 'ray', workers that read and encode.
        device: where to compute; None on 'ray' is a GPU where the cluster has one.
        space: what a row holds: 'embedding' or 'projection'; None for that of the table, or 'embedding' in a new one.
    """

    model: Model
    manifest: Manifest
    length: Length | None = None
    stride: Length | None = None
    engine: Engine = "local"
    workers: int = 2
    space: Space | None = None

    @property
    def readers(self) -> int:
        """Threads that read on this machine: all workers; on a cluster at most as many as there are processors."""
        return self.workers if self.engine == "local" else min(self.workers, available_cpus())


def embed_table(job: Job) -> Embedded:
    """Makes the table agree with the manifest. The caller holds its lock (:mod:`kinema.searching.lock`).

    Raises:
        UsageError: a setting is invalid.
        DataError: the table is another encoder's or of other videos; no video could be embedded; or more than a tenth
            of the table would be removed without ``remove``.
        StorageError: it cannot be written.
        MissingExtraError: the engine's package is not installed.
        ClusterError: no cluster can be joined, it has no room, or it fails.
    """
    if job.workers < 1 or job.batch_size < 1:
        raise UsageError(f"workers is {job.workers} and batch_size {job.batch_size}; each must be at least 1.")
    if job.threads is not None and job.threads < 1:
        raise UsageError(f"threads is {job.threads}; it must be at least 1.")
    if job.space not in (None, *SPACES):
        raise UsageError(f"There is no space '{job.space}'.", choose_from(str(job.space), SPACES))
    check_engine(job.engine)
    require_root(job.manifest.root, "videos")
    began = time.monotonic()
    with threads_of_torch(job.threads), _on_cluster(job):
        return run_update(lambda: _Embedding(job), job.uri, began)


@contextlib.contextmanager
def _on_cluster(job: Job) -> Iterator[None]:
    """Joins the cluster and checks that it has room, before an existing table is replaced."""
    if job.engine == "local":
        yield
        return
    with joined(job.workers * torch.get_num_threads()) as ray:
        check_room(ray, torch.get_num_threads(), gpus_of(ray, job.device))
        yield


class _Embedding(TableUpdate[VideoEmbeddings, Embedded]):
    """One update of a table of videos, under its lock."""

    layout, own, group = VIDEOS, COLUMNS, "folder"
    known_columns = ("size", "mtime_ns", "facts")

    def __init__(self, job: Job) -> None:
        attributes = (key for video in job.manifest.videos for key in video.attributes)
        super().__init__(job, root=job.manifest.root, attributes=attributes, rows=ROWS)
        self.job = job
        self.settings = self._settings(None if self.is_new else self.existing)
        self.held, self.cut = 0, 0

    def new_centre(self) -> Tensor | None:
        """The centre of a new table; None for an existing one, and for projections."""
        if not self.is_new or self.settings.space == "projection":
            return None
        job = self.job
        with showing(job.steps, "finding the centre") as progress:
            return find_centre(
                job.model,
                job.manifest,
                self.settings.windows,
                workers=job.readers,
                batch_size=job.batch_size,
                device=job.device,
                progress=progress,
            )

    def _settings(self, table: Any | None) -> TableSettings:
        job, windows = self.job, WindowSpec(self.job.length, self.job.stride)
        if table is None:
            windows.check(job.model.clip)
            return TableSettings.of(job.model, windows, job.space or "embedding")
        settings = read_settings(table, job.uri)
        before = settings.windows
        windows = WindowSpec(job.length or before.length, job.stride or before.stride)
        check_settings(settings, TableSettings.of(job.model, windows, job.space or settings.space), job.uri)
        return settings

    def new_schema(self, centre: Tensor | None) -> pa.Schema:
        """The columns of a new table."""
        return schema_of(self.settings, self.columns.values(), centre)

    @property
    def unlisted(self) -> Mapping[str, str]:
        """What the scan could not look at, with the reason: folders, and names that are not UTF-8."""
        missed = self.job.manifest.overlooked
        return {**missed.unlisted, **dict.fromkeys(missed.misnamed, "its name is not UTF-8: rename it")}

    def passing(self, row: int) -> bool:
        """Whether the system cannot read a video's file."""
        return reading_error(self.job.manifest.file(row)) is not None

    def name(self, row: int) -> str:
        """The path of a video."""
        return self._video(row).path

    def contents(self) -> dict[str, int]:
        """The size of each video."""
        return {video.path: video.size for video in self.job.manifest.videos}

    def changes(self, known: Known) -> Changes:
        """New, changed and deleted videos."""
        return find_changes(self.job.manifest, known, needs_sound=self.job.model.sound_spec is not None)

    def facts_of(self, row: int) -> dict[str, Any]:
        """The manifest's facts that each row of a video repeats."""
        return manifest_columns(self._video(row), self.columns)

    def rows_of(self, row: int, encoded: VideoEmbeddings) -> list[dict[str, Any]]:
        """The rows of a video, that of the whole first."""
        return rows_of(self._video(row), encoded, self.settings, self.columns)

    def result(self, done: Mapping[str, Any]) -> Embedded:
        """The result."""
        return Embedded(
            videos=self.count("video"),
            windows=self.count("window"),
            held=self.held,
            cut=self.cut,
            view=self.settings.view,
            **done,
        )

    def _video(self, row: int) -> Video:
        return self.job.manifest.videos[row]

    def encode_rows(self, rows: Sequence[int]) -> Generator[tuple[int, VideoEmbeddings | str]]:
        """Each video's embeddings, or the reason why there are none; the engine decides the order."""
        job, settings = self.job, self.settings
        encoding = Encoding(job.model, settings.windows, self.centre, job.batch_size, job.device, settings.space)
        work, hears = [(job.manifest.file(row), self._video(row)) for row in rows], job.model.views == (SOUND,)
        if job.engine == "ray":
            results = by_ray(encoding, work, workers=job.workers, threads=torch.get_num_threads())
        else:
            results = by_threads(encoding, work, workers=job.workers)
        with contextlib.closing(results):  # so that a cluster is left at once on interruption
            for at, found in results:
                self.held += isinstance(found, VideoEmbeddings) and work[at][1].frames < job.model.clip.span
                self.cut += isinstance(found, VideoEmbeddings) and not hears and is_cut(work[at][1])
                yield rows[at], found


def local_manifest(uri: str) -> Path | None:
    """The file of the last scan of a table's videos; None for object storage."""
    folder = database.folder_of(uri)
    return None if folder is None else folder / "manifest.parquet"


def default_place(run: Path) -> str:
    """The default place of a run's table."""
    return str(run / "index")
