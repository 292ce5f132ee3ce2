"""Clusters the rows of a table, and keeps the names that a user gives to clusters.

A cluster is a number in the column ``cluster`` and a name in ``cluster_name``, written into all rows in one commit.
After a new clustering a name moves to the new cluster whose intersection over union with the old one is more than one
half, among the rows that were clustered both times. Names without such a cluster are dropped and reported.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError
from kinema.core.ops import k_means
from kinema.searching import cluster_names, database
from kinema.searching.index import compact, update_index
from kinema.searching.layout import DOCUMENTS, PAIRS, TRACKLETS, Layout, layout_of
from kinema.searching.lock import writing
from kinema.searching.schema import vectors_in

NOISE = -1
USUAL = 10
"""Clusters of k-means where nobody says how many, and the table has none."""
MAX_HDBSCAN_ROWS, MINI_BATCH_ROWS = 30_000, 50_000
"""Rows above which HDBSCAN, which compares all pairs, is refused, and k-means uses mini-batches."""

_INSTEAD = {
    TRACKLETS: "Who is the same person is asked with: kinema search RUN TRACKLET",
    PAIRS: 'What a picture shows is asked with words: kinema search RUN "a red bicycle"',
}
_COLUMNS = ["id", "start", "end", "cluster", "cluster_name"]
Over = Literal["videos", "windows", "documents", "passages"]
Algorithm = Literal["kmeans", "hdbscan"]


@dataclass(frozen=True)
class Clip:
    """One window or video of a cluster.

    Args:
        video: its path, relative to the folder that was embedded.
        start: in seconds.
        end: in seconds.
    """

    video: str
    start: float
    end: float

    @property
    def whole(self) -> str:
        """Its video or document."""
        return self.video


@dataclass(frozen=True)
class Extract:
    """One passage or document of a cluster.

    Args:
        document: its id.
        start: in characters.
        end: in characters.
    """

    document: str
    start: int
    end: int

    @property
    def whole(self) -> str:
        """Its video or document."""
        return self.document


@dataclass(frozen=True)
class Cluster:
    """One cluster.

    Args:
        number: 0 is the largest.
        name: given by a user, or None.
        size: number of windows, videos, passages or documents.
        representatives: its rows nearest to its mean, each of another video or document.
    """

    number: int
    name: str | None
    size: int
    representatives: tuple[Clip, ...] | tuple[Extract, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        shown = [asdict(clip) for clip in self.representatives]
        return {"cluster": self.number, "name": self.name, "size": self.size, "representatives": shown}


@dataclass(frozen=True)
class Clusters:
    """All clusters of a table.

    Args:
        clusters: largest first.
        noise: rows that HDBSCAN left out of every cluster.
        unclustered: rows that were embedded after the last clustering.
        kept: names that a cluster of a new clustering has taken over.
        dropped: the other names.
        seconds: duration.
    """

    clusters: tuple[Cluster, ...]
    noise: int
    unclustered: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {name: getattr(self, name) for name in ("noise", "unclustered", "seconds")}
        names = {"kept": list(self.kept), "dropped": list(self.dropped)}
        return {"clusters": [cluster.plain() for cluster in self.clusters], **counts, **names}


@dataclass(frozen=True)
class _Rows:
    """Rows of one kind, with their earlier clusters."""

    about: Mapping[str, list[Any]]
    vectors: NDArray[np.float32]
    layout: Layout

    @property
    def wholes(self) -> list[str]:
        """The video or document of each row."""
        return self.about[self.layout.whole]


def cluster_table(
    uri: str,
    *,
    algorithm: Algorithm = "kmeans",
    k: int | None = None,
    least: int = 5,
    over: Over | None = None,
    seed: int = 0,
    drop_names: bool = False,
) -> Clusters:
    """Clusters a table; clusters that are mostly unchanged keep their names.

    Args:
        uri: of the table.
        algorithm: 'kmeans', into ``k`` clusters; or 'hdbscan', which finds their number and treats some rows as noise.
        k: number of clusters of k-means; None for as many as there are, or :data:`USUAL` in a table without any.
        least: the smallest cluster of HDBSCAN, in rows.
        over: 'videos', whose windows then get their video's cluster, or 'windows', clustered individually; in tables of
            documents 'documents' or 'passages'. None for videos, or documents.
        seed: of k-means.
        drop_names: whether names may be lost that no new cluster is mostly of; they may where ``k`` is given, too.

    Raises:
        UsageError: a setting is invalid, or names would be lost that may not; nothing is changed then.
        DataError: there is no table, or it has too few rows, or too many for HDBSCAN.
        StorageError: another process writes to it, or it cannot be written.
    """
    began = time.monotonic()
    if algorithm not in ("kmeans", "hdbscan"):
        raise UsageError(f"There is no way '{algorithm}' to cluster.", "Choose kmeans or hdbscan.")
    if (k is not None and k < 1) or least < 2:
        raise UsageError(f"k is {k} and the least size {least}; they must be at least 1 and 2.")
    with writing(uri, database.folder_of(uri)):
        table = database.require_table(uri)
        with database.storage_errors(uri):
            layout = layout_of(table)
            if layout in (TRACKLETS, PAIRS):
                raise DataError(
                    f"kinema cluster needs a table of videos or documents, and the one in '{uri}' holds "
                    f"{layout.whole}s.",
                    _INSTEAD[layout],
                )
            kind = layout.kind(over or layout.names[1])
            rows = _read(table, kind)
        there = len({each for each in rows.about["cluster"] if each not in (None, NOISE)})
        wanted = k or there or min(USUAL, len(rows.vectors))
        numbers = _by_size(_fit(rows.vectors, algorithm, wanted, least, seed))
        kept, dropped = match_names(rows.about["cluster"], rows.about["cluster_name"], numbers.tolist())
        if dropped and k is None and not drop_names:
            count = "The name" if len(dropped) == 1 else "The names"
            raise UsageError(
                f"{count} {', '.join(dropped)} would be lost: no new cluster is mostly what was called so. "
                "Nothing was changed.",
                "To sort all the same: --drop_names, or the number of clusters with -k N.",
            )
        with database.storage_errors(uri):
            before = table.version
            cluster_names.forget_numbers(database.connect(uri))
            _write(table, rows, numbers, kept, kind)
            compact(table, before)
            update_index(table, "auto")
            found = _describe(table, kind)
    return _clusters(found, began, kept=tuple(sorted(kept.values())), dropped=dropped)


def name_clusters(uri: str, names: Mapping[int, str]) -> Clusters:
    """Names clusters; an empty name removes a name.

    Args:
        uri: of the table.
        names: by cluster number.

    Raises:
        UsageError: there is no such cluster, or two would have one name.
        DataError: there is no table, or it has no clusters.
        StorageError: another process writes to it, or it cannot be written.
    """
    began = time.monotonic()
    with writing(uri, database.folder_of(uri)):
        table = database.require_table(uri)
        with database.storage_errors(uri):
            found = _describe(table, _kind(table))
            current = {cluster.number: cluster.name for cluster in found[0]}
        if not current:
            raise DataError("The table was not clustered, so there is nothing to name.", "First: kinema cluster RUN")
        unknown = sorted(names.keys() - current.keys())
        if unknown:
            raise UsageError(f"There is no cluster {unknown[0]}.", f"They are numbered 0 to {max(current)}.")
        after = [name for name in ({**current, **names}).values() if name]
        twice = next((name for name in after if after.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"Two clusters would be called '{twice}'.", "Give each a name of its own.")
        with database.storage_errors(uri):
            for number, name in names.items():
                table.update(where=f"cluster = {int(number)}", values={"cluster_name": name or None})
                cluster_names.rename(database.connect(uri), number, name or None)
            found = _describe(table, _kind(table))
    return _clusters(found, began)


def match_names(
    before: Sequence[int | None], names: Sequence[str | None], after: Sequence[int]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """The names of new clusters, by their overlap with the old ones.

    Args:
        before: each row's old cluster, or None.
        names: the name of each row's old cluster, or None.
        after: each row's new cluster.

    Returns:
        Names by new cluster, and the names without a new cluster: where the intersection over union of old and new,
        among the rows that had a cluster before, is at most one half.
    """
    both = [row for row, cluster in enumerate(before) if cluster is not None]
    matched: dict[int, str] = {}
    lost = []
    for name in sorted({names[row] or "" for row in both} - {""}):
        old = {row for row in both if names[row] == name}
        votes = [after[row] for row in sorted(old) if after[row] != NOISE]
        best = max(set(votes), key=votes.count) if votes else NOISE
        new = {row for row in both if after[row] == best}
        if best != NOISE and 2 * len(old & new) > len(old | new):
            matched[best] = name
        else:
            lost.append(name)
    return matched, tuple(lost)


def _read(table: Any, kind: str) -> _Rows:
    layout = layout_of(table)
    columns = [*_COLUMNS, layout.whole]
    found = table.search().where(f"kind = '{kind}'").select([*columns, "vector"]).to_arrow().sort_by("id")
    return _Rows({name: found[name].to_pylist() for name in columns}, vectors_in(found), layout)


def _fit(vectors: NDArray[np.float32], algorithm: str, k: int, least: int, seed: int) -> NDArray[np.int64]:
    rows = len(vectors)
    if algorithm == "kmeans":
        if k > rows:
            raise DataError(f"There are {rows} rows to make {k} clusters of.", "Choose a smaller k, or over windows.")
        return k_means(vectors, k, seed=seed, starts=5, many=MINI_BATCH_ROWS)[0]
    from sklearn.cluster import HDBSCAN

    if rows > MAX_HDBSCAN_ROWS:
        raise DataError(
            f"HDBSCAN compares all with all, and the table has {rows} rows, more than {MAX_HDBSCAN_ROWS}.",
            "Cluster whole videos in place of windows, or take kmeans.",
        )
    if rows < least:
        raise DataError(f"There are {rows} rows, fewer than the smallest cluster of {least}.", "Choose a lower one.")
    return np.asarray(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(vectors), dtype=np.int64)


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels renumbered by size, the largest 0; of equal sizes, the first to appear."""
    found, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(found)), key=lambda at: (found[at] < 0, -sizes[at], first[at]))
    number_of = {int(found[at]): (NOISE if found[at] < 0 else number) for number, at in enumerate(order)}
    return np.asarray([number_of[int(label)] for label in labels], dtype=np.int64)


