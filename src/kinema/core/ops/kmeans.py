"""k-means: scikit-learn's, of many rows its mini-batch form."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray


def k_means(
    x: NDArray[np.floating], clusters: int, *, seed: int, starts: int, many: int | None = None, batch: int = 1024
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The best of several starts.

    Where fewer rows differ than there are to be clusters, some clusters are empty.

    Args:
        x: float [N, d], finite.
        clusters: k, at most N.
        seed: of the starts.
        starts: how many.
        many: rows above which it goes by mini-batches; None for never.
        batch: rows of a mini-batch.

    Returns:
        Each row's cluster, int64 [N], and the clusters' means, [k, d] of the type of ``x``.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    how: dict[str, Any] = {"n_clusters": clusters, "n_init": starts, "random_state": seed % 2**32}
    found = KMeans(**how) if many is None or len(x) <= many else MiniBatchKMeans(batch_size=batch, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct rows than clusters
        found.fit(x)
    return found.labels_.astype(np.int64), found.cluster_centers_
