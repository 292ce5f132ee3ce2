"""A table of pairs and the encoders that made it: words in, pictures out, and the files of what was found.

A hit is named by a digest of its row, and the server remembers the hits that it gave: a request names one of these, or
nothing. So no request holds a path, and no file is read that no search has shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kinema.core.codes import Codes, pack
from kinema.core.errors import DataError, UsageError
from kinema.core.pairs import IMAGE
from kinema.data.pictures import claims_picture
from kinema.data.video.manifest import Video
from kinema.searching import database
from kinema.searching.filters import condition
from kinema.searching.index import EXACT_ROWS, has_index
from kinema.searching.layout import PAIRS, quoted
from kinema.searching.pairs.codes import TableCodes, codes_in
from kinema.searching.pairs.find import PairHit, distinct, encoded, hit_of, nearest_rows
from kinema.searching.pairs.pictures import thumbnails
from kinema.searching.pairs.query import PairQuery
from kinema.searching.pairs.schema import PairTableSettings, read_pair_settings
from kinema.searching.roots import home_of
from kinema.searching.schema import vectors_in
from kinema.searching.table_settings import check_settings
from kinema.serving.archive import LOOK_AGAIN, check_root
from kinema.serving.failures import RefusedError, missing
from kinema.serving.footage import open_below, open_video
from kinema.serving.queries import READERS
from kinema.serving.settings import Settings

MOST_HITS = 20_000
"""Hits that are remembered: those given longest ago are forgotten."""

MOST_BYTES = 64 * 2**20
"""Of a picture that is sent."""

_KINDS = {".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff"}
Answer = TypeVar("Answer")
Asked = tuple[NDArray[np.float32] | None, Codes]
"""The vector of a query, None of a table of codes, and its code."""


@dataclass(frozen=True)
class PairSnapshot:
    """One version of the table.

    Args:
        version: of LanceDB.
        root: the folder of the files.
        images: rows of pictures.
        texts: rows of texts.
        exact: whether a search compares every row.
        columns: what a condition may name.
    """

    version: int
    root: Path
    images: int
    texts: int
    exact: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A hit that was given.

    Args:
        row: the id of its row in the table.
        hit: the hit.
        size: of its file when it was embedded.
        mtime_ns: likewise its time.
    """

    row: str
    hit: PairHit
    size: int
    mtime_ns: int