def _write(table: Any, rows: _Rows, numbers: NDArray[np.int64], names: Mapping[int, str], kind: str) -> None:
    """Writes all rows in one commit. Windows get the cluster of their video; videos of clustered windows get none."""
    import pyarrow as pa

    cluster_of = dict(zip(rows.about["id"], numbers.tolist(), strict=True))
    whole = rows.layout.whole
    other = rows.layout.part if kind == whole else whole
    of_whole = dict(zip(rows.wholes, numbers.tolist(), strict=True)) if kind == whole else {}
    rest = table.search().where(f"kind = '{other}'").select(["id", whole]).to_arrow().to_pydict()
    cluster_of |= {each: of_whole.get(name) for each, name in zip(rest["id"], rest[whole], strict=True)}
    columns = {
        "id": pa.array(list(cluster_of), pa.string()),
        "cluster": pa.array(list(cluster_of.values()), pa.int32()),
        "cluster_name": pa.array([names.get(number) for number in cluster_of.values()], pa.string()),
    }
    table.merge_insert("id").when_matched_update_all().execute(pa.table(columns))


def _kind(table: Any) -> str:
    """The kind of the rows that were clustered last: videos or documents if any has a cluster, else their parts."""
    layout = layout_of(table)
    return layout.whole if table.count_rows(f"kind = '{layout.whole}' AND cluster IS NOT NULL") else layout.part


