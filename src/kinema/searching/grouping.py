"""Sorts a table into clusters, and keeps the names that a person gives them.

A cluster is a number in the column ``cluster`` and a name in ``cluster_name``, written into all rows in one commit.
After a new clustering a name goes to the new cluster that is still mostly the old one: of the rows that were clustered
both times and are in either of the two, more than half are in both. A name without such a cluster is dropped, and told.
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
from kinema.searching import place
from kinema.searching.index import renew_index, tidy
from kinema.searching.layout import DOCUMENTS, Layout, layout_of
from kinema.searching.lock import writing
from kinema.searching.schema import vectors_in

NOISE = -1
MANY_FOR_HDBSCAN, MANY_FOR_KMEANS = 30_000, 50_000
"""Rows above which HDBSCAN, which compares all with all, is refused, and k-means is made of batches."""

_COLUMNS = ["id", "start", "end", "cluster", "cluster_name"]
Over = Literal["videos", "windows", "documents", "passages"]
Way = Literal["kmeans", "hdbscan"]


@dataclass(frozen=True)
class Clip:
    """One window or video of a cluster.

    Args:
        video: its path below the folder that was embedded.
        start: in seconds.
        end: in seconds.
    """

    video: str
    start: float
    end: float

    @property
    def whole(self) -> str:
        """What it is of."""
        return self.video


@dataclass(frozen=True)
class Extract:
    """One passage or document of a cluster.

    Args:
        document: its id.
        start: where it begins, in characters.
        end: where it ends.
    """

    document: str
    start: int
    end: int

    @property
    def whole(self) -> str:
        """What it is of."""
        return self.document


@dataclass(frozen=True)
class Cluster:
    """One cluster.

    Args:
        number: what it is called without a name; 0 is the largest.
        name: what a person called it, or None.
        size: windows or videos in it; or passages or documents.
        representatives: those nearest to its mean, each of another video or document.
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
        clusters: the largest first.
        noise: rows that HDBSCAN left out of every cluster.
        unclustered: rows that were embedded after the last clustering.
        kept: names that went on to a cluster of a new clustering.
        dropped: names that did not.
        seconds: how long it took.
    """

    clusters: tuple[Cluster, ...]
    noise: int
    unclustered: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        told = {name: getattr(self, name) for name in ("noise", "unclustered", "seconds")}
        names = {"kept": list(self.kept), "dropped": list(self.dropped)}
        return {"clusters": [cluster.plain() for cluster in self.clusters], **told, **names}


@dataclass(frozen=True)
class _Rows:
    """What is clustered: rows of one kind, with what they were called before."""

    about: Mapping[str, list[Any]]
    vectors: NDArray[np.float32]
    layout: Layout

    @property
    def wholes(self) -> list[str]:
        """What each is of."""
        return self.about[self.layout.whole]


def cluster_table(
    uri: str,
    *,
    way: Way = "kmeans",
    k: int = 10,
    least: int = 5,
    over: Over | None = None,
    seed: int = 0,
) -> Clusters:
    """Clusters a table anew; names go on with the clusters that are mostly as they were.

    Args:
        uri: of the table.
        way: 'kmeans' into ``k`` clusters; or 'hdbscan', which finds how many there are and leaves some rows out.
        k: clusters of k-means.
        least: rows of the smallest cluster of HDBSCAN.
        over: 'videos', whose windows then belong to their video's cluster, or 'windows' each for itself; of a table of
            documents, 'documents' or 'passages'. None for videos, or documents.
        seed: of k-means.

    Raises:
        UsageError: a setting that cannot be.
        DataError: there is no table, or it has too few rows, or too many for HDBSCAN.
        StorageError: somebody else writes into it, or it cannot be written.
    """
    began = time.monotonic()
    if way not in ("kmeans", "hdbscan"):
        raise UsageError(f"There is no way '{way}' to cluster.", "Choose kmeans or hdbscan.")
    if k < 1 or least < 2:
        raise UsageError(f"k is {k} and the least size {least}; they must be at least 1 and 2.")
    with writing(uri, place.folder_of(uri)):
        table = place.need_table(uri)
        with place.telling(uri):
            layout = layout_of(table)
            kind = layout.kind(over or layout.names[1])
            rows = _read(table, kind)
        numbers = _numbered(_fitted(rows.vectors, way, k, least, seed))
        kept, dropped = follow(rows.about["cluster"], rows.about["cluster_name"], numbers.tolist())
        with place.telling(uri):
            _write(table, rows, numbers, kept, kind)
            tidy(table)
            renew_index(table, "auto")
            found = _describe(table, kind)
    return _clusters(found, began, kept=tuple(sorted(kept.values())), dropped=dropped)


def name_clusters(uri: str, names: Mapping[int, str]) -> Clusters:
    """Gives clusters their names; an empty one takes a name away.

    Args:
        uri: of the table.
        names: by number.

    Raises:
        UsageError: there is no such cluster, or two would have one name.
        DataError: there is no table, or it was not clustered.
        StorageError: somebody else writes into it, or it cannot be written.
    """
    began = time.monotonic()
    with writing(uri, place.folder_of(uri)):
        table = place.need_table(uri)
        with place.telling(uri):
            found = _describe(table, _kind(table))
            there = {cluster.number: cluster.name for cluster in found[0]}
        if not there:
            raise DataError("The table was not clustered, so there is nothing to name.", "First: kinema cluster RUN")
        unknown = sorted(names.keys() - there.keys())
        if unknown:
            raise UsageError(f"There is no cluster {unknown[0]}.", f"They are numbered 0 to {max(there)}.")
        after = [name for name in ({**there, **names}).values() if name]
        twice = next((name for name in after if after.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"Two clusters would be called '{twice}'.", "Give each a name of its own.")
        with place.telling(uri):
            for number, name in names.items():
                table.update(where=f"cluster = {int(number)}", values={"cluster_name": name or None})
            found = _describe(table, _kind(table))
    return _clusters(found, began)


def follow(
    before: Sequence[int | None], names: Sequence[str | None], after: Sequence[int]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """The names of old clusters for new ones.

    Args:
        before: each row's cluster, None where it had none.
        names: the name of that, or None.
        after: each row's new cluster.

    Returns:
        Names by new cluster, and the names that no new cluster can bear: of the rows that had a cluster, and have one
        now, and are in the old or the new one, no more than half are in both.
    """
    both = [row for row, cluster in enumerate(before) if cluster is not None]
    kept: dict[int, str] = {}
    lost = []
    for name in sorted({names[row] or "" for row in both} - {""}):
        old = {row for row in both if names[row] == name}
        votes = [after[row] for row in sorted(old) if after[row] != NOISE]
        best = max(set(votes), key=votes.count) if votes else NOISE
        new = {row for row in both if after[row] == best}
        if best != NOISE and 2 * len(old & new) > len(old | new):
            kept[best] = name
        else:
            lost.append(name)
    return kept, tuple(lost)


def _read(table: Any, kind: str) -> _Rows:
    layout = layout_of(table)
    columns = [*_COLUMNS, layout.whole]
    held = table.search().where(f"kind = '{kind}'").select([*columns, "vector"]).to_arrow().sort_by("id")
    return _Rows({name: held[name].to_pylist() for name in columns}, vectors_in(held), layout)


def _fitted(vectors: NDArray[np.float32], way: str, k: int, least: int, seed: int) -> NDArray[np.int64]:
    rows = len(vectors)
    if way == "kmeans":
        if k > rows:
            raise DataError(f"There are {rows} rows to make {k} clusters of.", "Choose a smaller k, or over windows.")
        return k_means(vectors, k, seed=seed, starts=5, many=MANY_FOR_KMEANS)[0]
    from sklearn.cluster import HDBSCAN

    if rows > MANY_FOR_HDBSCAN:
        raise DataError(
            f"HDBSCAN compares all with all, and the table has {rows} rows, more than {MANY_FOR_HDBSCAN}.",
            "Cluster whole videos in place of windows, or take kmeans.",
        )
    if rows < least:
        raise DataError(f"There are {rows} rows, fewer than the smallest cluster of {least}.", "Choose a lower one.")
    return np.asarray(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(vectors), dtype=np.int64)


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest cluster is 0; of equal ones, the one that comes first."""
    found, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(found)), key=lambda at: (found[at] < 0, -sizes[at], first[at]))
    place_of = {int(found[at]): (NOISE if found[at] < 0 else number) for number, at in enumerate(order)}
    return np.asarray([place_of[int(label)] for label in labels], dtype=np.int64)


