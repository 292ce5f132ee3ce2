"""The Python interface of search: what ``kinema embed``, ``search``, ``cluster`` and ``dedupe`` do, as functions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeGuard

from kinema.api.copies import Copies, find_copies
from kinema.api.models import load
from kinema.api.opening import Data
from kinema.api.table_views import load_for, model_for
from kinema.core.devices import chosen_device, named_device
from kinema.core.errors import DataError, UsageError
from kinema.core.progress import Shown, Steps
from kinema.core.threads import available_cpus
from kinema.data import Manifest, open_data
from kinema.data.clips.reader import Model
from kinema.data.documents.config import DocumentsConfig
from kinema.data.documents.kinds import Kinds, kind_of
from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Documents, is_table
from kinema.data.layouts import scan_data
from kinema.data.layouts.opening import named_data, root_of
from kinema.data.tracklets.reader import TrackletReader
from kinema.data.tracklets.table import Tracklets
from kinema.data.video.scanning import read_videos
from kinema.searching import clustering, database
from kinema.searching.documents.embed import EmbeddedDocuments, TextJob, embed_documents_table
from kinema.searching.documents.encode import parse_words
from kinema.searching.documents.find import find_passages
from kinema.searching.embed import Embedded, Job, default_place, embed_table, local_manifest
from kinema.searching.encode import Space
from kinema.searching.engines import Engine, check_engine
from kinema.searching.find import SearchOptions, find
from kinema.searching.hits import Found
from kinema.searching.index import IndexKind
from kinema.searching.lock import writing
from kinema.searching.near_duplicates import NearDuplicate, near_duplicates, videos_of
from kinema.searching.pairs.archive import archive
from kinema.searching.pairs.embed import EmbeddedPairs, PairJob, embed_pairs_table
from kinema.searching.pairs.find import find_pairs
from kinema.searching.pairs.schema import Kept
from kinema.searching.roots import home_of
from kinema.searching.tracklets.embed import EmbeddedTracklets, TrackletJob, embed_tracklets_table
from kinema.searching.tracklets.find import find_tracklets
from kinema.searching.windows import Length


@dataclass(frozen=True)
class Deduped:
    """Near-duplicate videos by embedding, and those of them that are copies by their frames.

    Args:
        alike: pairs of videos with nearly the same embeddings, by their two nearest windows.
        copies: the result of comparing the frames of these videos; None where there was no pair.
    """

    alike: tuple[NearDuplicate, ...]
    copies: Copies | None

    def plain(self, seconds: float) -> dict[str, Any]:
        """All of it as JSON values: what ``kinema dedupe`` says, and ``alike``."""
        nothing = {"videos": 0, "pairs": [], "across": 0, "groups": [], "leaking": [], "still": [], "unreadable": []}
        summary = nothing | {"seconds": seconds} if self.copies is None else self.copies.plain(seconds)
        return {"alike": [asdict(pair) for pair in self.alike], **summary}


AnyModel = Model | TextReader | TrackletReader


def embed(
    run: str | PathLike[str] | AnyModel,
    data: Data | Documents | Tracklets,
    *,
    out: str | Path | None = None,
    view: str | None = None,
    length: str | float | None = None,
    stride: str | float | None = None,
    replace: bool = False,
    remove: bool = False,
    index: IndexKind = "auto",
    engine: Engine = "local",
    workers: int = 2,
    threads: int | None = None,
    batch_size: int = 32,
    device: str | None = None,
    space: Space | None = None,
    codes: bool = False,
    vectors: bool = False,
    console: Shown = None,
) -> Embedded | EmbeddedDocuments | EmbeddedTracklets | EmbeddedPairs:
    """Writes embeddings of videos, documents, tracklets or pairs into a table for :func:`search`, or updates it.

    Only what is new or has changed is encoded, and what is gone is deleted; what lies in a folder that cannot be listed
    is not gone. After an interruption, call it again.

    Args:
        run: a run's folder, an exported folder, or a model.
        data: a folder, a known data set as NAME:PATH, a manifest, or a manifest's file; for a run of text, a folder or
            file of documents, or a table of them; for one of tracklets or of pairs, what it could be trained on.
        out: where the table is: a folder, or object storage by its URI (s3://, gs://, az://); RUN/index by default.
        view: which view's encoder of a run; several with a plus between them are put side by side (see
            :func:`kinema.load`). By default that of the table; of a new one 'rgb+motion' where the run has both and all
            videos have motion vectors, or the view that the run is for.
        length: of a window: '2s', 2 (seconds) or '16f' (frames); by default that of the table or, in a new one, a clip.
            Of documents: the words of the longest passage; 100 in a new table.
        stride: from window to window, in the same form; by default half a window. Passages do not overlap.
        replace: create the table again if another encoder, or other settings, made it.
        remove: remove more than a tenth of an existing table, if that much is gone or no longer readable.
        index: how large tables are searched: 'ivf-pq', 'hnsw', 'none', or 'auto': exactly below 100,000 rows.
        engine: 'local'; 'ray': workers of the Ray cluster that RAY_ADDRESS names, or of one started here, do the work;
            not of documents.
        workers: processes that scan, and threads that decode; on 'ray', workers that decode and encode. Documents are
            read by this process alone.
        threads: threads of an encoder, on 'ray' in each worker; torch's default if None.
        batch_size: clips, or passages, at a time.
        device: where to compute; a GPU where there is one, by default.
        space: what a row holds: 'embedding', the output of the encoder, or 'projection', that of its head, by
            which the views of one run can be compared; by default that of the table or, in a new one, an embedding.
            Of documents there are embeddings only.
        codes: of a run of pairs that makes codes: keep these, a bit a dimension, and no vectors.
        vectors: keep vectors; with ``codes`` both, and vectors put in order what codes propose. Without either, what
            the table keeps, or vectors in a new one.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        MissingExtraError: lancedb is not installed, or ray where it is asked for.
        UsageError: a setting is invalid.
        DataError: the data are not what the run reads; the table is another encoder's or of other data; none could
            be embedded; or more than a tenth of the table would be removed without ``remove``.
        StorageError: another process writes to it, or it cannot be written.
        ClusterError: there is no Ray cluster, or it has no room.
    """
    uri = _table_uri(run, out)
    database.lancedb()
    check_engine(engine)
    if engine == "local":
        chosen_device(device)
    else:  # a Ray cluster has devices of its own
        named_device(device)
    model = load(run, view=view) if isinstance(run, str | PathLike) else run
    if model.modality in ("sequence", "question"):
        own = "its own features are kinema.load(RUN).encode(array)" if model.modality == "sequence" else ""
        raise UsageError(
            f"'{model.run or model.name}' reads {model.unit}, and tables are of clips, documents, tracklets and pairs.",
            f"Choose an encoder of one of these; {own or 'a question is answered by `kinema ask RUN VIDEO`'}.",
        )
    common: dict[str, Any] = {
        "replace": replace,
        "remove": remove,
        "index": index,
        "threads": threads,
        "batch_size": batch_size,
    }
    common |= {"device": device, "steps": functools.partial(Steps, console=console)}
    videos_only: dict[str, Any] = {"stride": stride, "engine": engine, "space": space}
    if model.modality == "pair":
        return _embed_pairs(
            model, data, uri, _kept(codes, vectors), common, videos_only | {"length": length, "view": view}
        )
    if codes:
        raise UsageError(
            f"'{model.run or model.name}' makes no codes, only vectors.",
            "Codes are made by runs of pairs, for instance of dcvh: kinema pretrain --list. Or leave --codes out.",
        )
    if isinstance(model, TextReader):
        return _embed_documents(model, data, uri, length, common, videos_only)
    if isinstance(model, TrackletReader):
        return _embed_tracklets(model, data, uri, common, videos_only | {"length": length})
    chosen = functools.partial(_of_usual_view, run if view is None else None, model)
    return _embed_videos(model, chosen, data, uri, length, common | {"workers": workers}, videos_only)


def _of_usual_view(
    run: str | PathLike[str] | AnyModel | None,
    model: Model,
    manifest: Manifest,
    uri: str,
    common: Mapping[str, Any],
    space: Any,
) -> Model:
    """The encoder to embed with: that which was given, or where a run was, that of the table's or the usual view."""
    if not isinstance(run, str | PathLike):
        return model
    return model_for(run, model, manifest, uri, replace=common["replace"], space=space)


