"""Where videos are read and encoded: by threads of this process, or by the workers of a Ray cluster.

Both do the same with a video, :class:`Encoding`, and each video by itself; so a table does not show which it was.
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
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.searching.ahead import ahead
from kinema.searching.encode import Shots, Space, clip_starts, encode_shots, middle
from kinema.searching.listening import clip_chunks
from kinema.searching.reading import Chunk
from kinema.searching.windows import WindowSpec, rate_of

Engine = Literal["local", "ray"]
Work = tuple[Path, Video]
"""A video's file, and what is known of it."""


def check_engine(engine: str) -> None:
    """Refuses an engine that there is not.

    Raises:
        UsageError: there is no such engine.
        MissingExtraError: 'ray' without the package.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"There is no engine '{engine}'.", f"Choose one of: {', '.join(get_args(Engine))}.")
    if engine == "ray":
        ray_package("data")


@dataclass(frozen=True)
class Encoding:
    """All that has to be known to embed a video of an archive, but for the video.

    Args:
        model: the encoder.
        windows: how videos are cut.
        centre: the table's, float64 [d]; None for none.
        batch_size: clips at a time.
        device: where to compute.
        space: what is kept of a clip.
    """

    model: Model
    windows: WindowSpec
    centre: Tensor | None
    batch_size: int
    device: str | None
    space: Space = "embedding"

    def cut(self, video: Video) -> list[tuple[int, int]]:
        """(first frame, frames) of each of its windows."""
        return list(self.windows.cut(video.frames, rate_of(video), self.model.clip))

    def read(self, file: Path, video: Video) -> Iterator[Chunk]:
        """The clips of its windows, as they are decoded.

        Raises:
            VideoError: the file cannot be read, or ends too early; or it cannot be heard.
            DataError: motion was asked of a codec that tells none.
        """
        cut = self.cut(video)
        return clip_chunks(
            self.model,
            file,
            video,
            clip_starts(cut, self.model.clip),
            pictures={middle(each) for each in (*cut, (0, video.frames))},
            chunk=self.batch_size,
            whole=True,
        )

    def shots(self, video: Video, chunks: Iterator[Chunk]) -> Shots | str:
        """Its embeddings, or why there are none; uses the chunks of :meth:`read` up."""
        try:
            return encode_shots(
                self.model,
                self.cut(video),
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


def by_threads(encoding: Encoding, work: Sequence[Work], *, workers: int) -> Generator[tuple[int, Shots | str]]:
    """Each video's number in ``work`` and its embeddings, or why there are none; in their order.

    Args:
        encoding: what to do with each.
        work: the videos.
        workers: threads that read; this one encodes.
    """
    jobs = [functools.partial(encoding.read, *each) for each in work]
    for at, chunks in enumerate(ahead(jobs, workers=workers)):
        yield at, encoding.shots(work[at][1], chunks)
