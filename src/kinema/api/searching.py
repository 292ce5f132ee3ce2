"""The Python face of search: what ``kinema embed``, ``search``, ``cluster`` and ``dedupe`` do, as functions."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from kinema.api.copies import Copies, find_copies
from kinema.api.models import load
from kinema.api.opening import Data
from kinema.core.errors import DataError, UsageError
from kinema.core.progress import Steps
from kinema.data import Manifest, open_data
from kinema.data.clips.reader import Model
from kinema.data.layouts import scan_data
from kinema.data.layouts.opening import named_data, root_of
from kinema.data.video.scanning import read_videos
from kinema.searching import grouping, place
from kinema.searching.alike import Alike, alike, videos_of
from kinema.searching.changes import root_of_table
from kinema.searching.embed import Embedded, Job, default_place, embed_table, local_manifest
from kinema.searching.encode import Space
from kinema.searching.engines import Engine, check_engine
from kinema.searching.find import Found, find
from kinema.searching.index import IndexKind
from kinema.searching.lock import writing
from kinema.searching.windows import Length


@dataclass(frozen=True)
class Deduped:
    """Videos that show the same, by the encoder, and those of them that are the same footage, by the picture.

    Args:
        alike: pairs of videos that the encoder holds for nearly the same, by their two nearest windows.
        copies: what a comparison of these videos' pictures found; None where there was no pair.
    """

    alike: tuple[Alike, ...]
    copies: Copies | None

    def plain(self, seconds: float) -> dict[str, Any]:
        """All of it as JSON values: what ``kinema duplicates`` says, and ``alike``."""
        nothing = {"videos": 0, "pairs": [], "across": 0, "groups": [], "leaking": [], "still": [], "unreadable": []}
        summary = nothing | {"seconds": seconds} if self.copies is None else self.copies.plain(seconds)
        return {"alike": [asdict(pair) for pair in self.alike], **summary}


def embed(
    run: str | Path | Model,
    videos: Data,
    *,
    out: str | Path | None = None,
    view: str | None = None,
    length: str | float | None = None,
    stride: str | float | None = None,
    replace: bool = False,
    index: IndexKind = "auto",
    engine: Engine = "local",
    workers: int = 2,
    threads: int | None = None,
    batch_size: int = 32,
    device: str | None = None,
    space: Space | None = None,
    console: Console | None = None,
) -> Embedded:
    """Writes the embeddings of videos into a table, to be searched by :func:`search`; or brings one up to date.

    Only what is new or has changed is encoded, and what is gone is taken out. A call that was stopped is made again.

    Args:
        run: a run's folder, an exported folder, or a model.
        videos: a folder, a known data set as NAME:PATH, a manifest, or a manifest's file.
        out: where the table is: a folder, or object storage by its URI (s3://, gs://, az://); RUN/index by default.
        view: which view's encoder of a run; by default the one it is for.
        length: of a window: '2s', 2 (seconds) or '16f' (frames); by default that of the table or, in a new one, a clip.
        stride: from window to window, likewise; by default half a window.
        replace: make a table anew that another encoder, or other settings, made.
        index: how large tables are searched: 'ivf-pq', 'hnsw', 'none', or 'auto': exactly below 100,000 rows.
        engine: 'local'; 'ray': workers of the Ray cluster that RAY_ADDRESS names, or of one started here, do the work.
        workers: processes that scan, and threads that decode; on 'ray', workers that decode and encode.
        threads: that an encoder computes with; by default as many as torch takes here, on 'ray' in each worker.
        batch_size: clips at a time.
        device: where to compute; a GPU where there is one, by default.
        space: what a row holds: 'embedding', what the encoder gives, or 'projection', what its head makes of that, by
            which the views of one run can be compared; by default that of the table or, in a new one, an embedding.
        console: where progress is shown.

    Raises:
        MissingExtraError: lancedb is not installed, or ray where it is asked for.
        UsageError: a setting that cannot be.
        DataError: the table is another encoder's or of other videos; or none could be embedded.
        StorageError: somebody else writes into it, or it cannot be written.
        ClusterError: there is no Ray cluster, or it has no room.
    """
    uri = _place(run, out)
    place.lancedb()
    check_engine(engine)
    lengths = {"length": length, "stride": stride}
    given = {name: None if text is None else Length.parse(text, f"--{name}") for name, text in lengths.items()}
    model = run if isinstance(run, Model) else load(run, view=view)
    steps = functools.partial(Steps, console=console)
    with writing(uri, place.folder_of(uri)):
        readers = workers if engine == "local" else min(workers, os.cpu_count() or 1)
        found = _scanned(videos, uri, readers, steps)
        settings: dict[str, Any] = given | {"replace": replace, "index": index, "engine": engine, "workers": workers}
        settings |= {"threads": threads, "batch_size": batch_size, "device": device, "space": space, "steps": steps}
        return embed_table(Job(model, found, uri, **settings))


def search(
    run: str | Path | Model,
    query: str | Path,
    *,
    k: int = 10,
    where: str | None = None,
    over: Literal["windows", "videos"] = "windows",
    others: bool = False,
    exact: bool | None = None,
    table: str | Path | None = None,
    view: str | None = None,
    device: str | None = None,
) -> Found:
    """What in a table of :func:`embed` is nearest to a video, to a stretch of one, to a picture, or to a sound.

    Args:
        run: the run's folder, an exported folder, or the model that made the table; of a table of projections, one of
            the run's other views too.
        query: a video; VIDEO@START-END, in seconds; a picture, for an encoder of the view 'rgb'; or a file of sound,
            for one of 'sound'.
        k: hits; windows of one video that overlap or are nearly equal are one.
        where: a condition in SQL on the table's columns: ``"label = 'walk' AND duration > 2"``.
        over: what is compared: windows, or whole videos.
        others: leave the query's own video out.
        exact: whether to compare every row; by default below 100,000, or where the table has no index.
        table: where it is; RUN/index by default.
        view: which view's encoder of a run; by default the one it is for.
        device: where to compute.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: the query or the condition cannot be understood.
        DataError: there is no table, it is another encoder's, or the query cannot be read.
    """
    uri = _place(run, table)
    place.need_table(uri)
    model = run if isinstance(run, Model) else load(run, view=view)
    return find(model, uri, query, k=k, where=where, over=over, others=others, exact=exact, device=device)


def cluster(
    run: str | Path,
    *,
    names: Mapping[int, str] | None = None,
    method: grouping.Way = "kmeans",
    k: int = 10,
    least: int = 5,
    over: grouping.Over = "videos",
    seed: int = 0,
    table: str | Path | None = None,
) -> grouping.Clusters:
    """Sorts a table into clusters, or gives those that it has their names.

    Args:
        run: the run's folder; only the place of its table is taken from it.
        names: by number: only names are given then. They go on with clusters that a later call finds mostly unchanged.
        method: 'kmeans', or 'hdbscan', which finds how many clusters there are and leaves some rows out.
        k: clusters of k-means.
        least: the smallest cluster of HDBSCAN.
        over: whole videos, or windows.
        seed: of k-means.
        table: where it is; RUN/index by default.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: a setting that cannot be, or no such cluster.
        DataError: there is no table, or it is too small or too large for this.
        StorageError: somebody else writes into it, or it cannot be written.
    """
    uri = _place(run, table)
    if names:
        return grouping.name_clusters(uri, names)
    return grouping.cluster_table(uri, way=method, k=k, least=least, over=over, seed=seed)


def dedupe(
    run: str | Path,
    *,
    score: float = 0.95,
    table: str | Path | None = None,
    workers: int = 2,
    console: Console | None = None,
) -> Deduped:
    """Footage that a table's videos hold twice: the encoder proposes pairs, and their pictures are then compared.

    The comparison is that of :func:`kinema.api.duplicates`, made of the proposed videos alone.

    Args:
        run: the run's folder; only the place of its table is taken from it.
        score: the cosine from which two windows of different videos are proposed.
        table: where it is; RUN/index by default.
        workers: processes.
        console: where progress is shown.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: ``score`` is no cosine above 0.
        DataError: there is no table, it is too large for this, or its videos are no longer where they were.
    """
    uri = _place(run, table)
    pairs = alike(uri, least=score)
    if not pairs:
        return Deduped((), None)
    root, about = root_of_table(place.need_table(uri)), videos_of(uri)
    if not root.is_dir():
        raise DataError(f"The videos of this table are no longer in '{root}'.", "Embed them from where they are now.")
    paths = sorted({path for pair in pairs for path in (pair.a, pair.b)})
    with Steps("scanning", console) as progress:
        read = read_videos(root, paths, workers=workers, progress=progress)
    known = tuple(dataclasses.replace(video, **about[video.path]) for video in read)
    return Deduped(
        pairs, find_copies(Manifest(root, known), workers=workers, steps=functools.partial(Steps, console=console))
    )


def _place(run: str | Path | Model, table: str | Path | None) -> str:
    """Where the table is."""
    if table is not None:
        return str(table)
    home = run.run if isinstance(run, Model) else Path(run)
    if home is None:
        raise UsageError("The model has no run, so its table has no place of its own.", "Name one: out=… or table=….")
    return default_place(home)


def _scanned(videos: Data, uri: str, workers: int, steps: Any) -> Manifest:
    """The videos; of a folder, what an earlier call found is kept beside the table, so that only news is looked at."""
    if isinstance(videos, Manifest):
        return videos
    if not Path(videos).is_dir() and named_data(videos) is None:
        return open_data(videos, workers=workers)
    kept = local_manifest(uri)
    journal = None if kept is None else kept.with_name(".manifest.journal")
    previous = None
    if kept is not None and kept.is_file():
        try:
            previous = Manifest.read(kept)
        except DataError:  # it is only a short cut
            kept.unlink(missing_ok=True)
        if previous is not None and previous.root != root_of(str(videos)).resolve():
            previous = None
    with steps("scanning") as progress:
        manifest = scan_data(videos, workers=workers, progress=progress, previous=previous, journal=journal)
    if kept is not None:
        manifest.write(kept)
    if journal is not None:
        journal.unlink(missing_ok=True)
    return manifest
