"""The contract of a network from one view of a clip to a feature."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """A network from one view of a clip to a feature.

    ``channels`` is what it takes in, ``dim`` what it gives out. ``feature_map`` is [B, dim, t, h, w] before pooling;
    calling the encoder gives its mean over t, h and w, [B, dim]. An encoder of sound takes [B, 1, bands, times], and
    its feature map is [B, dim, b, t].
    """

    channels: int
    dim: int

    def feature_map(self, x: Tensor) -> Tensor:
        """Features before pooling, [B, dim, t, h, w]."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Features, [B, dim]."""
        ...
