"""Features as every protocol takes them: checked, one vector a video.

Axes: N videos, V windows, d dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation.labels import Vector, as_tensor, whole_numbers

Array = Tensor | NDArray[np.floating]
"""Features as a tensor or an array."""

FLAT = 1e-5
"""A feature shorter than this fraction of the longest before centring is rounding, and taken as zero."""


def checked(features: Array, name: str, items: int | None = None) -> Tensor:
    """Features as float64 [N, d] on the CPU, the mean over windows taken.

    Args:
        features: float [N, d] or [N, V, d].
        name: whose they are, for the message: 'query', 'training'.
        items: how many labels there are; None where there are none to compare with.

    Raises:
        DataError: there is no video.
        ShapeError: the shape does not fit, or a feature is not finite.
    """
    x = as_tensor(features).double()
    if len(x.shape) in (2, 3) and x.shape[0] == 0 and not items:
        raise DataError(f"There are no {name} videos.", "Choose the parts so that each holds videos.")
    if x.dim() not in (2, 3) or x.shape[0] != (x.shape[0] if items is None else items) or 0 in x.shape:
        expected = "" if items is None else f" for {items} labels"
        raise ShapeError(f"The {name} features are {tuple(x.shape)}{expected}; expected [N, d] or [N, V, d].")
    bad = int((~torch.isfinite(x)).flatten(1).any(1).sum())
    if bad:
        raise ShapeError(f"The features of {bad} of {len(x)} {name} videos are not finite.")
    return x.mean(1) if x.dim() == 3 else x


def directions(x: Tensor, *, centred: bool, parts: Sequence[int] = ()) -> Tensor:
    """Float64 [N, d] as float32 unit vectors, their own mean subtracted first where ``centred``.

    What is left of a feature after centring may be rounding alone; it is then zero and similar to nothing.

    Args:
        x: features.
        centred: whether the mean is subtracted.
        parts: of features of several encoders side by side, the width of each: every part is then centred and scaled by
            itself, to the length sqrt(1 / parts).

    Raises:
        ShapeError: the widths do not add up to d.
    """
    if len(parts) > 1:
        if sum(parts) != x.shape[1]:
            raise ShapeError(f"Parts of {' and '.join(map(str, parts))} dimensions are no features of {x.shape[1]}.")
        each = [directions(part, centred=centred) for part in torch.split(x, list(parts), dim=1)]
        return torch.cat(each, dim=1) * math.sqrt(1 / len(parts))
    longest = x.norm(dim=1).max()
    if centred:
        x = x - x.mean(0)
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length > FLAT * longest, x / length.clamp_min(torch.finfo(x.dtype).tiny), 0.0).float()


def same_dimensions(training: Tensor, test: Tensor) -> None:
    """ShapeError where training and test features differ in their dimensions."""
    if training.shape[1] != test.shape[1]:
        raise ShapeError(f"Training features have {training.shape[1]} dimensions and the test's {test.shape[1]}.")


def siblings(query: Vector | None, gallery: Vector | None, queries: int, items: int) -> Tensor | None:
    """Bool [Q, G], which items are of a query's own recording; None where nothing is known of recordings.

    Raises:
        ShapeError: sources are given on one side only, or their number is wrong.
    """
    if query is None and gallery is None:
        return None
    if query is None or gallery is None:
        raise ShapeError("query_sources and gallery_sources are given together or not at all.")
    ours, theirs = whole_numbers(query, "sources of the queries"), whole_numbers(gallery, "sources of the gallery")
    if (len(ours), len(theirs)) != (queries, items):
        raise ShapeError(f"There are {len(ours)} and {len(theirs)} sources for {queries} queries and {items} items.")
    return ours[:, None] == theirs
