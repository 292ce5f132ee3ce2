"""The cosine of embeddings, also of several side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ShapeError


def cosine_matrix(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The cosine of every row of ``a`` with every one of ``b``, float32 [N, M], in [-1, 1].

    Args:
        a: float [N, d], or [d] for one row.
        b: float [M, d], or [d] for one row.

    Raises:
        ShapeError: they are not of one width, or an entry is not finite.
    """
    first, second = (np.atleast_2d(np.asarray(each, dtype=np.float32)) for each in (a, b))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ShapeError(f"Embeddings are {np.shape(a)} and {np.shape(b)}; expected [N, d] and [M, d] of one d.")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ShapeError("Embeddings hold entries that are not finite, and have no cosine.")
    x, y = (torch.nn.functional.normalize(torch.from_numpy(each), dim=1) for each in (first, second))
    found: NDArray[np.float32] = (x @ y.T).clamp(-1, 1).numpy()
    return found


def unit_parts(x: Tensor, parts: Sequence[int]) -> Tensor:
    """Rows whose parts have one length each, sqrt(1 / parts), so that a row has length 1; [N, d] to the same.

    The dot product of two rows is then the mean of the cosines of their parts: to rank by it is to rank by the sum of
    these cosines. A part that is zero stays zero.

    Args:
        x: float [N, d], several embeddings side by side.
        parts: the width of each; their sum is d.

    Raises:
        ShapeError: the widths do not add up to d.
    """
    if sum(parts) != x.shape[-1]:
        raise ShapeError(f"Parts of {' and '.join(map(str, parts))} dimensions are no rows of {x.shape[-1]}.")
    units = [torch.nn.functional.normalize(part, dim=-1) for part in torch.split(x, list(parts), dim=-1)]
    return torch.cat(units, dim=-1) * math.sqrt(1 / len(parts))
