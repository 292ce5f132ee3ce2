"""What is said where a protocol needs labels and there are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, ShapeError

Vector = Tensor | NDArray[np.integer] | Sequence[int]
"""One whole number an item, as a tensor, an array or a sequence."""

LABELS_HINT = (
    "Give labels by putting the videos into one folder a class, or by a file labels.csv beside them with the columns "
    "path and label. The verbs scan and pretrain need no labels."
)
"""How labels are given, and what does without."""


def require_labels(labels: Vector | None, items: str, protocol: str) -> Tensor:
    """The labels as int64 [N], where every item has one.

    Args:
        labels: whole numbers [N], -1 where a label is not known; None where there are none at all.
        items: what is labelled, for the message: 'query', 'gallery', 'training'.
        protocol: what needs the labels, for the message.

    Raises:
        DataError: a label is missing; says how many, which verbs do without, and how labels are given.
        ShapeError: the labels are not a vector of whole numbers.
    """
    if labels is None:
        raise DataError(f"The {items} videos have no labels; {protocol} compares classes and needs them.", LABELS_HINT)
    vector = whole_numbers(labels, f"labels of the {items} videos")
    missing = int((vector < 0).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(vector)} {items} videos have no label; {protocol} compares classes and needs them all.",
            LABELS_HINT,
        )
    return vector


def whole_numbers(values: Vector, name: str) -> Tensor:
    """A vector of whole numbers as int64 [N] on the CPU; ShapeError names it where it is none."""
    vector = torch.as_tensor(values).detach().cpu()
    if vector.numel() == 0:
        vector = vector.long()
    if vector.dim() != 1 or vector.is_floating_point() or vector.is_complex() or vector.dtype == torch.bool:
        raise ShapeError(f"The {name} are {vector.dtype} {tuple(vector.shape)}; expected one whole number an item.")
    return vector.long()