class PairArchive:
    """A table of pairs, its encoders, and the hits that were given.

    Args:
        model: the ``kinema.data.pairs.reader.PairReader`` that made it.
        uri: where the table is.
        videos: the folder of its files, where the user gives it (:mod:`kinema.searching.roots`).
        settings: how many queries may wait.
        device: where to compute.

    Raises:
        DataError: there is no table, another run made it, or the folder that it records holds the whole disk.
        StorageError: it cannot be read.
    """

    def __init__(
        self, model: Any, uri: str, videos: str | Path | None, settings: Settings, device: str | None = None
    ) -> None:
        self.model, self.uri, self.settings = model, uri, settings
        self._videos, self._device = videos, device
        self._table = database.require_table(uri)
        with database.storage_errors(uri):
            self.made = read_pair_settings(self._table, uri)
            check_settings(self.made, PairTableSettings.of(model, self.made.kept), uri)
        self._lock = threading.Lock()
        self._looked = 0.0
        self._snapshot: PairSnapshot | None = None
        self._codes: dict[tuple[int, str], TableCodes] = {}
        self._given: OrderedDict[str, Shown] = OrderedDict()
        self._waiting = 0
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="kinema-encoder")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="kinema-table")
        self.snapshot()

    def snapshot(self) -> PairSnapshot:
        """What the table holds now, give or take ``LOOK_AGAIN`` seconds.

        Raises:
            DataError: another run has made it since.
            StorageError: it cannot be read.
        """
        with self._lock, database.storage_errors(self.uri):
            now = time.monotonic()
            if self._snapshot is not None and now - self._looked < LOOK_AGAIN:
                return self._snapshot
            self._table.checkout_latest()
            if self._snapshot is None or self._table.version != self._snapshot.version:
                check_settings(read_pair_settings(self._table, self.uri), self.made, self.uri)
                root = home_of(self._table, self.uri, self._videos).root
                check_root(root, given=self._videos is not None)
                self._snapshot = _taken(self._table, root)
                self._codes.clear()
            self._looked = now
            return self._snapshot

    async def read(self, job: Callable[[], Answer]) -> Answer:
        """Runs a read of the table or of a file in one of a few threads; waits while all are busy."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, job)

    async def encode(self, words: str) -> NDArray[np.float32]:
        """The embedding of words, float32 [d], after those who came before.

        Raises:
            RefusedError: 503, too many wait.
            DataError: the run knows none of them.
        """
        with self._lock:
            if self._waiting >= self.settings.waiting:
                raise RefusedError(
                    503, "busy", f"{self._waiting} queries are waiting already.", "Ask again in a minute."
                )
            self._waiting += 1
        try:
            asked = PairQuery("text", words, words)
            job = lambda: encoded(self.model, asked, self._device)  # noqa: E731
            return await asyncio.get_running_loop().run_in_executor(self._encoder, job)
        finally:
            with self._lock:
                self._waiting -= 1

    def like(self, name: str) -> Asked:
        """The vector, where there is one, and the code of a hit.

        Raises:
            RefusedError: 404, it was not given, or is no longer in the table.
        """
        shown = self.given(name)
        columns = [*(["vector"] if self.made.vectors else []), *(["code"] if self.made.codes else [])]
        with database.storage_errors(self.uri):
            rows = self._table.search().where(f"id = {quoted(shown.row)}").select(columns).limit(1).to_arrow()
        if not rows.num_rows:
            raise missing("hit")
        vector = vectors_in(rows)[0] if self.made.vectors else None
        return vector, codes_in(rows)[0] if vector is None else pack(vector[None])[0]

    def search(self, asked: Asked, *, k: int, over: str, where: str | None = None) -> list[tuple[str, PairHit]]:
        """The nearest hits and their names.

        Args:
            asked: a vector, where there are some, and a code.
            k: hits.
            over: 'images' or 'texts'.
            where: the user's condition, in SQL.

        Raises:
            UsageError: the condition cannot be understood.
            StorageError: the table cannot be read.
        """
        now, kind = self.snapshot(), PAIRS.kind(over)
        with database.storage_errors(self.uri):
            wanted = condition(self._table, where, kind)
            codes = self._kept_codes(now.version, kind, wanted) if self.made.codes and where is None else None
            rows = nearest_rows(self._table, self.made, asked, wanted, exact=now.exact, codes=codes)
            found = distinct(rows, k, over)
        return [self._remember(Shown(row["id"], hit_of(row), row["size"] or 0, row["mtime_ns"] or 0)) for row in found]

    def given(self, name: str) -> Shown:
        """A hit by its name.

        Raises:
            RefusedError: 404, it was not given, or is forgotten.
        """
        with self._lock:
            found = self._given.get(name)
        if found is None:
            raise missing("hit; the server has forgotten it, so search again")
        return found

    def thumbnail(self, name: str) -> bytes:
        """A small JPEG file of a hit's picture: the table's, or one of its file, if that is the one that was embedded.

        Raises:
            RefusedError: 404, there is none; 403 or 409, see :func:`~kinema.serving.footage.open_video`.
        """
        shown = self.given(name)
        if shown.hit.thumbnail:
            return shown.hit.thumbnail
        hit, root = shown.hit, self.snapshot().root
        with open(self._opened(shown), "rb"):
            try:
                return thumbnails(root, [(hit.video or hit.image or "", hit.at)])[0]
            except DataError as error:
                raise missing("picture") from error

    def picture(self, name: str) -> tuple[bytes, str]:
        """The whole picture of a hit, and its type.

        Raises:
            RefusedError: as :meth:`thumbnail`; 413, it is too large.
        """
        shown = self.given(name)
        if not shown.hit.image or not claims_picture(shown.hit.file):
            raise missing("picture")
        with open(self._opened(shown), "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RefusedError(413, "too_large", "The picture is too large to be sent.")
        return content, _KINDS.get(os.path.splitext(shown.hit.file)[1].lower(), "image/jpeg")

    def video(self, name: str) -> tuple[Path, Video, bool]:
        """The folder and the facts of the video that a hit is a frame of.

        Raises:
            RefusedError: 404, it is of none.
        """
        shown = self.given(name)
        if not shown.hit.video:
            raise missing("video")
        return self.snapshot().root, _video(shown), True

    def close(self) -> None:
        """Ends the threads; waiting jobs are dropped."""
        for pool in (self._encoder, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)

    def _opened(self, shown: Shown) -> int:
        """A descriptor of a hit's file: below the folder, a picture or a video by its name, and unchanged."""
        root, hit = self.snapshot().root, shown.hit
        if hit.video:
            return open_video(root, _video(shown))[0]
        if hit.kind != IMAGE or not claims_picture(hit.file):
            raise missing("picture")
        descriptor, found = open_below(root, hit.file)
        if (found.st_size, found.st_mtime_ns) != (shown.size, shown.mtime_ns):
            os.close(descriptor)
            raise RefusedError(409, "changed", "This picture has changed since it was embedded.", "Run kinema embed.")
        return descriptor

    def _kept_codes(self, version: int, kind: str, wanted: str) -> TableCodes:
        with self._lock:
            known = self._codes.get((version, kind))
        if known is None:
            known = TableCodes.read(self._table, wanted)
            with self._lock:
                self._codes[version, kind] = known
        return known

    def _remember(self, shown: Shown) -> tuple[str, PairHit]:
        name = hashlib.sha256(shown.row.encode("utf-8", "surrogatepass")).hexdigest()[:20]
        with self._lock:
            self._given.pop(name, None)
            self._given[name] = shown
            while len(self._given) > MOST_HITS:
                self._given.popitem(last=False)
        return name, shown.hit


def _video(shown: Shown) -> Video:
    return Video(path=shown.hit.file, size=shown.size, mtime_ns=shown.mtime_ns)


def _taken(table: Any, root: Path) -> PairSnapshot:
    return PairSnapshot(
        version=table.version,
        root=root,
        images=table.count_rows("kind = 'image'"),
        texts=table.count_rows("kind = 'text'"),
        exact=table.count_rows() < EXACT_ROWS or "vector" not in table.schema.names or not has_index(table),
        columns=tuple(
            name
            for name in table.schema.names
            if name not in ("vector", "code", "thumbnail", "facts", "model", "settings", "id", "mtime_ns", "digest")
        ),
    )


def check_words(model: Any) -> None:
    """Refuses a run that knows no text: nothing could be asked on the page.

    Raises:
        UsageError: it is such a run.
    """
    if "text" not in model.views:
        raise UsageError(
            "kinema serve asks a table of pairs in words, and this run knows no text.",
            "Ask with a picture: kinema search RUN PICTURE",
        )