def _embed_videos(
    model: Model,
    chosen: Callable[[Manifest, str, Mapping[str, Any], Any], Model],
    data: Any,
    uri: str,
    length: str | float | None,
    common: dict[str, Any],
    only: dict[str, Any],
) -> Embedded:
    """See :func:`embed`.

    Args:
        model: an encoder of the run.
        chosen: gives the encoder for these videos and this table.
        data: what a user names.
        uri: of the table.
        length: of a window.
        common: fields of the job that a job of documents has too, and its workers.
        only: the other fields of the job.
    """
    lengths = {
        name: None if value is None else Length.parse(value, f"--{name}")
        for name, value in {"length": length, "stride": only["stride"]}.items()
    }
    with writing(uri, database.folder_of(uri), whole=True):
        workers = common["workers"]
        readers = workers if only["engine"] == "local" else min(workers, available_cpus())
        manifest = _scanned(_videos(model, data), uri, readers, common["steps"])
        own = chosen(manifest, uri, common, only["space"])
        return embed_table(Job(model=own, manifest=manifest, uri=uri, **(common | only | lengths)))


def _embed_documents(
    model: TextReader, data: Any, uri: str, length: str | float | None, common: dict[str, Any], only: dict[str, Any]
) -> EmbeddedDocuments:
    """See :func:`embed`.

    Args:
        model: the encoder.
        data: what a user names.
        uri: of the table.
        length: words of the longest passage.
        common: fields of the job that a job of videos has too.
        only: fields that only a job of videos has; they must have their defaults.
    """
    _refuse(only, "documents")
    words = parse_words(length)
    with writing(uri, database.folder_of(uri), whole=True):
        documents, part = _documents(model, data, common["steps"])
        note = kind_of(data).which(model.name, model.unit) if _is_folder(data) else ""
        return embed_documents_table(
            TextJob(model=model, documents=documents, uri=uri, part=part, words=words, note=note, **common)
        )


