"""Queries: a video, a stretch of one (``clip.mp4@12.5-15``), an image, repeated for a clip's length, or audio."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.clips import SOUND
from kinema.core.errors import DataError, UsageError
from kinema.data.clips.reader import Model
from kinema.data.clips.store import held_message
from kinema.data.clips.stretches import PICTURE, is_picture, parse_stretch, window_of
from kinema.data.video.files import exists, on_disk
from kinema.data.video.limits import cut_message
from kinema.data.video.manifest import Video
from kinema.data.video.scanning import scan
from kinema.data.video.timeline import Timeline
from kinema.searching.audio import audio_query, clip_chunks
from kinema.searching.encode import Space, clip_starts, mean_of, unit_vectors
from kinema.searching.reading import still_clip


@dataclass(frozen=True)
class Query:
    """A query that was read and encoded.

    Args:
        file: the video, image or audio file.
        start: of a stretch, in seconds from the first frame.
        end: likewise; both None for a whole video and for an image.
        vector: float32 [d], of unit length.
        note: for the user: that a stretch was widened; empty otherwise.
    """

    file: Path
    start: float | None
    end: float | None
    vector: NDArray[np.float32]
    note: str = ""

    def __str__(self) -> str:
        return str(self.file) if self.start is None else f"{self.file}@{self.start:.2f}-{self.end:.2f}"


Known = Callable[[Path], Video | None]
"""The facts of a file, if they are known; None where it has to be scanned."""


def read_query(
    model: Model,
    query: str | Path,
    *,
    known: Known | None = None,
    centre: torch.Tensor | None = None,
    space: Space = "embedding",
    stretch: tuple[float, float] | None = None,
    device: str | None = None,
    batch_size: int = 32,
) -> Query:
    """Reads and encodes a query, in the same way as a table's rows.

    Args:
        model: the encoder that made the table.
        query: a video, VIDEO@START-END in seconds, an image, or an audio file for an encoder of audio. An existing file
            with an '@' in its name takes precedence.
        known: returns the facts of known files, which are then not scanned.
        centre: the table's; None for none.
        space: of the table: embeddings or projections.
        stretch: (start, end) in seconds; the query is then the path of a video.
        device: where to compute.
        batch_size: clips at a time.

    Raises:
        UsageError: the query is invalid, or is an image and the encoder's view is not 'rgb'.
        DataError: it does not exist, cannot be read, or has no usable audio.
    """
    file, stretch = parse_stretch(query) if stretch is None else (Path(query), stretch)
    file = on_disk(file)
    if not exists(file):
        raise DataError(
            f"There is no '{file}' to search with.",
            "This run reads videos: the query is a video, VIDEO@START-END in seconds, or a picture. "
            "A run of text, for instance of declutr, is asked with words.",
        )
    if file.is_dir():
        raise UsageError(f"'{file}' is a folder; a query is one video or picture.", "Name one file of it.")
    if is_picture(file):
        return _picture(model, file, stretch, centre, space, device)
    video = _facts(model, file, known(file) if known is not None else None)
    line = None if stretch is None else Timeline.of(file, video)
    window, note = (0, video.frames), ""
    if stretch is not None and line is not None:
        window, note = window_of(model.clip, file, line, stretch)
    if model.sound_spec is None and stretch is None:
        note = held_message([video.frames], model.clip)
    note = " ".join(filter(None, (note, cut_message([video]) if model.views != (SOUND,) else "")))
    starts = clip_starts([window], model.clip)
    features: dict[int, torch.Tensor] = {}
    for chunk in clip_chunks(model, file, video, starts, chunk=batch_size, whole=True):
        if chunk.raw is not None:
            given = model.encode_clips(chunk.raw, device=device, projected=space == "projection")
            features |= dict(zip(chunk.starts, given, strict=True))
    parts = model.parts if len(model.parts) > 1 else ()
    vector = unit_vectors(mean_of(features, sorted(features))[None], str(file), centre, parts=parts)[0]
    if line is None:
        return Query(file, None, None, vector, note)
    return Query(file, *line.seconds(window), vector, note)


def _facts(model: Model, file: Path, known: Video | None) -> Video:
    """The facts of a query's video or audio."""
    if model.sound_spec is not None:
        return audio_query(file, known, alone=model.views == (SOUND,))
    video = known or scan([file], workers=1).videos[0]
    if video.health == "unreadable" or video.frames < 1:
        raise DataError(f"The query '{file}' cannot be read: {video.reason or 'it has no frames'}.")
    return video


def _picture(
    model: Model,
    file: Path,
    stretch: tuple[float, float] | None,
    centre: torch.Tensor | None,
    space: Space,
    device: str | None,
) -> Query:
    if PICTURE not in model.views:
        input_of = "hears" if model.sound_spec is not None else f"sees '{model.view}'"
        raise UsageError(
            f"'{file}' is a still picture, and this encoder {input_of}, of which a picture has none.",
            "Ask with a video, or with the encoder of the view 'rgb'.",
        )
    if stretch is not None:
        raise UsageError(f"'{file}' is a still picture; it has no stretch of time.", "Leave the '@…' away.")
    begin = sum(model.parts[: model.views.index(PICTURE)])
    reader = model.readers[model.views.index(PICTURE)]
    own = slice(begin, begin + reader.dim)
    clip = still_clip(file, model.clip)
    features = reader.encode_clips(clip, device=device, projected=space == "projection").double()
    found = unit_vectors(features, str(file), centre if centre is None or len(model.parts) == 1 else centre[own])[0]
    if len(model.parts) == 1:
        return Query(file, None, None, found)
    vector = np.zeros(model.dim, dtype=np.float32)
    vector[own] = found
    most = math.sqrt(1 / len(model.parts))
    note = f"A picture is compared by its colours alone, not by {' and '.join(set(model.views) - {PICTURE})}: "
    return Query(file, None, None, vector, f"{note}scores are {most:.2f} at most.")
