"""Readers that compare what they encode, as a search of their run's table compares it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ShapeError, UsageError
from kinema.core.ops import cosine_matrix, unit_parts
from kinema.core.reader import Reader


class Comparing(Reader):
    """A reader whose ``encode`` has ``normalize``, and that may know the centre of a table of its embeddings."""

    centre: Callable[[], Tensor | None] | None = None
    """Gives the centre that a search of the run's table subtracts, float64 [dim]; None where there is none."""

    def similarity(self, a: Any, b: Any) -> NDArray[np.float32]:
        """How alike each of ``a`` is to each of ``b``: cosines, float32 [N, M], in [-1, 1].

        Where ``kinema embed`` has made a table of the reader's embeddings beside its run, the table's centre is
        subtracted first, as a search does: 0 is then as alike as any two are on average. Without such a table, or with
        one of too few rows for a centre, it is the plain cosine: features after a ReLU point in about the same
        direction, and any two may have .9 or more, so compare such figures with one another and not with 1.

        Args:
            a: what ``encode`` takes, one or several; or embeddings, float [N, dim] or [dim], which must be those of
                ``encode(…, normalize=False)`` where there is a centre.
            b: likewise.

        Raises:
            UsageError: there is a centre, and the embeddings are of unit length, from which it cannot be subtracted.
            ShapeError: embeddings are not of one width, or an entry is not finite.
        """
        centre = self.centre() if self.centre is not None else None
        found = [self._compared(each, centre) for each in ((a,) if b is a else (a, b))]
        return cosine_matrix(found[0], found[-1])

    def _compared(self, given: Any, centre: Tensor | None) -> NDArray[np.floating[Any]]:
        """Embeddings as a search compares them, but for their length."""
        held = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given) if _is_array(given) else None
        if held is not None and held.ndim < 3 and held.dtype.kind == "f":
            vectors = np.atleast_2d(held)
            if centre is not None and len(vectors) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4):
                raise UsageError(
                    "The embeddings are of unit length, and the table's centre cannot be subtracted from such.",
                    "Give the files themselves, or what encode(…, normalize=False) gives.",
                )
        else:
            encode = functools.partial(self.encode, normalize=False)  # type: ignore[attr-defined]
            vectors = np.atleast_2d(encode(given))
        if centre is not None:
            if vectors.shape[1:] != tuple(centre.shape):
                raise ShapeError(f"Embeddings are {vectors.shape}; expected [N, {len(centre)}].")
            vectors = vectors - centre.numpy()
        parts = getattr(self, "parts", ())
        if len(parts) < 2:
            return vectors
        scaled: NDArray[np.floating[Any]] = unit_parts(torch.from_numpy(vectors), parts).numpy()
        return scaled


def _is_array(given: Any) -> bool:
    return isinstance(given, np.ndarray | Tensor)