def _embed_tracklets(
    model: TrackletReader, data: Any, uri: str, common: dict[str, Any], only: dict[str, Any]
) -> EmbeddedTracklets:
    """See :func:`embed`.

    Args:
        model: the encoder.
        data: what a user names.
        uri: of the table.
        common: fields of the job that a job of videos has too.
        only: fields that only jobs of others have; they must have their defaults.
    """
    _refuse(only, "tracklets")
    with writing(uri, database.folder_of(uri), whole=True):
        # No person is held out of a search.
        tracklets = dataclasses.replace(model.config, held_out=0.0).open(data)
        return embed_tracklets_table(TrackletJob(model=model, tracklets=tracklets, uri=uri, **common))


def _embed_pairs(
    model: Any, data: Any, uri: str, kept: Kept | None, common: dict[str, Any], only: dict[str, Any]
) -> EmbeddedPairs:
    """See :func:`embed`.

    Args:
        model: the encoder, a ``kinema.data.pairs.reader.PairReader``.
        data: what a user names.
        uri: of the table.
        kept: what a row is found by.
        common: fields of the job that a job of videos has too.
        only: fields that only jobs of others have; they must have their defaults.
    """
    _refuse(only, "pairs")
    with writing(uri, database.folder_of(uri), whole=True):
        pairs = archive(model.config, data)
        return embed_pairs_table(PairJob(model=model, pairs=pairs, uri=uri, kept=kept, **common))


def _kept(codes: bool, vectors: bool) -> Kept | None:
    """What a row is to be found by; None where nothing was asked for."""
    if codes:
        return "codes and vectors" if vectors else "codes"
    return "vectors" if vectors else None


def _refuse(only: Mapping[str, Any], rows: str) -> None:
    """Refuses settings of other tables that were given."""
    for name, value in only.items():
        if value not in (None, "local", "embedding"):
            raise UsageError(f"{name} is '{value}'; a table of {rows} has no other than the usual one.")