def _write(table: Any, rows: _Rows, numbers: NDArray[np.int64], names: Mapping[int, str], kind: str) -> None:
    """One commit for all rows; those of the other kind follow their whole, or lose what they had."""
    import pyarrow as pa

    told = dict(zip(rows.about["id"], numbers.tolist(), strict=True))
    whole = rows.layout.whole
    other = rows.layout.part if kind == whole else whole
    of_whole = dict(zip(rows.wholes, numbers.tolist(), strict=True)) if kind == whole else {}
    rest = table.search().where(f"kind = '{other}'").select(["id", whole]).to_arrow().to_pydict()
    told |= {each: of_whole.get(name) for each, name in zip(rest["id"], rest[whole], strict=True)}
    columns = {
        "id": pa.array(list(told), pa.string()),
        "cluster": pa.array(list(told.values()), pa.int32()),
        "cluster_name": pa.array([names.get(number) for number in told.values()], pa.string()),
    }
    table.merge_insert("id").when_matched_update_all().execute(pa.table(columns))


def _kind(table: Any) -> str:
    """What was clustered last: windows alone leave whole videos without a cluster, and passages documents."""
    layout = layout_of(table)
    return layout.whole if table.count_rows(f"kind = '{layout.whole}' AND cluster IS NOT NULL") else layout.part


def _describe(table: Any, kind: str, shown: int = 3) -> tuple[list[Cluster], int, int]:
    """The clusters as the table has them, how many rows are noise, and how many have no cluster yet."""
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
        called = next((rows.about["cluster_name"][row] for row in members.tolist()), None)
        found.append(Cluster(number, called, len(members), tuple(chosen.values())))
    return found, int((numbers == NOISE).sum()), int((numbers == -2).sum())


def _clusters(
    found: tuple[list[Cluster], int, int], began: float, *, kept: tuple[str, ...] = (), dropped: tuple[str, ...] = ()
) -> Clusters:
    return Clusters(tuple(found[0]), found[1], found[2], kept, dropped, time.monotonic() - began)
