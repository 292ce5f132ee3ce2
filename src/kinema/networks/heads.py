"""Projection heads: layers between an encoder and a contrastive objective, dropped after training.

Sources: CoCLR and CPR (Wu et al. 2022, arXiv 2201.07989): linear C to C, ReLU, linear C to 128, unit length. SimCLR
(Chen et al. 2020, arXiv 2002.05709): the same with BatchNorm and no bias.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError


class ProjectionHead(nn.Module):
    """A small MLP from features to points on the unit sphere, [B, dim] to [B, out].

    Args:
        dim: features taken in.
        hidden: features of the hidden layers; the papers take ``dim``.
        out: dimensions given out.
        layers: linear layers, from 1; SimCLR v1, MoCo v2, CoCLR and CPR have 2.
        norm: BatchNorm after every layer, and no bias anywhere (SimCLR). Without it a clip's projection does not depend
            on its batch-mates.
        affine: whether the last BatchNorm has a scale and a shift too, as those before it have (CMD).
    """

    def __init__(
        self, dim: int, hidden: int, out: int = 128, layers: int = 2, norm: bool = False, affine: bool = False
    ) -> None:
        super().__init__()
        if min(dim, hidden, out, layers) < 1:
            raise ConfigError(
                f"A projection head from {dim} over {hidden} to {out} in {layers} layers; each must be at least 1."
            )
        parts: list[nn.Module] = []
        before = dim
        for layer in range(layers):
            after = out if layer == layers - 1 else hidden
            parts.append(nn.Linear(before, after, bias=not norm))
            last = layer == layers - 1
            parts += [nn.BatchNorm1d(after, affine=affine or not last)] if norm else []
            parts += [] if last else [nn.ReLU(inplace=True)]
            before = after
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, dim] to [B, out], rows of length one."""
        return F.normalize(self.layers(x), dim=1)
