"""Search among packed codes: the nearest by Hamming distance, exactly.

The order is by distance and, where that is equal, by row: the first row first. So an answer is the same on every
machine, by every engine, and for any number of threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinema.core.codes import Codes, as_words
from kinema.core.errors import MissingExtraError, ShapeError, UsageError
from kinema.core.guesses import choose_from
from kinema.searching.multi_index import MultiIndex

CodeEngine = Literal["auto", "numpy", "faiss", "multi-index"]
CHUNK = 1 << 16
"""Codes that are compared at a time: what they need fits into a processor's cache, and memory stays flat."""

Nearest = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Distances in bits and rows, in order."""


class CodeIndex:
    """Packed codes that can be searched, so that none is missed.

    Args:
        codes: uint8 [N, bits / 8], of :func:`kinema.core.codes.pack`. The engine 'numpy' keeps no copy of them.
        engine: 'numpy' and 'faiss', its flat binary index, which keeps a copy, compare a query with all codes;
            'multi-index' keeps lists of the codes by their words of 16 bits, 4 bytes each, and
            looks at few of them (:mod:`kinema.searching.multi_index`); 'auto': 'faiss' where it is installed, or else
            'numpy'.
        threads: that compare with all codes.

    Raises:
        ShapeError: the codes are of another shape or type.
        UsageError: there is no such engine, or no thread.
        MissingExtraError: faiss is asked for and is not installed.
    """

    def __init__(self, codes: Codes, *, engine: CodeEngine = "auto", threads: int = 1) -> None:
        if codes.ndim != 2 or codes.dtype != np.uint8 or not codes.shape[1]:
            raise ShapeError(f"Codes are {codes.dtype} {tuple(codes.shape)}; expected uint8 [N, bits / 8].")
        if engine not in get_args(CodeEngine):
            raise UsageError(f"There is no engine '{engine}'.", choose_from(engine, get_args(CodeEngine)))
        if threads < 1:
            raise UsageError(f"threads is {threads}; it must be at least 1.")
        self.bytes: int = codes.shape[1]
        self.threads = threads
        self.engine = ("faiss" if find_spec("faiss") is not None else "numpy") if engine == "auto" else engine
        self._rows = len(codes)
        if self.engine == "multi-index" and self.bytes % 2:
            raise UsageError(f"The codes have {self.bits} bits; a multi-index is of codes of a multiple of 16.")
        self._words = as_words(codes if self.engine != "faiss" else codes[:0])
        self._lists = MultiIndex(codes) if self.engine == "multi-index" else None
        self._index = _faiss_index(codes) if self.engine == "faiss" else None

    def __len__(self) -> int:
        return self._rows

    @property
    def bits(self) -> int:
        """Of a code."""
        return 8 * self.bytes

    def search(self, queries: Codes, k: int) -> Nearest:
        """The k nearest of each query, or all where there are fewer.

        Args:
            queries: uint8 [Q, bits / 8].
            k: at least 1.

        Returns:
            Distances int32 and rows int64, each [Q, min(k, N)].

        Raises:
            ShapeError: the queries are of another width.
            UsageError: k is less than 1.
        """
        self._check(queries)
        if k < 1:
            raise UsageError(f"k is {k}; it must be at least 1.")
        k = min(k, self._rows)
        if not k or not len(queries):
            return np.zeros((len(queries), k), np.int32), np.zeros((len(queries), k), np.int64)
        if self._index is not None:
            return self._by_faiss(self._index, queries, k)
        found = [self._one(query, k) for query in np.ascontiguousarray(queries)]
        return np.stack([distances for distances, _ in found]), np.stack([rows for _, rows in found])

    def radius(self, query: Codes, radius: int) -> Nearest:
        """All codes that differ from one in at most so many bits.

        Args:
            query: uint8 [bits / 8].
            radius: in bits.

        Returns:
            Distances int32 [M] and rows int64 [M], in the order of a search.
        """
        self._check(query[None])
        if radius < 0:
            raise UsageError(f"radius is {radius}; it must be at least 0.")
        if self._index is not None:
            _threads_of_faiss(self.threads)
            _, distances, rows = self._index.range_search(np.ascontiguousarray(query[None]), radius + 1)
            return _ordered(distances.astype(np.int32), rows)
        asked = as_words(query[None])[0]
        parts = [_within(self._words, asked, part, radius) for part in self._parts()]
        return _ordered(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _check(self, queries: Codes) -> None:
        if queries.ndim != 2 or queries.dtype != np.uint8 or queries.shape[1] != self.bytes:
            raise ShapeError(
                f"Queries are {queries.dtype} {tuple(queries.shape)}, and the codes have {self.bytes} bytes each; "
                f"expected uint8 [Q, {self.bytes}]."
            )

    def _parts(self) -> list[slice]:
        """The stretches of rows that the threads take."""
        bounds = np.linspace(0, self._rows, self.threads + 1).astype(int).tolist()
        return [slice(begin, end) for begin, end in itertools.pairwise(bounds)]

    def _one(self, query: Codes, k: int) -> Nearest:
        found = None if self._lists is None else self._lists.search(query, k)
        return self._over_parts(as_words(query[None])[0], k) if found is None else found

    def _over_parts(self, query: NDArray[np.unsignedinteger], k: int) -> Nearest:
        if self.threads == 1:
            return _nearest(self._words, query, slice(0, self._rows), k)
        with ThreadPoolExecutor(self.threads) as pool:
            found = list(pool.map(lambda part: _nearest(self._words, query, part, k), self._parts()))
        distances, rows = _ordered(*(np.concatenate(each) for each in zip(*found, strict=True)))
        return distances[:k], rows[:k]

    def _by_faiss(self, index: Any, queries: Codes, k: int) -> Nearest:
        _threads_of_faiss(self.threads)
        distances, rows = index.search(np.ascontiguousarray(queries), k)
        order = np.lexsort((rows, distances), axis=1)
        return np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)


def _nearest(words: NDArray[np.unsignedinteger], query: NDArray[np.unsignedinteger], part: slice, k: int) -> Nearest:
    """The k nearest of a stretch of rows.

    Once k are known, only a code that is strictly nearer than the worst of them can come in: a later one at the same
    distance stands behind. That is one comparison a code, and hardly ever more.
    """
    best = (np.zeros(0, np.int32), np.zeros(0, np.int64))
    for begin, distances in _compared(words, query, part):
        if len(best[0]) == k:
            if distances.min() >= best[0][-1]:
                continue
            rows = np.flatnonzero(distances < best[0][-1])
        elif len(distances) > k:
            rows = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1])
        else:
            rows = np.arange(len(distances))
        found = (np.concatenate([best[0], distances[rows]]), np.concatenate([best[1], rows + begin]))
        order = np.argsort(found[0], kind="stable")[:k]  # rows come in their order, so a stable sort keeps it
        best = (found[0][order].astype(np.int32), found[1][order])
    return best


def _within(
    words: NDArray[np.unsignedinteger], query: NDArray[np.unsignedinteger], part: slice, radius: int
) -> Nearest:
    """The codes of a stretch of rows within a radius, by row."""
    near, where = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for begin, distances in _compared(words, query, part):
        rows = np.flatnonzero(distances <= radius)
        near.append(distances[rows].astype(np.int32))
        where.append(rows + begin)
    return np.concatenate(near), np.concatenate(where)


def _compared(
    words: NDArray[np.unsignedinteger], query: NDArray[np.unsignedinteger], part: slice
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """The first row and the distances of one chunk after another; the array is used again for the next."""
    size, columns = min(CHUNK, part.stop - part.start), words.shape[1]
    differing = np.empty(size, words.dtype)
    counted = np.empty(size, np.uint8)
    total = counted if columns == 1 else np.empty(size, np.uint16)
    begin, wanted = part.start, max(1, size // 32)  # a small one first, which soon tells how near the nearest are
    while begin < part.stop:
        rows = words[begin : min(begin + wanted, part.stop)]
        here = total[: len(rows)]
        for column in range(columns):
            np.bitwise_xor(rows[:, column], query[column], out=differing[: len(rows)])
            np.bitwise_count(differing[: len(rows)], out=counted[: len(rows)])
            if columns > 1:
                np.add(here if column else 0, counted[: len(rows)], out=here)
        yield begin, here
        begin, wanted = begin + len(rows), size


def _ordered(distances: NDArray[np.int32], rows: NDArray[np.int64]) -> Nearest:
    """By distance, and by row where that is equal."""
    order = np.lexsort((rows, distances))
    return distances[order], rows[order]


def _faiss_index(codes: Codes) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("faiss-cpu", "faiss") from error
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(np.ascontiguousarray(codes))
    return index


def _threads_of_faiss(count: int) -> None:
    import faiss

    faiss.omp_set_num_threads(count)