def _describe(table: Any, kind: str, shown: int = 3) -> tuple[list[Cluster], int, int]:
    """The clusters of a table, the number of noise rows, and that of rows without a cluster."""
    rows = _read(table, kind)
    numbers = np.asarray([-2 if number is None else number for number in rows.about["cluster"]], dtype=np.int64)
    kind_of: type[Clip] | type[Extract] = Extract if rows.layout == DOCUMENTS else Clip
    found = []
    for number in sorted(set(numbers[numbers >= 0].tolist())):
        members = np.flatnonzero(numbers == number)
        mean = rows.vectors[members].mean(axis=0)
        order = members[np.argsort(-(rows.vectors[members] @ mean), kind="stable")]
        chosen: dict[str, Any] = {}
        for row in order.tolist():
            name = rows.wholes[row]
            chosen.setdefault(name, kind_of(name, rows.about["start"][row], rows.about["end"][row]))
            if len(chosen) == shown:
                break
        cluster_name = next((rows.about["cluster_name"][row] for row in members.tolist()), None)
        found.append(Cluster(number, cluster_name, len(members), tuple(chosen.values())))
    return found, int((numbers == NOISE).sum()), int((numbers == -2).sum())


def _clusters(
    found: tuple[list[Cluster], int, int], began: float, *, kept: tuple[str, ...] = (), dropped: tuple[str, ...] = ()
) -> Clusters:
    return Clusters(tuple(found[0]), found[1], found[2], kept, dropped, time.monotonic() - began)
