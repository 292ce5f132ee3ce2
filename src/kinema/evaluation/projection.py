"""Features projected to the plane, for a chart: points that are close are similar to the encoder.

A picture and not a measure: distances between far points, and the sizes of groups, mean nothing in t-SNE.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ShapeError

METHOD = "t-SNE of the features' directions, started from their first two principal components"
MOST = 1500
"""Most videos that are projected; of more, evenly spaced ones."""

DIMENSIONS = 50
"""Principal components that t-SNE is given."""


def chosen_rows(number: int) -> list[int]:
    """The rows that are projected, of so many."""
    rows: list[int] = np.unique(np.linspace(0, number - 1, min(number, MOST)).round().astype(int)).tolist()
    return rows


def lay_out(features: Tensor, seed: int = 0) -> NDArray[np.float64]:
    """Places features in the unit square (van der Maaten & Hinton 2008; scikit-learn's implementation).

    The mean is subtracted and the norm taken away, as retrieval with the preset 'coclr' does. Fewer than five videos
    are placed by their principal components alone.

    Args:
        features: float [N, d].
        seed: of the layout.

    Returns:
        float64 [N, 2], from 0 to 1 in both.

    Raises:
        ShapeError: the features are not [N, d], or not finite.
    """
    x = features.detach().cpu().double()
    if x.dim() != 2 or 0 in x.shape or not bool(torch.isfinite(x).all()):
        raise ShapeError(f"The features are {tuple(x.shape)}; expected finite numbers [N, d].")
    x = torch.nn.functional.normalize(x - x.mean(dim=0), dim=1)
    x = x - x.mean(dim=0)
    _, _, directions = torch.linalg.svd(x, full_matrices=False)
    main: NDArray[np.float64] = (x @ directions[:DIMENSIONS].T).numpy()
    if len(main) < 5 or main.shape[1] < 2 or not np.ptp(main[:, 0]) > 0:
        placed = np.zeros((len(main), 2))
        placed[:, : min(2, main.shape[1])] = main[:, :2]
    else:
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(main) - 1) / 3)
        placed = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(main).astype(np.float64)
    low, high = placed.min(axis=0), placed.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    unit: NDArray[np.float64] = (placed - low) / spread
    return unit
