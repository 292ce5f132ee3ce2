"""How much two groupings of the same things say of each other, without knowing what the groups mean."""

from __future__ import annotations

import torch
from torch import Tensor


def entropy(groups: Tensor) -> float:
    """The entropy of a grouping, in nats; log K where K groups are of one size.

    Args:
        groups: int64 [N], the group of each thing.
    """
    _, counts = torch.unique(groups, return_counts=True)
    share = counts.double() / counts.sum()
    return float(-(share * share.log()).sum())


def normalised_mutual_information(a: Tensor, b: Tensor) -> float:
    """2 I(a; b) / (H(a) + H(b)), from 0 for groupings that say nothing of each other to 1 for equal ones.

    Two groupings of one group each are equal. Strehl & Ghosh 2002 normalise by the geometric mean; the arithmetic one
    is that of scikit-learn.

    Args:
        a: int64 [N], the group of each thing by the one.
        b: int64 [N], by the other.
    """
    one, other = entropy(a), entropy(b)
    if one == 0 and other == 0:
        return 1.0
    _, first = torch.unique(a, return_inverse=True)
    _, second = torch.unique(b, return_inverse=True)
    both = entropy(first * (int(second.max()) + 1) + second)
    return min(max(2 * (one + other - both) / (one + other), 0.0), 1.0)
