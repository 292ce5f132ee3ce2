"""How much two groupings of the same things say of each other, without knowing what the groups mean."""

from __future__ import annotations

import torch
from torch import Tensor


def entropy(groups: Tensor) -> float:
    """The entropy of a grouping, in nats; log K where K groups are of one size.

    Args:
        groups: int64 [N], the group of each thing.
    """
    from scipy.special import entr

    _, counts = torch.unique(groups, return_counts=True)
    return float(entr((counts.double() / counts.sum()).cpu().numpy()).sum())


def normalised_mutual_information(a: Tensor, b: Tensor) -> float:
    """2 I(a; b) / (H(a) + H(b)), from 0 for groupings that say nothing of each other to 1 for equal ones.

    Two groupings of one group each are equal. It is scikit-learn's; Strehl & Ghosh 2002 normalise by the geometric
    mean in place of the arithmetic one.

    Args:
        a: int64 [N], the group of each thing by the one.
        b: int64 [N], by the other.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(a.cpu().numpy(), b.cpu().numpy()))
