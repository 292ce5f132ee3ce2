"""The cosine of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

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
