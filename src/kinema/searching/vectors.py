"""Vectors in memory, and the nearest of them: all are compared, or those of some lists of FAISS.

:class:`All` is one product of the matrix with the query, which is exact. :class:`Lists` is FAISS' index IVF-Flat: the
rows lie in lists about the means of k-means, and only the nearest lists are compared, with their full vectors. How many
rows are compared is found by measuring: the fewest by which rows of the table find ``RECALL`` of their ten nearest.

A condition leaves some rows. Then as many of these are compared as rows without a condition, from the nearest lists on
that hold any; where it leaves fewer, every one of them.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

LISTED_ROWS = 50_000
"""Rows from which lists are faster than comparing all; below, a product takes some milliseconds."""

RECALL, NEAREST, SAMPLE = 0.995, 10, 256
"""Recall@10 that the number of compared rows is chosen by, and rows that it is measured with; as many others say what
is reported."""

MARGIN = 8
"""How many times as many rows are compared as that: rows of the table have near neighbours in their own video, and new
queries, which have none, and filters need more lists (a million drawn windows: .985 of the ten nearest without it)."""

TRAINED = 40
"""Rows a list that k-means sees, and its turns are ``TURNS``."""
TURNS = 8


@dataclass(frozen=True)
class Chosen:
    """The rows that a condition leaves.

    Args:
        rows: int64 [m], ascending.
        total: rows there are.
    """

    rows: Rows
    total: int
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def bits(self) -> NDArray[np.uint8]:
        """A bit a row, the lowest of a byte first."""
        if "bits" not in self._kept:
            self._kept["bits"] = np.packbits(self._mask(), bitorder="little")
        found: NDArray[np.uint8] = self._kept["bits"]
        return found

    def sizes(self, owner: NDArray[np.int32], lists: int) -> Rows:
        """Chosen rows of each list.

        Args:
            owner: int32 [total], the list of each row.
            lists: how many there are.
        """
        if "sizes" not in self._kept:
            self._kept["sizes"] = np.bincount(owner[self.rows], minlength=lists)
        found: Rows = self._kept["sizes"]
        return found

    def _mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(self.total, dtype=bool)
        mask[self.rows] = True
        return mask


@dataclass(frozen=True)
class Near:
    """The nearest rows.

    Args:
        rows: int64 [m], nearest first.
        scores: float32 [m], cosines.
        exact: whether all rows that count were compared.
    """

    rows: Rows
    scores: Array
    exact: bool


class Vectors(Protocol):
    """Vectors of unit length that can be searched."""

    def __len__(self) -> int: ...

    def nearest(self, vector: Array, limit: int, chosen: Chosen | None = None) -> Near:
        """The nearest rows by their cosine.

        Args:
            vector: float32 [d], of unit length.
            limit: rows at most.
            chosen: those that count; None for all.
        """
        ...

    def take(self, rows: Rows) -> Array:
        """The vectors of some rows, float32 [m, d]."""
        ...

    @property
    def compared(self) -> int:
        """Rows that a search compares."""
        ...

    @property
    def bytes(self) -> int:
        """Of memory."""
        ...


class All:
    """Vectors of which every one is compared.

    Args:
        vectors: float32 [N, d].
    """

    def __init__(self, vectors: Array) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def compared(self) -> int:
        """All rows."""
        return len(self._vectors)

    @property
    def bytes(self) -> int:
        """Of the matrix."""
        return self._vectors.nbytes

    def take(self, rows: Rows) -> Array:
        """The vectors of some rows, float32 [m, d]."""
        return self._vectors[rows]

    def nearest(self, vector: Array, limit: int, chosen: Chosen | None = None) -> Near:
        """See :class:`Vectors`; exact."""
        if chosen is None:
            found, scores = best(self._vectors @ vector, limit)
            return Near(found, scores, exact=True)
        # A product of all costs less than to copy more than a few rows.
        few = len(chosen.rows) < len(self) // 8
        scores = self._vectors[chosen.rows] @ vector if few else (self._vectors @ vector)[chosen.rows]
        found, scores = best(scores, limit)
        return Near(chosen.rows[found], scores, exact=True)


class Lists:
    """Vectors in lists of FAISS.

    Args:
        trained: the index with its means, of :func:`trained`; still empty.
        sample: float32 [M, d], rows that recall is measured with.
        own: int64 [M], where these come when all are added; for each its own row does not count.
    """

    def __init__(self, trained: Any, sample: Array, own: Rows) -> None:
        self._index = trained
        self._means: Array = trained.quantizer.reconstruct_n(0, trained.nlist)
        self._sample, self._own = sample, own
        self._truth = _Running(sample)
        self._sizes = np.zeros(trained.nlist, np.int64)
        self._owner = np.zeros(0, np.int32)
        self._owners: list[NDArray[np.int32]] = []
        self._compared = 0
        self.recall = 0.0

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def compared(self) -> int:
        """Rows that a search without a condition compares, about."""
        return self._compared

    @property
    def bytes(self) -> int:
        """Of the vectors, their places, and the means."""
        return int(len(self) * (self._index.code_size + 20) + self._means.nbytes)

    def add(self, vectors: Array) -> None:
        """Adds rows after those that are there.

        Args:
            vectors: float32 [n, d].
        """
        import faiss

        owner = np.ascontiguousarray(self._index.quantizer.search(vectors, 1)[1][:, 0])
        self._truth.see(vectors)
        pointers = faiss.swig_ptr(vectors), None, faiss.swig_ptr(owner)  # no ids: rows are numbered as they come
        self._index.add_core(len(vectors), *pointers)
        self._owners.append(owner.astype(np.int32))

    def finish(self) -> None:
        """Finds how many rows have to be compared, when all are added; and the recall of that many."""
        self._owner = np.concatenate(self._owners)
        self._owners.clear()
        self._sizes = np.bincount(self._owner, minlength=self._index.nlist)
        self._index.make_direct_map()
        truth = self._truth.without(self._own)
        tuned, judged = slice(0, None, 2), slice(1, None, 2)
        self._compared = max(1, len(self) // 512)
        while self._compared < len(self) and self._measured(tuned, truth) < RECALL:
            self._compared = min(len(self), 2 * self._compared)
        self._compared = min(len(self), MARGIN * self._compared)
        self.recall = self._measured(judged, truth)
        del self._truth, self._sample

    def take(self, rows: Rows) -> Array:
        """The vectors of some rows, float32 [m, d]."""
        found: Array = self._index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
        return found

    def nearest(self, vector: Array, limit: int, chosen: Chosen | None = None) -> Near:
        """See :class:`Vectors`; exact where all rows that count are few enough to be compared."""
        import faiss

        sizes = self._sizes if chosen is None else chosen.sizes(self._owner, self._index.nlist)
        near = self._means @ vector
        order = np.argsort(-near, kind="stable")
        order = order[sizes[order] > 0]
        if not len(order):
            return Near(np.zeros(0, np.int64), np.zeros(0, np.float32), exact=True)
        sums = np.cumsum(sizes[order])
        enough = int(np.searchsorted(sums, max(self._compared, 8 * limit))) + 1
        probes = np.ascontiguousarray(order[:enough], dtype=np.int64)
        options: dict[str, Any] = {"nprobe": len(probes)}
        if chosen is not None:
            bits = chosen.bits()
            options["sel"] = faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bits))
        asked, means = np.ascontiguousarray(vector, np.float32), np.ascontiguousarray(near[probes])
        scores, found = np.empty(limit, np.float32), np.empty(limit, np.int64)
        arrays = (faiss.swig_ptr(each) for each in (probes, means, scores, found))
        self._index.search_preassigned_c(
            1, faiss.swig_ptr(asked), limit, *arrays, False, faiss.SearchParametersIVF(**options)
        )
        there = found >= 0
        return Near(found[there], scores[there], exact=enough >= len(order))

    def _measured(self, which: slice, truth: list[set[int]]) -> float:
        """Recall@10 of some of the sample."""
        found = wanted = 0
        for vector, own, right in zip(self._sample[which], self._own[which], truth[which], strict=True):
            rows = self.nearest(vector, NEAREST + 1).rows.tolist()
            found += len(right & set([row for row in rows if row != own][:NEAREST]))
            wanted += len(right)
        return found / max(1, wanted)


class _Running:
    """The nearest of some queries among rows that come by, exactly.

    Args:
        queries: float32 [M, d].
    """

    def __init__(self, queries: Array) -> None:
        self._queries, self._seen = queries, 0
        self._scores = np.full((len(queries), NEAREST + 1), -np.inf, np.float32)
        self._rows = np.full((len(queries), NEAREST + 1), -1, np.int64)

    def see(self, vectors: Array) -> None:
        """Compares rows."""
        scores = self._queries @ vectors.T
        keep = min(NEAREST + 1, scores.shape[1])
        top = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
        scores = np.concatenate([self._scores, np.take_along_axis(scores, top, 1)], axis=1)
        rows = np.concatenate([self._rows, top + self._seen], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : NEAREST + 1]
        self._scores, self._rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        self._seen += len(vectors)

    def without(self, own: Rows) -> list[set[int]]:
        """The ten nearest rows of each query, but for its own."""
        return [
            set([row for row in rows if row not in (-1, mine)][:NEAREST])
            for rows, mine in zip(self._rows.tolist(), own.tolist(), strict=True)
        ]


def best(scores: Array, limit: int) -> tuple[Rows, Array]:
    """The places of the largest scores, largest first, and these."""
    limit = min(limit, len(scores))
    if not limit:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    top = np.argpartition(-scores, limit - 1)[:limit]
    order = top[np.argsort(-scores[top], kind="stable")]
    return order, scores[order]


def has_faiss() -> bool:
    """Whether FAISS is installed."""
    return importlib.util.find_spec("faiss") is not None


def lists_for(rows: int) -> int:
    """How many lists a table has: about the square root of its rows, so that means and rows take alike to compare."""
    return int(2 ** max(4, round(np.log2(max(1, rows) ** 0.5))))


def trained(sample: Array, lists: int, threads: int) -> Any:
    """An empty index of FAISS whose lists lie about the means of a sample (Lloyd's k-means).

    Args:
        sample: float32 [M, d], of unit length.
        lists: how many.
        threads: of FAISS in this thread.
    """
    import faiss

    faiss.omp_set_num_threads(threads)
    dim = sample.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = TURNS, TRAINED, 1
    index.train(sample)
    return index
