"""Pseudo-labels: k-means over the features of all videos, as DeepCluster and XDC learn from.

Features are L2-normalised, optionally reduced by a whitening PCA, and normalised again. No cluster stays empty: it is
reseeded with the member farthest from the centroid of the largest cluster. k-means is scikit-learn's; of many videos
its mini-batch form, or faiss where that is installed.

Axes: N videos, d dimensions, k clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kinema.core.errors import ConfigError, DataError, MissingExtraError, ShapeError
from kinema.core.ops import k_means

Engine = Literal["auto", "sklearn", "faiss"]

MANY = 20_000
"""Rows above which k-means goes by mini-batches, or by faiss."""

_FAISS_SEED = 2**31 - 1


@dataclass(frozen=True)
class Clusters:
    """What k-means came to.

    Args:
        labels: int64 [N], each video's cluster.
        weight: float [k, d], and
        bias: float [k]: how near a normalised feature x is to each cluster's middle, weight @ x + bias, up to a
            constant that all of a video's have in common.
        reseeded: how many clusters were empty and were reseeded.
    """

    labels: Tensor
    weight: Tensor
    bias: Tensor
    reseeded: int


def cluster(features: Tensor, clusters: int, *, seed: int, whiten: int = 0, engine: Engine = "auto") -> Clusters:
    """Clusters of features by their direction.

    Args:
        features: float [N, d].
        clusters: k.
        seed: of k-means.
        whiten: dimensions that a whitening PCA leaves; 0 for none.
        engine: 'sklearn', 'faiss', or 'auto': faiss for more than ``MANY`` rows where it is installed.

    Raises:
        ShapeError: features that are no [N, d] or are not finite.
        DataError: fewer videos than clusters, or than whitened dimensions.
        MissingExtraError: faiss is requested and is not installed.
    """
    if features.dim() != 2 or not bool(torch.isfinite(features).all()):
        raise ShapeError(f"The features to cluster are {tuple(features.shape)} or not finite; expected finite [N, d].")
    n, d = features.shape
    if n < clusters or whiten > min(n, d):
        raise DataError(
            f"There are {n} videos of {d} features to make {clusters} clusters of"
            f"{f', whitened to {whiten} dimensions' if whiten else ''}.",
            "Set method.clusters to at most the number of videos, and method.whiten to at most both.",
        )
    x = functional.normalize(features.detach().float().cpu(), dim=1)
    turn, shift = _whitening(x, whiten) if whiten else (torch.eye(d), torch.zeros(d))
    space = functional.normalize((x - shift) @ turn, dim=1) if whiten else x
    labels, middles = _k_means(space.numpy(), clusters, seed, engine)
    labels, middles, reseeded = reseed_empty(space.numpy(), labels, middles)
    centres = torch.from_numpy(middles)
    centred = centres - centres.mean(dim=0)
    weight = centred @ turn.T
    return Clusters(torch.from_numpy(labels), weight, -weight @ shift, reseeded)


def _whitening(x: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
    """Principal axes over their standard deviations, [d, dimensions], and the mean [d]."""
    mean = x.mean(dim=0)
    variance, axes = torch.linalg.eigh((x - mean).T.double() @ (x - mean).double() / len(x))
    leading = slice(len(variance) - dimensions, None)
    scale = variance[leading].clamp_min(1e-10).rsqrt()
    return (axes[:, leading] * scale).float(), mean


def _k_means(
    x: NDArray[np.float32], clusters: int, seed: int, engine: Engine
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if engine == "faiss" or (engine == "auto" and len(x) > MANY and find_spec("faiss") is not None):
        return _by_faiss(x, clusters, seed)
    labels, middles = k_means(x, clusters, seed=seed, starts=3, many=MANY, batch=4096)
    return labels, middles.astype(np.float32)


def _by_faiss(x: NDArray[np.float32], clusters: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("faiss-cpu", "faiss") from error
    points = {"min_points_per_centroid": 1, "max_points_per_centroid": max(256, -(-MANY // clusters))}
    means = faiss.Kmeans(x.shape[1], clusters, niter=25, nredo=3, seed=seed % _FAISS_SEED, **points)
    x = np.ascontiguousarray(x)
    means.train(x)
    _, nearest = means.index.search(x, 1)
    return nearest[:, 0].astype(np.int64), np.asarray(means.centroids, dtype=np.float32)


def reseed_empty(
    x: NDArray[np.float32], labels: NDArray[np.int64], middles: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Gives every empty cluster the member farthest from the middle of the cluster that is largest by then.

    Args:
        x: float [N, d].
        labels: int64 [N].
        middles: float [k, d].

    Returns:
        New labels and centroids, and how many clusters were empty.
    """
    labels, middles = labels.copy(), middles.copy()
    empty = np.flatnonzero(np.bincount(labels, minlength=len(middles)) == 0)
    for number in empty:
        largest = int(np.bincount(labels, minlength=len(middles)).argmax())
        members = np.flatnonzero(labels == largest)
        farthest = members[int(((x[members] - middles[largest]) ** 2).sum(axis=1).argmax())]
        labels[farthest], middles[number] = number, x[farthest]
    return labels, middles, len(empty)


class PseudoLabels(nn.Module):
    """The clusters of all videos by the name of what was clustered, and which round of clustering they are of.

    All state is in persistent buffers: ``labels_<name>`` int64 [N] (-1 where a video is in no cluster) and
    ``weights_<name>`` float [k], of the loss; ``round`` int64, 0 before the first; ``seed`` int64, drawn when it is
    made, from which every round's follows.

    Args:
        videos: N, the rows of the manifest.
        clusters: k.
        names: what is clustered.
    """

    round: Tensor
    seed: Tensor

    def __init__(self, videos: int, clusters: int, names: tuple[str, ...]) -> None:
        super().__init__()
        if clusters < 2 or clusters > videos:
            raise ConfigError(
                f"method.clusters is {clusters} for {videos} videos; it must be at least 2 and at most as many.",
                f"Set method.clusters to {max(2, videos // 8)} or so.",
            )
        self.videos, self.clusters, self.names = videos, clusters, names
        for name in names:
            self.register_buffer(f"labels_{name}", torch.full((videos,), -1))
            self.register_buffer(f"weights_{name}", torch.zeros(clusters))
        self.register_buffer("round", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seed", torch.randint(2**62, ()))

    def labels(self, name: str) -> Tensor:
        """The cluster of every video, int64 [N]; not a copy."""
        return self.get_buffer(f"labels_{name}")

    def weights(self, name: str) -> Tensor:
        """The weight of every cluster in the loss, float [k]; not a copy."""
        return self.get_buffer(f"weights_{name}")

    @property
    def ready(self) -> bool:
        """Whether there was a round."""
        return bool(self.round > 0)

    @torch.no_grad()
    def take(self, labels: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
        """A round's labels and weights, one of each for every name."""
        for name in self.names:
            self.labels(name).copy_(labels[name])
            self.weights(name).copy_(weights[name])
        self.round += 1
