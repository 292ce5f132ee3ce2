"""The records of pairs: a picture and its text, with the labels of both, and what a method needs of them.

Axes: B pairs of a batch, H rows and W columns of a picture, F features of a picture, V of a text, L tokens of the
longest text, C labels that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.records import mapped
from kinema.core.spans import Tokens

PairView = Literal["image", "text"]
IMAGE, TEXT = get_args(PairView)
VIEWS: tuple[PairView, ...] = (IMAGE, TEXT)
"""The two views of a pair."""


@dataclass(frozen=True)
class PairNeeds:
    """What a method needs of each pair.

    Args:
        views: which of its sides: 'image', 'text' or both; a row without one of them is left out.
        labels: whether the batch must hold labels.
    """

    views: tuple[PairView, ...] = VIEWS
    labels: bool = True

    def __post_init__(self) -> None:
        if not self.views or len(set(self.views)) < len(self.views) or not set(self.views) <= set(VIEWS):
            raise ConfigError(f"views is {self.views}.", "Choose 'image', 'text', or both, each once.")

    def also(self, disturbances: Iterable[object]) -> PairNeeds:
        """The same: nothing is done to pairs beside what the settings of data say.

        Raises:
            ConfigError: there are disturbances, which are of clips.
        """
        if tuple(disturbances):
            raise ConfigError("Disturbances are of clips, and the data are pairs.", "Leave them out.")
        return self


@dataclass(frozen=True)
class PairBatch:
    """Pictures and their texts.

    Args:
        index: int64 [B], rows of the table.
        images: float [B, 3, H, W], RGB with ImageNet's mean and deviation taken out; or float [B, F], features; None
            where the method needs none.
        texts: float [B, V], a vector of each text; or B sequences of tokens; None where the method needs none.
        labels: bool [B, C], True for each label of a pair; None where the method needs none.
    """

    index: Tensor
    images: Tensor | None = None
    texts: Tensor | Tokens | None = None
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        rows = len(self.index)
        images, texts, labels = self.images, self.texts, self.labels
        if images is not None and (images.dim() not in (2, 4) or len(images) != rows or not images.is_floating_point()):
            raise ShapeError(
                f"PairBatch.images is {images.dtype} {tuple(images.shape)}; expected float [{rows}, 3, H, W], or "
                f"[{rows}, F]."
            )
        if isinstance(texts, Tensor) and (texts.dim() != 2 or not texts.is_floating_point()):
            raise ShapeError(f"PairBatch.texts is {texts.dtype} {tuple(texts.shape)}; expected float [{rows}, V].")
        if texts is not None and len(texts) != rows:
            raise ShapeError(f"PairBatch.texts holds {len(texts)} texts of {rows} pairs.")
        if labels is not None and (labels.dim() != 2 or len(labels) != rows or labels.dtype != torch.bool):
            raise ShapeError(f"PairBatch.labels is {labels.dtype} {tuple(labels.shape)}; expected bool [{rows}, C].")

    def __len__(self) -> int:
        return self.index.shape[0]

    def view(self, name: PairView) -> Tensor | Tokens:
        """The pictures or the texts.

        Args:
            name: 'image' or 'text'.

        Raises:
            ShapeError: the batch holds none.
        """
        found = self.images if name == IMAGE else self.texts
        if found is None:
            raise ShapeError(
                f"The method asks for the view '{name}', and the batch has none.",
                "Build it from the method's needs.views.",
            )
        return found

    def to(self, device: torch.device | str) -> PairBatch:
        """The same batch on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> PairBatch:
        """The same batch in page-locked memory."""
        return mapped(self, lambda x: x.pin_memory())


def weights_of(weights: str) -> Mapping[PairView, str]:
    """Which file or folder each view starts from.

    Args:
        weights: 'image=FILE', 'text=RUN', or both with a comma between; a folder by itself is a text's, a file by
            itself a picture's. Empty for none.

    Raises:
        ConfigError: a view stands twice, has no place, or is none.
    """
    from pathlib import Path

    if not weights:
        return {}
    parts = weights.split(",")
    if not any(part.startswith(tuple(f"{view}=" for view in VIEWS)) for part in parts):
        return {TEXT if Path(weights).is_dir() else IMAGE: weights}
    found: dict[PairView, str] = {}
    for part in parts:
        view, _, place = part.partition("=")
        known = next((each for each in VIEWS if each == view), None)
        if known is None or known in found or not place:
            raise ConfigError(
                f"The weights are '{weights}', and '{part}' says not which view starts from what.",
                "Write image=FILE, text=RUN, or image=FILE,text=RUN; paths hold no comma.",
            )
        found[known] = place
    return found
