"""What is asked: embeddings that the table has, and those of clips that were brought or cut, encoded one at a time.

A query has a name, so that it is encoded once however often it is asked. That of an indexed video is the video's, that
of a window has '@' and its first frame behind it; both need no encoder. Any other is a draw of letters, which is
forgotten when ``KEPT`` later ones have come, or when the table is made anew with another centre: the query was seen
from the old one, and its file is gone.
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
from kinema.serving.footage import open_below
from kinema.serving.settings import Settings

KEPT = 2048
READERS = 4
"""Questions to the table at once: each may hold some ten thousand rows."""

NAME = r"^(?:[0-9a-f]{20}(?:@[0-9]{1,12})?|~[0-9A-Za-z_-]{16})$"
"""What names of queries look like."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Asked:
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


class Desk:
    """Where queries are encoded, kept and asked.

    Args:
        archive: the table and its encoder.
        settings: how many may wait, and how long a query may be.
        device: where to compute.
    """

    def __init__(self, archive: Archive, settings: Settings, device: str | None = None) -> None:
        self.archive, self.settings, self._device = archive, settings, device
        self._kept: OrderedDict[str, tuple[Asked, Tensor | None]] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting = 0
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="kinema-encoder")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="kinema-table")

    async def read(self, job: Callable[[], Answer]) -> Answer:
        """Asks the table in one of a few threads; who comes while all are taken waits for a turn."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, job)

    async def encode(
        self, file: Path, video: Video, stretch: tuple[float, float] | None, about: str, path: str | None = None
    ) -> Asked:
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
    ) -> Asked:
        centre = self.archive.snapshot().centre
        told: dict[str, Any] = {"centre": centre, "space": self.archive.made.space, "device": self._device}
        found = read_query(self.archive.model, file, known=lambda _: video, stretch=stretch, **told)
        asked = Asked(
            f"~{secrets.token_urlsafe(12)}", found.vector, about, path, found.start, found.end, note=found.note
        )
        with self._lock:
            self._kept[asked.name] = asked, centre
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return asked

    async def of_archive(self, name: str, stretch: tuple[float, float] | None, frame: int | None) -> Asked:
        """An indexed video, one of its windows, or any stretch of it.

        Raises:
            RefusedError: 404, there is none; 403, its file lies elsewhere; see :meth:`encode`.
        """
        if stretch is None:
            return await self.read(lambda: self.find(name if frame is None else f"{name}@{frame}"))
        root, video = await self.read(lambda: (self.archive.snapshot().root, self.archive.known(name)))
        descriptor, found = await self.read(lambda: open_below(root, video.path))
        with open(descriptor, "rb"):
            if (found.st_size, found.st_mtime_ns) != (video.size, video.mtime_ns):
                raise RefusedError(
                    409, "changed", "This video has changed since it was indexed.", "Run kinema embed again."
                )
            return await self.encode(root / video.path, video, stretch, video.path, video.path)

    def find(self, name: str) -> Asked:
        """A query by its name.

        Raises:
            RefusedError: 404, there is none, or it was forgotten.
        """
        if name.startswith("~"):
            now = self.archive.snapshot().centre
            with self._lock:
                asked, centre = self._kept.pop(name, (None, None))
                if asked is None or not _same(centre, now):
                    raise missing("query; the server has forgotten it, so bring the clip again")
                self._kept[name] = asked, centre
                return asked
        if not re.fullmatch(NAME, name):
            raise missing("query")
        video, _, frame = name.partition("@")
        vector, row = self.archive.vector(video, int(frame) if frame else None)
        start, end = (row["start"], row["end"]) if frame else (None, None)
        return Asked(name, vector, row["video"], row["video"], start, end)

    def close(self) -> None:
        """Ends the threads; what waits is dropped."""
        for pool in (self._encoder, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two centres are one, or both are none."""
    return one is other or (one is not None and other is not None and one.equal(other))
