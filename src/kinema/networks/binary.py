"""The layer that gives codes: Direct Binary Embedding (DBE), which learns them without a loss of quantisation.

Source: Liu, Rahimpour, Taalimi, Qi 2017, "End-to-end Binary Representation Learning via Direct Binary Embedding", arXiv
1703.04960: u = Wφ(x) + b; y = tanh(ReLU(BN(u))), from 0 to below 1; the code is 1[y > .5].

Departures: W has no bias, which BatchNorm would take away again: its own shift is b.

Axes: N rows, D features, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, rank_slice, world_size

THRESHOLD = 0.5
"""Above it a bit is 1; at it, and at 0, it is 0."""


class BinaryEmbedding(nn.Module):
    """Features to values from 0 to below 1, one a bit, [N, D] to [N, K].

    While it is trained BatchNorm takes its statistics from the rows of all ranks, so that several learn what one
    process would have learnt; in evaluation mode a row's values never depend on its neighbours.

    Args:
        dim: D.
        bits: K, a multiple of 8.

    Raises:
        ConfigError: bits are no multiple of 8.
    """

    def __init__(self, dim: int, bits: int) -> None:
        super().__init__()
        check_bits(bits)
        self.bits = bits
        self.linear = nn.Linear(dim, bits, bias=False)
        self.norm = nn.BatchNorm1d(bits)
        setattr(self.norm, "of_all_ranks", True)  # noqa: B010 - it is given their rows below

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, D] to [N, K], in float32 at least.

        Raises:
            ShapeError: there is one row in training, of which there are no statistics.
        """
        u: Tensor = self.linear(x)
        u = u if u.dtype == torch.float64 else u.float()
        if not self.training:
            return torch.tanh(torch.relu(self.norm(u)))
        if len(u) * world_size() < 2:
            raise ShapeError(
                "A batch of one row was given in training, and bits are normalised over the rows of a batch.",
                "Set batch_size to 2 or more.",
            )
        return torch.tanh(torch.relu(self.norm(all_gather_rows(u))[rank_slice(len(u))]))


def binary(y: Tensor) -> Tensor:
    """The codes of values, bool of the same shape: 1[y > .5].

    Args:
        y: float [N, K], from 0 to 1.
    """
    return y > THRESHOLD


def check_bits(bits: int) -> None:
    """Refuses codes that do not fill bytes.

    Raises:
        ConfigError: names the number, and the nearest that can be.
    """
    if bits < 8 or bits % 8:
        raise ConfigError(
            f"method.bits is {bits}; it must be a multiple of 8, and at least 8: codes are kept as whole bytes.",
            f"Set method.bits to {max(8, round(bits / 8) * 8)}.",
        )