def search(
    run: str | PathLike[str] | AnyModel,
    query: str | Path,
    *,
    k: int = 10,
    where: str | Mapping[str, str] | None = None,
    over: Literal["windows", "videos", "passages", "documents", "tracklets", "images", "texts"] | None = None,
    others: bool = False,
    exact: bool | None = None,
    table: str | Path | None = None,
    view: str | None = None,
    device: str | None = None,
    videos: str | Path | None = None,
) -> Found[Any]:
    """Searches a table of :func:`embed` for the rows nearest to a video, a stretch of one, an image, audio, or a text.

    Args:
        run: the run's folder, an exported folder, or the model that made the table; of a table of projections, one of
            the run's other views too.
        query: a video; VIDEO@START-END, in seconds; an image, for an encoder of the view 'rgb'; or an audio file,
            for one of 'sound'. For a run of text: a text, or a ``.txt`` file. For one of
            tracklets: a tracklet's name in the table, a folder of crops, or a picture. For one of pairs: words, a
            ``.txt`` file, or a picture.
        k: hits; windows of one video that overlap or are near-duplicates count as one.
        where: a condition on the table's columns, ``"label = 'walk' AND duration > 2"``, or their values.
        over: what is compared: 'windows', the default, or whole 'videos'; of documents 'passages' or 'documents';
            of tracklets 'tracklets'; of pairs 'images' or 'texts'.
        others: leave the query's own video, document or tracklet out.
        exact: whether to compare every row; by default below 100,000, or where the table has no index.
        table: where it is; RUN/index by default.
        view: which view's encoder of a run; by default that of the table. Of a run of pairs, what the query is: 'image'
            or 'text'; by default it tells that itself.
        device: where to compute.
        videos: the folder of the table's videos or documents, where it has moved since they were embedded; a folder
            that moved with its table is found without.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: the query or the condition is invalid.
        DataError: there is no table, it is another encoder's, or the query cannot be read.

    Returns:
        The result; its ``hits`` are :class:`kinema.searching.hits.Hit`, or
        :class:`kinema.searching.documents.find.PassageHit` of documents, or
        :class:`kinema.searching.tracklets.find.TrackletHit` of tracklets, or
        :class:`kinema.searching.pairs.find.PairHit` of pairs.
    """
    uri = _table_uri(run, table)
    opened = database.require_table(uri)
    model = load_for(run, opened, uri, view) if isinstance(run, str | PathLike) else run
    options = SearchOptions(
        k=k, where=where, over=over, others=others, exact=exact, device=device, videos=videos, view=view
    )
    if isinstance(model, TextReader):
        return find_passages(model, uri, query, options)
    if isinstance(model, TrackletReader):
        return find_tracklets(model, uri, query, options)
    if model.modality == "pair":
        return find_pairs(model, uri, query, options)
    return find(model, uri, query, options)


def cluster(
    run: str | PathLike[str],
    *,
    names: Mapping[int, str] | None = None,
    method: clustering.Algorithm = "kmeans",
    k: int | None = None,
    least: int = 5,
    over: clustering.Over | None = None,
    seed: int = 0,
    table: str | Path | None = None,
    drop_names: bool = False,
) -> clustering.Clusters:
    """Clusters a table, or names its clusters.

    Args:
        run: the run's folder; only the place of its table is taken from it.
        names: by cluster number; nothing is clustered then. Clusters that are mostly unchanged later keep their names.
        method: 'kmeans', or 'hdbscan', which finds the number of clusters and treats some rows as noise.
        k: clusters of k-means; by default as many as there are, or ten.
        least: the smallest cluster of HDBSCAN.
        over: 'videos', the default, or 'windows'; of a table of documents, 'documents' (default) or 'passages'.
        seed: of k-means.
        table: where it is; RUN/index by default.
        drop_names: whether names that no new cluster is mostly of may be lost, also where ``k`` is not given.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: a setting is invalid, there is no such cluster, or names would be lost.
        DataError: there is no table, or it is too small or too large for this.
        StorageError: another process writes to it, or it cannot be written.
    """
    uri = _table_uri(run, table)
    if names:
        return clustering.name_clusters(uri, names)
    return clustering.cluster_table(
        uri, algorithm=method, k=k, least=least, over=over, seed=seed, drop_names=drop_names
    )


