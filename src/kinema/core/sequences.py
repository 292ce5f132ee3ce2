"""The records of sequences: the features of frames in the order of time, and what a method needs of them.

Axes: B sequences of a batch, n frames drawn of each, F features of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.records import mapped


@dataclass(frozen=True)
class SequenceNeeds:
    """What a method needs of each sequence.

    Args:
        frames: n, frames drawn of each sequence, in the order of time.
        bins: equal stretches of a sequence that frames are drawn in, as many in each; 0 for one frame in each of n
            stretches, and all frames where a sequence has no more than n.
        window: where ``bins`` are used, half of the frames are drawn in the bins and each brings another one, at most
            so many frames away.
        activity: the sequences of this activity alone; all where empty.
        labels: whether the batch must hold labels; no method of sequences reads them.
    """

    frames: int = 256
    bins: int = 0
    window: int = 0
    activity: str = ""
    labels: bool = False

    def __post_init__(self) -> None:
        if self.frames < 2 or self.bins < 0 or self.window < 0:
            raise ConfigError(
                f"frames is {self.frames}, bins {self.bins} and window {self.window}; at least 2, 0 and 0 are needed."
            )
        if self.bins and self.frames % (2 * self.bins):
            raise ConfigError(
                f"method.frames is {self.frames}, which twice the {self.bins} bins does not divide.",
                f"Set method.frames to a multiple of {2 * self.bins}.",
            )
        if self.window and not self.bins:
            raise ConfigError(f"window is {self.window} and bins 0; frames bring others along in bins only.")

    def also(self, disturbances: Iterable[object]) -> SequenceNeeds:
        """The same: nothing is done to sequences beside what the needs say.

        Raises:
            ConfigError: there are disturbances, which are of clips.
        """
        if tuple(disturbances):
            raise ConfigError("Disturbances are of clips, and the data are sequences of features.", "Leave them out.")
        return self


@dataclass(frozen=True)
class SequenceBatch:
    """Frames of several sequences, padded at the end.

    Args:
        features: float [B, n, F].
        mask: bool [B, n], True where there is a frame and not padding; the first is always one.
        place: float [B, n], where each frame lies in its sequence, from 0 to 1.
        index: int64 [B], rows of the table.
    """

    features: Tensor
    mask: Tensor
    place: Tensor
    index: Tensor

    def __post_init__(self) -> None:
        if self.features.dim() != 3 or not self.features.is_floating_point():
            raise ShapeError(
                f"SequenceBatch.features is {self.features.dtype} {tuple(self.features.shape)}; expected float "
                "[B, n, F]."
            )
        rows = self.features.shape[:2]
        if self.mask.shape != rows or self.mask.dtype != torch.bool or self.place.shape != rows:
            raise ShapeError(
                f"SequenceBatch.mask is {self.mask.dtype} {tuple(self.mask.shape)} and place "
                f"{tuple(self.place.shape)}; expected bool and float {tuple(rows)}."
            )
        if self.index.shape != rows[:1] or self.index.dtype != torch.int64:
            raise ShapeError(
                f"SequenceBatch.index is {self.index.dtype} {tuple(self.index.shape)}; expected int64 [{rows[0]}]."
            )

    def __len__(self) -> int:
        return self.features.shape[0]

    def to(self, device: torch.device | str) -> SequenceBatch:
        """The same batch on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> SequenceBatch:
        """The same batch in page-locked memory."""
        return mapped(self, Tensor.pin_memory)
