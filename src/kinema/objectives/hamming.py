"""The Hamming distance of codes that are not yet binary.

Source: Liu, Qi 2018, "Discriminative Cross-View Hashing" (DCVH), arXiv 1804.01233: views are aligned by minimising the
Hamming distance of their codes, which is counted by XOR; the identity a⊕b = a + b - 2ab carries it over to values
between 0 and 1.

Axes: B pairs, K bits.
"""

from __future__ import annotations

from torch import Tensor

from kinema.core.errors import ShapeError


def soft_hamming(a: Tensor, b: Tensor) -> Tensor:
    """The mean of a + b - 2ab over pairs and bits: of codes, the share of bits in which they differ.

    It is least, at 0, where both values are 0 or both are 1, so that it pushes towards binary values too: of a = b it
    is 2a(1 - a). Codes that are all equal score 0 as well: something else must tell rows apart.

    Args:
        a: float [B, K], from 0 to 1.
        b: float [B, K], from 0 to 1.

    Returns:
        A scalar.

    Raises:
        ShapeError: the shapes differ.
    """
    if a.dim() != 2 or a.shape != b.shape:
        raise ShapeError(f"soft_hamming was given {tuple(a.shape)} and {tuple(b.shape)}; expected [B, K] of both.")
    return (a + b - 2 * a * b).mean()
