"""Uploads: a clip is received in pieces, checked in a process of its own, encoded, and deleted."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from kinema.core.files import open_plain
from kinema.core.leftovers import SUFFIX, clear, under_way
from kinema.data.clips.stretches import PICTURES
from kinema.data.video.files import EXTENSIONS
from kinema.data.video.hearing import sound_missing
from kinema.data.video.manifest import Video
from kinema.data.workers import Job, run_jobs
from kinema.serving.failures import RefusedError
from kinema.serving.queries import EncodedQuery, QueryService

RECEIVING, IDLE, CHECKING = 300.0, 20.0, 300.0
"""Seconds that an upload may take to arrive, may say nothing meanwhile, and may take to be checked."""

_SLOW = f"It may take {RECEIVING:g} s, and pause for {IDLE:g}."

EACH, ALL = 8, 32
"""Clips that arrive, wait or are encoded at once, of one address and of all together."""

STANDING = 60.0
"""Seconds without progress after which checking is stopped."""


class UploadService:
    """Receives clips.

    Args:
        queries: encodes them.
    """

    def __init__(self, queries: QueryService) -> None:
        self.queries, self.limit = queries, queries.settings.upload_mib * 1024 * 1024
        clear(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=under_way("kinema-serve"), suffix=SUFFIX)
        self._turns = asyncio.Semaphore(queries.settings.uploads)
        self._under_way: Counter[str] = Counter()
        self._checkers = ThreadPoolExecutor(2, thread_name_prefix="kinema-checker")

    async def take(self, request: Request, name: str, stretch: tuple[float, float] | None) -> EncodedQuery:
        """Receives a clip and encodes it; the file is deleted when this returns, whatever happens.

        Args:
            request: its body is the file.
            name: the file's name at the sender; only its last part is used.
            stretch: (start, end) in seconds; None for all of it.

        Raises:
            RefusedError: 413, it is too large; 415, it is no video, or has no usable sound; 408, it took too long to
                arrive; 503, too many are under way.
        """
        self._announced(request)
        shown = name.replace("\\", "/").rpartition("/")[2].strip() or "clip"
        ending = os.path.splitext(shown)[1].lower()
        known = ending if ending in EXTENSIONS | PICTURES else ""
        file = Path(self._folder.name) / f"{secrets.token_hex(16)}{known}"
        with self._counted(request.client.host if request.client is not None else ""):
            try:
                size = await self._receive(request, file)
                if not size:
                    raise RefusedError(415, "media", "The file is empty.", "Bring a video or a picture.")
                async with self._turns:  # it has arrived: those who send slowly take nobody's turn
                    return await self._encoded(file, shown, stretch)
            finally:
                file.unlink(missing_ok=True)

    async def _encoded(self, file: Path, shown: str, stretch: tuple[float, float] | None) -> EncodedQuery:
        """Checks a clip that has arrived, and encodes it."""
        loop = asyncio.get_running_loop()
        with_sound = self.queries.archive.model.sound_spec is not None
        facts = await loop.run_in_executor(self._checkers, _look, file, with_sound)
        if facts["health"] == "unreadable" or not facts.get("frames"):
            reason = str(facts.get("reason", "")).replace(str(file), "it") or "it has no frames"
            what = "video or sound" if with_sound else "video"
            raise RefusedError(415, "media", f"'{shown}' cannot be read as {what}: {reason}.", "Bring another clip.")
        if with_sound and (reason := sound_missing(_video(facts, shown))):
            raise RefusedError(
                415,
                "media",
                f"'{shown}' cannot be heard: {reason}; this archive is searched by sound.",
                "Bring a video that has sound, or a file of sound.",
            )
        return await self.queries.encode(file, _video(facts, shown), stretch, shown)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """Counts a clip of an address as under way.

        Raises:
            RefusedError: 503, too many are.
        """
        if self._under_way[address] >= EACH or self._under_way.total() >= ALL:
            raise RefusedError(503, "busy", "Too many clips are under way already.", "Bring it again in a minute.")
        self._under_way[address] += 1
        try:
            yield
        finally:
            self._under_way[address] -= 1
            self._under_way += Counter()  # which drops what is none

    def _announced(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 15 or int(length) > self.limit):
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413, "too_large", f"The clip has more than {self.limit // 1024**2} MiB.", "Bring a shorter one."
        )

    async def _receive(self, request: Request, file: Path) -> int:
        """Writes the body into a file as it comes; how many bytes there were."""
        size = 0
        try:
            async with asyncio.timeout(RECEIVING):
                with open_plain(file, "xb") as out:
                    pieces = request.stream()
                    while True:
                        async with asyncio.timeout(IDLE):
                            piece = await anext(pieces, None)
                        if piece is None:
                            break
                        size += len(piece)
                        if size > self.limit:
                            raise self._too_large()
                        await anyio.to_thread.run_sync(out.write, piece)
        except TimeoutError as error:
            raise RefusedError(408, "slow", "The clip took too long to arrive.", _SLOW) from error
        except ClientDisconnect as error:
            raise RefusedError(400, "usage", "The connection ended before the clip had come.") from error
        except OSError as error:
            reason = error.strerror or "it cannot be written"
            raise RefusedError(507, "storage", f"There is no room for the clip on the server: {reason}.") from error
        return size

    def close(self) -> None:
        """Takes away what is left."""
        self._checkers.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()


def _look(file: Path, with_sound: bool) -> Job:
    """What the process that looks at a file says of it."""

    def crashed(_: Job, reason: str) -> Job:
        return {"health": "unreadable", "reason": reason}

    asked = [{"file": str(file), "with_sound": with_sound}]
    jobs = run_jobs("kinema.serving.checking", [[]], asked, crashed, limit=STANDING, whole=CHECKING)
    return next(answer for _, answer in list(jobs))


def _video(facts: Job, name: str) -> Video:
    return Video(**{**facts, "path": name, "keyframes": tuple(facts.get("keyframes", ()))})
