"""Embeddings of a video's windows; each video is encoded by itself and does not depend on others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinema.core.clips import ClipSpec
from kinema.core.errors import DataError, VideoError
from kinema.core.ops import unit_parts
from kinema.data.clips.joined import PLUS
from kinema.data.clips.reader import Model
from kinema.data.video.timeline import varying
from kinema.searching.reading import Chunk
from kinema.searching.windows import clips_of, seconds_of

Space = Literal["embedding", "projection"]


@dataclass(frozen=True)
class WindowEmbedding:
    """One window of a video.

    Args:
        first: its first frame.
        frames: number of frames.
        start: in seconds from the video's first frame.
        end: likewise.
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
class VideoEmbeddings:
    """The embeddings of a video: of its windows, and the mean of all their clips.

    Args:
        windows: in order of time.
        whole: the whole video.
    """

    windows: tuple[WindowEmbedding, ...]
    whole: WindowEmbedding


def clip_starts(windows: Sequence[tuple[int, int]], spec: ClipSpec) -> tuple[int, ...]:
    """First frames of the clips of all windows, distinct and ascending."""
    return tuple(sorted({start for window in windows for start in clips_of(window, spec)}))


def middle(window: tuple[int, int]) -> int:
    """The frame of a window's (first frame, frames) thumbnail."""
    return window[0] + window[1] // 2


def encode_windows(
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
) -> VideoEmbeddings:
    """Encodes the clips of a video as they come, and averages them window by window.

    Args:
        model: the encoder.
        windows: (first frame, frames) of each.
        chunks: all clips of these windows; they are always consumed. A window without a clip, because there is no sound
            in it, is left out.
        fps: frames a second, for files without timestamps.
        frames: of the video.
        name: of the video, for errors.
        centre: the table's, see :mod:`kinema.searching.centre`; None for none.
        device: where to compute.
        space: whether to take the encoder's embeddings or the head's projections.

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
    present = [window for window in windows if clips[window]]
    stacked = torch.stack([mean_of(features, clips[window]) for window in present])
    whole = mean_of(features, sorted(features))
    parts = model.parts if len(model.parts) > 1 else ()  # of one encoder, projections have a width of their own
    vectors = unit_vectors(torch.cat([stacked, whole[None]]), name, centre, parts=parts)
    cuts = (*present, (0, frames))
    pictures[middle(cuts[-1])] = pictures.get(middle(cuts[-1]), pictures[middle(windows[len(windows) // 2])])
    constant = not np.isfinite(times).all() or not varying([time - times[0] for time in times], fps)
    embedded = [
        WindowEmbedding(*cut, *seconds_of(cut, times, fps, constant=constant), vector, pictures[middle(cut)])
        for cut, vector in zip(cuts, vectors, strict=True)
    ]
    return VideoEmbeddings(tuple(embedded[:-1]), embedded[-1])


def mean_of(features: Mapping[int, Tensor], starts: Sequence[int]) -> Tensor:
    """The mean of some clips' features, float64 [dim]."""
    return torch.stack([features[start] for start in starts]).double().mean(0)


def unit_vectors(
    vectors: Tensor,
    name: str,
    centre: Tensor | None = None,
    error: type[DataError] = VideoError,
    *,
    parts: Sequence[int] = (),
) -> NDArray[np.float32]:
    """Vectors float [N, d] minus the centre, of unit length, float32.

    Args:
        vectors: of one video, or of one document.
        name: its name.
        centre: the table's; None for none.
        error: the class of the error.
        parts: of embeddings of several encoders side by side, the width of each; the parts then have one length.

    Raises:
        DataError: a vector is zero or not finite, and so has no direction; names the video or document.
    """
    vectors = vectors if centre is None else vectors.double() - centre
    widths = list(parts) or [vectors.shape[-1]]
    lengths = torch.stack([part.norm(dim=-1) for part in torch.split(vectors, widths, dim=-1)])
    if not bool(torch.isfinite(vectors).all()) or not bool((lengths > 0).all()):
        raise error(
            f"'{name}': the encoder gives an embedding that is zero or not finite.",
            "The encoder may have diverged: see the run's curves, `kinema report RUN`.",
        )
    found: NDArray[np.float32] = unit_parts(vectors.double(), widths).float().numpy()
    return found


def encoder_digest(model: Model) -> str:
    """SHA-256, in hexadecimal, of the weights of a model's encoder; of several, each's in order, joined by a plus."""
    return PLUS.join(weights_digest(reader.tower.encoder) for reader in model.readers)


def weights_digest(part: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the weights of an encoder or a head, and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(part.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
