"""Codes by their words of 16 bits: the nearest are found without looking at all, and none is missed.

Source: Norouzi, Punjani, Fleet 2012, "Fast Search in Hamming Space with Multi-Index Hashing", arXiv 1307.2982. A code
is m words of 16 bits, and for each word there is a list of the codes that have it. Two codes that differ in less than
m (s + 1) bits differ in at most s bits of one word at least: so lists are opened in rounds, of words that differ from
the query's in s = 0, 1, 2, ... bits, until no code that is still hidden could be nearer than the k-th.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kinema.core.codes import Codes, as_words

WORD = 16
"""Bits of a word."""

SHARE = 8
"""Where the lists to be opened hold more than an eighth of all codes, looking at all codes is as fast."""


class MultiIndex:
    """Lists of the codes that have each word.

    Args:
        codes: uint8 [N, bytes], of an even number of bytes and less than 2^31 rows; they are not copied.
    """

    def __init__(self, codes: Codes) -> None:
        self._words = as_words(codes)
        self._count = len(codes)
        keys = np.ascontiguousarray(codes).view(np.uint16)
        self.tables = keys.shape[1]
        self._rows = np.empty((self.tables, self._count), np.int32)
        self._bounds = np.zeros((self.tables, (1 << WORD) + 1), np.int64)
        for table in range(self.tables):
            column = np.ascontiguousarray(keys[:, table])
            self._rows[table] = np.argsort(column, kind="stable")
            np.cumsum(np.bincount(column, minlength=1 << WORD), out=self._bounds[table, 1:])

    def search(self, query: Codes, k: int) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """The k nearest, by distance and row; None where looking at all codes is as fast.

        Args:
            query: uint8 [bytes].
            k: at most N.

        Returns:
            Distances int32 [k] and rows int64 [k].
        """
        near = np.zeros(0, np.uint16)
        rows = np.zeros(0, np.int32)
        opened = 0
        for turned in range(WORD + 1):
            more = self._opened(query, turned, self._count // SHARE - opened)
            if more is None:
                return None
            opened += len(more)
            near = np.concatenate([near, self._distances(query, more)])
            rows = np.concatenate([rows, more])
            if len(near) > k * self.tables:  # a code may stand there once for each of its words
                kept = near <= np.partition(near, k * self.tables - 1)[k * self.tables - 1]
                near, rows = near[kept], rows[kept]
            found, first = np.unique(rows, return_index=True)
            if len(found) >= k:
                order = np.argsort(near[first], kind="stable")[:k]
                distances = near[first][order].astype(np.int32)
                if distances[-1] < self.tables * (turned + 1):
                    return distances, found[order].astype(np.int64)
        return None

    def _opened(self, query: Codes, turned: int, most: int) -> NDArray[np.int32] | None:
        """The rows on the lists of all words that differ from the query's in so many bits; None where they are more."""
        words = query.view(np.uint16)[:, None] ^ _masks()[turned]
        tables = np.arange(self.tables)[:, None]
        begins = self._bounds[tables, words]
        counts = (self._bounds[tables, words.astype(np.int64) + 1] - begins).ravel()
        total = int(counts.sum())
        if total > most:
            return None
        starts = (begins + tables * self._count).ravel() - (np.cumsum(counts) - counts)
        found: NDArray[np.int32] = self._rows.ravel()[np.repeat(starts, counts) + np.arange(total)]
        return found

    def _distances(self, query: Codes, rows: NDArray[np.int32]) -> NDArray[np.uint16]:
        differing = self._words[rows] ^ as_words(query[None])
        counted: NDArray[np.uint16] = np.bitwise_count(differing).sum(1, dtype=np.uint16)
        return counted


@lru_cache(maxsize=1)
def _masks() -> tuple[NDArray[np.uint16], ...]:
    """All words of 16 bits by how many of these are set."""
    words = np.arange(1 << WORD, dtype=np.uint16)
    counts = np.bitwise_count(words)
    return tuple(words[counts == turned] for turned in range(WORD + 1))
