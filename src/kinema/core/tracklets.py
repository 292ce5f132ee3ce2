"""The records of tracklets: a person's crops in the order of time, and what a method needs of them.

Axes: B tracklets of a batch, T frames drawn of each, H rows and W columns of a crop, F features of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.records import mapped


@dataclass(frozen=True)
class TrackletNeeds:
    """What a method needs of each tracklet.

    Args:
        frames: T, frames drawn of each tracklet: a window that starts anywhere; all of them where a tracklet has fewer.
        stride: frames from one that is drawn to the next; where a tracklet is too short for it, as many as fit.
        instances: K, tracklets of each identity in a batch, of several cameras where there are (P x K sampling,
            Hermans et al. 2017, arXiv 1703.07737, section 2); 0 for tracklets in any order.
        labels: whether the batch must hold labels.
    """

    frames: int = 8
    stride: int = 1
    instances: int = 4
    labels: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1 or self.instances < 0:
            raise ConfigError(
                f"frames is {self.frames}, stride {self.stride} and instances {self.instances}; at least 1, 1 and 0 "
                "are needed."
            )

    def also(self, disturbances: Iterable[object]) -> TrackletNeeds:
        """The same: nothing is done to tracklets beside what the settings of data say.

        Raises:
            ConfigError: there are disturbances, which are of clips.
        """
        if tuple(disturbances):
            raise ConfigError("Disturbances are of clips, and the data are tracklets.", "Leave them out.")
        return self


@dataclass(frozen=True)
class TrackletBatch:
    """Frames of several tracklets, padded at the end.

    Args:
        frames: float [B, T, 3, H, W], crops in RGB with ImageNet's mean and deviation taken out; or float [B, T, F],
            features of crops.
        mask: bool [B, T], True where there is a frame and not padding; the first is always one.
        index: int64 [B], rows of the table.
        labels: int64 [B], the identity's number in the table's ``classes()``; None where the method needs none.
    """

    frames: Tensor
    mask: Tensor
    index: Tensor
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        if self.frames.dim() not in (3, 5) or not self.frames.is_floating_point():
            raise ShapeError(
                f"TrackletBatch.frames is {self.frames.dtype} {tuple(self.frames.shape)}; expected float "
                "[B, T, 3, H, W], or [B, T, F]."
            )
        rows = self.frames.shape[:2]
        if self.mask.shape != rows or self.mask.dtype != torch.bool:
            raise ShapeError(
                f"TrackletBatch.mask is {self.mask.dtype} {tuple(self.mask.shape)}; expected bool {tuple(rows)}."
            )
        for name, each in (("index", self.index), ("labels", self.labels)):
            if each is not None and (each.shape != rows[:1] or each.dtype != torch.int64):
                raise ShapeError(
                    f"TrackletBatch.{name} is {each.dtype} {tuple(each.shape)}; expected int64 [{rows[0]}]."
                )

    def __len__(self) -> int:
        return self.frames.shape[0]

    def to(self, device: torch.device | str) -> TrackletBatch:
        """The same batch on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> TrackletBatch:
        """The same batch in page-locked memory."""
        return mapped(self, Tensor.pin_memory)
