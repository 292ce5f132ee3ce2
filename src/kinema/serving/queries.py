"""Queries: embeddings from the table, and those of uploaded clips and cut stretches, encoded one at a time.

A query has a name, so that it is encoded once however often it is used. The name of an indexed video's query is the
video's; that of a window has '@' and its first frame behind it; both need no encoder. Any other name is random, and is
dropped after ``MOST_QUERIES`` later ones, or when the table is rebuilt with another centre: the query was computed with
the old one, and its file is deleted.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kinema.data.video.manifest import Video
from kinema.searching.query import read_query
from kinema.serving.archive import Archive
from kinema.serving.failures import RefusedError, missing
from kinema.serving.footage import open_video
from kinema.serving.settings import Settings

MOST_QUERIES = 2048
READERS = 4
"""Reads of the table at a time: each may hold some ten thousand rows."""

NAME = r"^(?:[0-9a-f]{20}(?:@[0-9]{1,12})?|~[0-9A-Za-z_-]{16})$"
"""What names of queries look like."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class EncodedQuery:
    """A query that can be searched with.

    Args:
        name: in requests.
        vector: float32 [d], of unit length.
        about: what it is, for a person.
        video: the path of the indexed video that it is of, or None.
        start: seconds, of a stretch; None for a whole video and for a picture.
        end: likewise.
        note: what a person should know of it; empty otherwise.
    """

    name: str
    vector: NDArray[np.float32]
    about: str
    video: str | None = None
    start: float | None = None
    end: float | None = None
    note: str = ""


class QueryService:
    """Encodes queries and holds them by name.

    Args:
        archive: the table and its encoder.
        settings: how many may wait, and how long a query may be.
        device: where to compute.
    """

    def __init__(self, archive: Archive, settings: Settings, device: str | None = None) -> None:
        self.archive, self.settings, self._device = archive, settings, device
        self._queries: OrderedDict[str, tuple[EncodedQuery, Tensor | None]] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting = 0
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="kinema-encoder")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="kinema-table")

    async def read(self, job: Callable[[], Answer]) -> Answer:
        """Runs a read of the table in one of a few threads; waits while all are busy."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, job)

    async def encode(
        self, file: Path, video: Video, stretch: tuple[float, float] | None, about: str, path: str | None = None
    ) -> EncodedQuery:
        """Encodes a video, a stretch of one, a picture, or a sound, after those who came before.

        Args:
            file: to read.
            video: what is known of it.
            stretch: (start, end) in seconds; None for all of it.
            about: what a person calls it.
            path: of the indexed video that it is.

        Raises:
            RefusedError: 503, too many wait; 413, it is too long.
            DataError: it cannot be read.
        """
        seconds = video.duration if stretch is None else min(stretch[1], video.duration) - stretch[0]
        if seconds > self.settings.query_seconds:
            limit = f"{self.settings.query_seconds:g} s"
            raise RefusedError(
                413, "too_long", f"{seconds:.0f} s were asked for; a query has {limit} at most.", "Cut it."
            )
        with self._lock:
            if self._waiting >= self.settings.waiting:
                raise RefusedError(
                    503, "busy", f"{self._waiting} queries are waiting already.", "Ask again in a minute."
                )
            self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._encoder, lambda: self._encoded(file, video, stretch, about, path))
        finally:
            with self._lock:
                self._waiting -= 1

    def _encoded(
        self, file: Path, video: Video, stretch: tuple[float, float] | None, about: str, path: str | None
    ) -> EncodedQuery:
        centre = self.archive.snapshot().centre
        options: dict[str, Any] = {"centre": centre, "space": self.archive.made.space, "device": self._device}
        found = read_query(self.archive.model, file, known=lambda _: video, stretch=stretch, **options)
        query = EncodedQuery(
            f"~{secrets.token_urlsafe(12)}", found.vector, about, path, found.start, found.end, note=found.note
        )
        self.keep(query, centre)
        return query

    def keep(self, query: EncodedQuery, centre: Tensor | None) -> None:
        """Holds a query by its name, and drops the oldest of too many.

        Args:
            query: its name begins with '~'.
            centre: of the table, with which it was encoded.
        """
        with self._lock:
            self._queries[query.name] = query, centre
            while len(self._queries) > MOST_QUERIES:
                self._queries.popitem(last=False)

    async def of_archive(self, name: str, stretch: tuple[float, float] | None, frame: int | None) -> EncodedQuery:
        """An indexed video, one of its windows, or any stretch of it.

        Raises:
            RefusedError: 404, there is none; see :func:`~kinema.serving.footage.open_video` and :meth:`encode`.
        """
        if stretch is None:
            return await self.read(lambda: self.find(name if frame is None else f"{name}@{frame}"))
        root, video = await self.read(lambda: (self.archive.snapshot().root, self.archive.known(name)))
        descriptor, _ = await self.read(lambda: open_video(root, video))
        with open(descriptor, "rb"):
            return await self.encode(root / video.path, video, stretch, video.path, video.path)

    def find(self, name: str) -> EncodedQuery:
        """A query by its name.

        Raises:
            RefusedError: 404, there is none, or it was dropped.
        """
        if name.startswith("~"):
            now = self.archive.snapshot().centre
            with self._lock:
                query, centre = self._queries.pop(name, (None, None))
                if query is None or not _same(centre, now):
                    raise missing("query; the server has forgotten it, so bring the clip again")
                self._queries[name] = query, centre
                return query
        if not re.fullmatch(NAME, name):
            raise missing("query")
        video, _, frame = name.partition("@")
        vector, row = self.archive.vector(video, int(frame) if frame else None)
        start, end = (row["start"], row["end"]) if frame else (None, None)
        return EncodedQuery(name, vector, row["video"], row["video"], start, end)

    def close(self) -> None:
        """Ends the threads; waiting jobs are dropped."""
        for pool in (self._encoder, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two centres are one, or both are none."""
    return one is other or (one is not None and other is not None and one.equal(other))
