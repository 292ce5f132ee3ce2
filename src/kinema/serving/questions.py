"""Questions about the videos of a folder: which videos there are, and one question at a time to a run of video-qa.

A video is named by a digest of its path below the folder, so a request never holds a path; beside a video only its
subtitles, labels of objects and stored features are read, by its own name (:mod:`kinema.api.asking`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from kinema.api.asking import Asked, Asker, TooLongError
from kinema.core.errors import DataError
from kinema.data.questions.beside import Input, beside
from kinema.data.video.files import is_pictures
from kinema.data.video.finding import videos_below
from kinema.data.video.manifest import Video
from kinema.serving.archive import LOOK_AGAIN, video_id
from kinema.serving.failures import RefusedError, missing
from kinema.serving.footage import open_video
from kinema.serving.queries import READERS
from kinema.serving.settings import Settings

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Askable:
    """The videos of a folder at one time.

    Args:
        root: the folder.
        paths: of its videos below it, sorted.
    """

    root: Path
    paths: tuple[str, ...]

    @cached_property
    def by_name(self) -> Mapping[str, str]:
        """The path of a video, by its name in requests."""
        return {video_id(path): path for path in self.paths}


class AskService:
    """Answers questions about the videos of a folder.

    Args:
        asker: the run that answers.
        videos: the folder of the videos.
        settings: how many questions may wait, and how long a video may be whose features are made for an answer.

    Raises:
        DataError: the folder is not there, or holds no video.
    """

    def __init__(self, asker: Asker, videos: Path, settings: Settings) -> None:
        self.asker, self.settings = asker, settings
        self._root = videos.resolve()
        if not self._root.is_dir():
            raise DataError(f"There is no folder '{videos}'.", "Name the folder of the videos: --videos DIR.")
        self._lock = threading.Lock()
        self._waiting = 0
        self._held: tuple[float, Askable] | None = None
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="kinema-answers")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="kinema-videos")
        if not self.now().paths:
            raise DataError(f"There is no video in '{videos}'.", "Name the folder of the videos: --videos DIR.")

    def now(self) -> Askable:
        """The videos that there are now, give or take ``LOOK_AGAIN`` seconds; folders of pictures cannot be played.

        Raises:
            DataError: the folder cannot be listed.
        """
        with self._lock:
            if self._held is None or time.monotonic() - self._held[0] > LOOK_AGAIN:
                paths = [path for path in videos_below(self._root)[0] if not is_pictures(Path(path))]
                self._held = time.monotonic(), Askable(self._root, tuple(paths))
            return self._held[1]

    async def read(self, job: Callable[[], Answer]) -> Answer:
        """Runs a read of the folder in one of a few threads; waits while all are busy."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, job)

    def locate(self, name: str) -> tuple[Path, Video, bool]:
        """The folder, and the video of it, that has a name in requests.

        Raises:
            RefusedError: 404, there is none.
        """
        now = self.now()
        path = now.by_name.get(name)
        if path is None:
            raise missing("video")
        return now.root, Video(path=path), False

    def beside(self, path: str) -> list[Input]:
        """What lies beside a video that an answer can use: 'frames', 'subtitles', 'objects'.

        Args:
            path: of the video below the folder.
        """
        return list(beside(self._root / path).there)

    async def ask(self, name: str, question: str, options: list[str]) -> Asked:
        """The answer to a question about a video, after those who came before.

        Args:
            name: of the video in requests.
            question: the question.
            options: what may be the answer.

        Raises:
            RefusedError: 404, there is no such video; 503, too many questions wait; 413, features must be made for it
                first, and it is too long for that; see :func:`~kinema.serving.footage.open_video`.
            UsageError: as :meth:`kinema.api.asking.Asker.ask`.
            DataError: likewise.
        """
        root, video, _ = await self.read(lambda: self.locate(name))
        descriptor, _ = await self.read(lambda: open_video(root, video, indexed=False))
        with open(descriptor, "rb"), self._counted():
            job = lambda: self._answered(root / video.path, video.path, question, options)  # noqa: E731
            return await asyncio.get_running_loop().run_in_executor(self._answering, job)

    def _answered(self, file: Path, name: str, question: str, options: list[str]) -> Asked:
        try:
            return self.asker.ask(file, question, options, longest=self.settings.query_seconds, name=name)
        except TooLongError as error:
            raise RefusedError(413, "too_long", error.message, error.hint) from error

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts a question as waiting.

        Raises:
            RefusedError: 503, too many are.
        """
        with self._lock:
            if self._waiting >= self.settings.waiting:
                raise RefusedError(
                    503, "busy", f"{self._waiting} questions are waiting already.", "Ask again in a minute."
                )
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def close(self) -> None:
        """Ends the threads; waiting questions are dropped."""
        for pool in (self._answering, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)
