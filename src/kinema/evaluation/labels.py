"""Checks of labels, and the errors where a protocol needs them and there are none."""

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


def as_tensor(values: object) -> Tensor:
    """Values on the CPU, without their gradient; an array that runs backwards is copied."""
    plain = np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values
    return torch.as_tensor(plain).detach().cpu()


def whole_numbers(values: Vector, name: str) -> Tensor:
    """A vector of whole numbers as int64 [N] on the CPU; ShapeError names it where it is none."""
    vector = as_tensor(values)
    if vector.numel() == 0:
        vector = vector.long()
    if vector.dim() != 1 or vector.is_floating_point() or vector.is_complex() or vector.dtype == torch.bool:
        raise ShapeError(f"The {name} are {vector.dtype} {tuple(vector.shape)}; expected one whole number an item.")
    return vector.long()


def class_columns(training: Tensor, test: Tensor, names: Sequence[str] | None = None) -> tuple[Tensor, Tensor]:
    """The classes that can be named, and the column of each test video's own among them.

    Args:
        training: int64 [N], the labels of the training videos.
        test: int64 [Q], the labels of the test videos.
        names: the classes' names by label, for messages; the labels themselves where they are not given.

    Returns:
        int64 [C], the training videos' classes, rising; int64 [Q], numbers of columns below C.

    Raises:
        DataError: there is no training video, or one class only, or the test has a class that training has not.
    """
    classes = training_classes(training, names)
    unknown = sorted(set(test.tolist()) - set(classes.tolist()))
    if unknown:
        listed = ", ".join(repr(_named(c, names)) for c in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise DataError(
            f"The test has {len(unknown)} of its classes that no training video shows: {listed}{more}.",
            "Take these videos out of the test, or add training videos of these classes.",
        )
    return classes, torch.searchsorted(classes, test)


def training_classes(training: Tensor, names: Sequence[str] | None = None) -> Tensor:
    """The classes of the training videos, int64 [C], rising.

    Raises:
        DataError: there is no training video, or all of them are of one class.
    """
    if len(training) == 0:
        raise DataError("There is no training video to learn the classes from.", "Choose a training part with videos.")
    classes: Tensor = torch.unique(training)
    if len(classes) < 2:
        raise DataError(
            f"All {len(training)} training videos are of one class, {_named(int(classes[0]), names)!r}; there is "
            "nothing to tell apart.",
            "Choose a training part with videos of several classes.",
        )
    return classes


def _named(label: int, names: Sequence[str] | None) -> str:
    return str(label) if names is None else names[label]
