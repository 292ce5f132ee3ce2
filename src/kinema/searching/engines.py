"""Reads and encodes videos: in threads of this process, or in the workers of a Ray cluster.

Both encode each video by itself, by an :class:`Encoding`; so a table is the same from either.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from kinema.core.cluster import ray_package
from kinema.core.errors import DataError, UsageError, VideoError
from kinema.core.guesses import choose_from
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.data.video.timeline import Timeline, rate_of
from kinema.searching.audio import clip_chunks
from kinema.searching.encode import Space, VideoEmbeddings, clip_starts, encode_windows, middle
from kinema.searching.prefetch import prefetch
from kinema.searching.reading import Chunk
from kinema.searching.windows import WindowSpec

Engine = Literal["local", "ray"]
Work = tuple[Path, Video]
"""A video's file and its facts."""


def check_engine(engine: str) -> None:
    """Raises an error for an unknown engine.

    Raises:
        UsageError: there is no such engine.
        MissingExtraError: 'ray' without the package.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"There is no engine '{engine}'.", choose_from(engine, get_args(Engine)))
    if engine == "ray":
        ray_package("data")


@dataclass(frozen=True)
class Encoding:
    """Encodes videos, with all settings of a table.

    Args:
        model: the encoder.
        windows: how videos are cut.
        centre: the table's, float64 [d]; None for none.
        batch_size: clips at a time.
        device: where to compute.
        space: whether to take embeddings or projections.
    """

    model: Model
    windows: WindowSpec
    centre: Tensor | None
    batch_size: int
    device: str | None
    space: Space = "embedding"

    def cut(self, file: Path, video: Video) -> list[tuple[int, int]]:
        """(first frame, frames) of each of its windows; its file is read for times only where they are needed."""
        times = Timeline.of(file, video).times if self.windows.in_seconds else ()
        return list(self.windows.cut(video.frames, rate_of(video), self.model.clip, times))

    def read(self, file: Path, video: Video) -> Iterator[Chunk]:
        """The clips of a video's windows, as they are decoded.

        Raises:
            VideoError: the file cannot be read, ends too early, or has no usable sound.
            DataError: the view is motion, and the codec has no motion vectors.
        """
        cut = self.cut(file, video)
        return clip_chunks(
            self.model,
            file,
            video,
            clip_starts(cut, self.model.clip),
            pictures={middle(each) for each in (*cut, (0, video.frames))},
            chunk=self.batch_size,
            whole=True,
        )

    def embed(self, file: Path, video: Video, chunks: Iterator[Chunk]) -> VideoEmbeddings | str:
        """A video's embeddings, or the reason why there are none; consumes the chunks of :meth:`read`."""
        try:
            return encode_windows(
                self.model,
                self.cut(file, video),
                chunks,
                fps=rate_of(video),
                frames=video.frames,
                name=video.path,
                centre=self.centre,
                device=self.device,
                space=self.space,
            )
        except (VideoError, DataError) as error:
            return error.message.rstrip(".")


def by_threads(
    encoding: Encoding, work: Sequence[Work], *, workers: int
) -> Generator[tuple[int, VideoEmbeddings | str]]:
    """Each video's index in ``work`` and its embeddings, or the reason why there are none; in order.

    Args:
        encoding: encodes a video.
        work: the videos.
        workers: threads that read; the calling thread encodes.
    """
    jobs = [functools.partial(encoding.read, *each) for each in work]
    for at, chunks in enumerate(prefetch(jobs, workers=workers)):
        yield at, encoding.embed(*work[at], chunks)
