"""Descriptors of tracklets: stretches of all of them share batches, and no more than a batch is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.data.tracklets.store import FrameSource
from kinema.data.tracklets.transforms import normalised


@dataclass(frozen=True)
class _Stretch:
    """Some frames of a tracklet: which of those asked for it is, its first frame, how many, and the step between."""

    number: int
    first: int
    frames: int
    step: int

    @property
    def places(self) -> NDArray[np.int64]:
        """The frames' places in the tracklet."""
        return self.first + self.step * np.arange(self.frames)


def descriptors(
    tower: Any,
    source: FrameSource,
    rows: Sequence[int],
    *,
    device: torch.device | str,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """L2-normalised descriptors of tracklets, float32 [len(rows), dim].

    A tracklet of more than ``tower.clip`` frames is cut into stretches of so many, every ``tower.stride``-th frame in
    one, the frames between in others; its descriptor is their mean, weighted by their frames. Where ``tower.single``
    says so, the middle frame of the tracklet is all that is looked at. Stretches of one length stand together, whosever
    they are.

    Args:
        tower: embeds frames [N, T, …] under a mask [N, T].
        source: the frames.
        rows: which tracklets of it.
        device: where the tower is.
        batch_size: stretches that are embedded together.
        progress: is called with (tracklets done, tracklets).
    """
    stretches = [
        stretch for number, row in enumerate(rows) for stretch in _stretches(number, source.length(row), tower)
    ]
    total = np.zeros((len(rows), int(tower.dim)))
    left = np.bincount([stretch.number for stretch in stretches], minlength=len(rows))
    stretches.sort(key=lambda stretch: (stretch.frames, stretch.number, stretch.first))
    for first in range(0, len(stretches), batch_size):
        batch = stretches[first : first + batch_size]
        frames, mask = padded([source.read(rows[stretch.number], stretch.places) for stretch in batch])
        with torch.no_grad():
            found = tower.embed(ready(frames.to(device), mask.to(device)), mask.to(device))
        for stretch, vector in zip(batch, found.double().cpu().numpy(), strict=True):
            total[stretch.number] += stretch.frames * vector
            left[stretch.number] -= 1
        if progress is not None:
            progress(int((left == 0).sum()), len(rows))
    lengths_of_rows = np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    found32: NDArray[np.float32] = (total / lengths_of_rows).astype(np.float32)
    return found32


def padded(frames: Sequence[NDArray[Any]], longest: int = 0) -> tuple[Tensor, Tensor]:
    """Frames of several tracklets in one tensor [B, T, …], zeros behind the shorter ones; and the mask, bool [B, T].

    Args:
        frames: [n, …] of each, n at least 1.
        longest: T, at least; by default that of the longest.
    """
    longest = max(longest, *(len(each) for each in frames))
    shape = (len(frames), longest, *frames[0].shape[1:])
    found = torch.zeros(shape, dtype=torch.uint8 if frames[0].dtype == np.uint8 else torch.float32)
    mask = torch.zeros(shape[:2], dtype=torch.bool)
    for number, each in enumerate(frames):
        found[number, : len(each)] = torch.from_numpy(np.ascontiguousarray(each))
        mask[number, : len(each)] = True
    return found, mask


def ready(frames: Tensor, mask: Tensor) -> Tensor:
    """Frames as a network takes them: crops normalised, features as they are, zeros where there is none.

    Args:
        frames: uint8 [B, T, 3, H, W], or float32 [B, T, F].
        mask: bool [B, T].
    """
    if frames.dtype != torch.uint8:
        return frames
    return normalised(frames).masked_fill(~mask[:, :, None, None, None], 0.0)


def _stretches(number: int, length: int, tower: Any) -> Iterator[_Stretch]:
    """The stretches of one tracklet of so many frames, as the tower learnt from them."""
    clip, stride = int(tower.clip), int(tower.stride)
    if tower.single:
        yield _Stretch(number, length // 2, 1, 1)
        return
    for block in range(0, length, clip * stride):
        for first in range(block, min(block + stride, length)):
            yield _Stretch(number, first, len(range(first, min(block + clip * stride, length), stride)), stride)
