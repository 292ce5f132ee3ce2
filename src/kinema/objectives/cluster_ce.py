"""Cross entropy on pseudo-labels with classes of equal weight, whatever their size.

DeepCluster (Caron et al. 2018, arXiv 1807.05520, section 3.3) draws its clips uniformly over the clusters, lest a large
one swallow the others. A weight of one over the cluster's size has the same expectation without another sampler, and
the weights are those of the whole training set, so that two halves of a batch are worth what the whole is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kinema.core.errors import ShapeError


def balanced_weights(labels: Tensor, clusters: int) -> Tensor:
    """A weight for each cluster, in inverse proportion to its size and 1 in the mean over all things.

    Args:
        labels: int64 [N], -1 for what is in no cluster.
        clusters: how many there are; empty ones weigh 0.

    Returns:
        Float [clusters].
    """
    sizes = torch.bincount(labels[labels >= 0], minlength=clusters).float()
    held = sizes > 0
    return torch.where(held, sizes.sum() / (held.sum() * sizes.clamp_min(1)), 0.0)


def cluster_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """The mean over the batch of each clip's cross entropy times its cluster's weight.

    Args:
        logits: float [B, K].
        labels: int64 [B], the clip's cluster; -1 counts nothing.
        weights: float [K].

    Returns:
        A scalar.

    Raises:
        ShapeError: the shapes do not fit one another.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1] or weights.shape != logits.shape[1:]:
        raise ShapeError(
            f"cluster_cross_entropy was given logits {tuple(logits.shape)}, labels {tuple(labels.shape)} and weights "
            f"{tuple(weights.shape)}; expected [B, K], [B] and [K]."
        )
    each = cross_entropy(logits, labels, ignore_index=-1, reduction="none")
    weight = torch.where(labels >= 0, weights[labels.clamp_min(0)], 0.0)
    return (weight * each).mean()