def dedupe(
    run: str | PathLike[str],
    *,
    score: float = 0.95,
    table: str | Path | None = None,
    workers: int = 2,
    console: Shown = None,
    videos: str | Path | None = None,
) -> Deduped:
    """Finds duplicate footage in a table: the embeddings propose pairs, whose frames are then compared.

    The comparison is that of :func:`kinema.api.duplicates`, of the proposed videos only.

    Args:
        run: the run's folder; only the place of its table is taken from it.
        score: the cosine from which two windows of different videos are proposed.
        table: where it is; RUN/index by default.
        workers: processes.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
        videos: the folder of the table's videos, where it has moved since they were embedded.

    Raises:
        MissingExtraError: lancedb is not installed.
        UsageError: ``score`` is not above 0 and at most 1.
        DataError: there is no table, it holds documents or is too large for this, or its videos were
            moved.
    """
    uri = _table_uri(run, table)
    pairs = near_duplicates(uri, threshold=score)
    if not pairs:
        return Deduped((), None)
    root, about = home_of(database.require_table(uri), uri, videos).require(), videos_of(uri)
    paths = sorted({path for pair in pairs for path in (pair.a, pair.b)})
    with Steps("scanning", console) as progress:
        read = read_videos(root, paths, workers=workers, progress=progress)
    known = tuple(dataclasses.replace(video, **about[video.path]) for video in read)
    return Deduped(
        pairs, find_copies(Manifest(root, known), workers=workers, steps=functools.partial(Steps, console=console))
    )


def _table_uri(run: str | PathLike[str] | AnyModel, table: str | Path | None) -> str:
    """Where the table is."""
    if table is not None:
        return str(table)
    home = Path(run) if isinstance(run, str | PathLike) else run.run
    if home is None:
        raise UsageError("The model has no run, so its table has no place of its own.", "Name one: out=… or table=….")
    return default_place(home)


def _documents(model: TextReader, data: Any, steps: Any) -> tuple[Documents, str | None]:
    """The documents; and the name of the file where the data are one file, not a folder or a table."""
    with steps("reading") as progress:
        documents = DocumentsConfig(min_words=1, encoding=model.encoding).open(data, progress)
    if isinstance(data, Documents) or _is_folder(data) or is_table(Path(data)):
        return documents, None
    return documents, Path(data).resolve().name


def _is_folder(data: Any) -> TypeGuard[str | Path]:
    return isinstance(data, str | Path) and Path(data).is_dir()


def _videos(model: Model, data: Any) -> Data:
    """The data as videos.

    Raises:
        DataError: it is documents.
    """
    if isinstance(data, Documents):
        kinds = Kinds(data.root, documents=len(data))
        kinds.check(model.name, model.unit)
    if isinstance(data, str | Path) and named_data(data) is None and Path(data).exists():
        kind_of(data).check(model.name, model.unit)
    videos: Data = data
    return videos


def _scanned(videos: Data, uri: str, workers: int, steps: Any) -> Manifest:
    """The videos; of a folder, an earlier scan is stored with the table, so that only new or changed files are read."""
    if isinstance(videos, Manifest):
        return videos
    if not Path(videos).is_dir() and named_data(videos) is None:
        return open_data(videos, workers=workers)
    file = local_manifest(uri)
    journal = None if file is None else file.with_name(".manifest.journal")
    previous = None
    if file is not None and file.is_file():
        try:
            previous = Manifest.read(file)
        except DataError:  # it is only a cache
            file.unlink(missing_ok=True)
        if previous is not None and previous.root != root_of(str(videos)).resolve():
            previous = None
    with steps("scanning") as progress:
        manifest = scan_data(videos, workers=workers, progress=progress, previous=previous, journal=journal)
    if file is not None:
        manifest.write(file)
    if journal is not None:
        journal.unlink(missing_ok=True)
    return manifest
