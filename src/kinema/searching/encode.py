"""From a video to its windows' embeddings; each video is encoded by itself, so that no other has a part in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kinema.core.clips import ClipSpec
from kinema.core.errors import DataError, VideoError
from kinema.data.clips.reader import Model
from kinema.searching.reading import Chunk
from kinema.searching.windows import clips_of, seconds_of

Space = Literal["embedding", "projection"]


@dataclass(frozen=True)
class Shot:
    """One window of a video.

    Args:
        first: its first frame.
        frames: how many.
        start: seconds from the video's first frame.
        end: the same of its end.
        vector: float32 [d], of unit length.
        thumbnail: a JPEG file of its middle frame.
    """

    first: int
    frames: int
    start: float
    end: float
    vector: NDArray[np.float32]
    thumbnail: bytes


@dataclass(frozen=True)
class Shots:
    """A video as it is kept: its windows, and the mean of all their clips.

    Args:
        windows: in order of time.
        whole: the whole video.
    """

    windows: tuple[Shot, ...]
    whole: Shot


def clip_starts(windows: Sequence[tuple[int, int]], spec: ClipSpec) -> tuple[int, ...]:
    """Where the clips of all windows begin, each named once, rising."""
    return tuple(sorted({start for window in windows for start in clips_of(window, spec)}))


def middle(window: tuple[int, int]) -> int:
    """The frame that stands for a window (first frame, frames) in its thumbnail."""
    return window[0] + window[1] // 2


def encode_shots(
    model: Model,
    windows: Sequence[tuple[int, int]],
    chunks: Iterator[Chunk],
    *,
    fps: float,
    frames: int,
    name: str,
    centre: Tensor | None = None,
    device: str | None = None,
    space: Space = "embedding",
) -> Shots:
    """Encodes the clips of a video as they come, and averages them window by window.

    Args:
        model: the encoder.
        windows: (first frame, frames) of each.
        chunks: all clips of these windows; they are used up, whatever happens. A window of which no clip comes, since
            nothing is heard there, is left out.
        fps: what tells the time where the file does not.
        frames: of the video.
        name: of the video, for errors.
        centre: the table's, see :mod:`kinema.searching.centre`; None for none.
        device: where to compute.
        space: what is taken of the clips: the encoder's embeddings, or the head's projections.

    Raises:
        VideoError: the file cannot be read to its end, or the encoder gives no finite values.
    """
    features: dict[int, Tensor] = {}
    times: list[float] = []
    pictures: dict[int, bytes] = {}
    for chunk in chunks:
        times += chunk.times
        pictures |= chunk.thumbnails
        if chunk.raw is not None:
            given = model.encode_clips(chunk.raw, device=device, projected=space == "projection")
            features |= dict(zip(chunk.starts, given, strict=True))
    clips = {window: [start for start in clips_of(window, model.clip) if start in features] for window in windows}
    kept = [window for window in windows if clips[window]]
    stacked = torch.stack([mean_of(features, clips[window]) for window in kept])
    whole = mean_of(features, sorted(features))
    vectors = unit(torch.cat([stacked, whole[None]]), name, centre)
    cuts = (*kept, (0, frames))
    pictures[middle(cuts[-1])] = pictures.get(middle(cuts[-1]), pictures[middle(windows[len(windows) // 2])])
    shots = [
        Shot(*cut, *seconds_of(cut, times, fps), vector, pictures[middle(cut)])
        for cut, vector in zip(cuts, vectors, strict=True)
    ]
    return Shots(tuple(shots[:-1]), shots[-1])


def mean_of(features: Mapping[int, Tensor], starts: Sequence[int]) -> Tensor:
    """The mean of some clips' features, float64 [dim]."""
    return torch.stack([features[start] for start in starts]).double().mean(0)


def unit(
    vectors: Tensor, name: str, centre: Tensor | None = None, error: type[DataError] = VideoError
) -> NDArray[np.float32]:
    """Vectors from the centre, float [N, d], of unit length, float32.

    Args:
        vectors: of one video, or of one document.
        name: its name.
        centre: the table's; None for none.
        error: what is raised.

    Raises:
        DataError: one is not finite, or is nought, and so has no direction; names the video or document.
    """
    vectors = vectors if centre is None else vectors.double() - centre
    if not bool(torch.isfinite(vectors).all()) or not bool((vectors.norm(dim=-1) > 0).all()):
        raise error(
            f"'{name}': the encoder gives an embedding that is nought or not finite, which nothing can be near to.",
            "The encoder may have diverged: see the run's curves, `kinema report RUN`.",
        )
    found: NDArray[np.float32] = functional.normalize(vectors.double(), dim=-1).float().numpy()
    return found


def weights_digest(part: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the weights of an encoder or a head, and their names."""
    told = hashlib.sha256()
    for name, value in sorted(part.state_dict().items()):
        told.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        told.update(value.detach().cpu().contiguous().numpy().tobytes())
    return told.hexdigest()
