"""Frames as the network of questions takes them: features of unknown size and offset, made alike.

Axes: B clips, F frames, D features, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kinema.core.ops import world_size

FARTHEST = 10.0
"""Most deviations from the mean that a value counts for."""


class FrameStandard(nn.Module):
    """Takes out the mean of each feature and divides by its deviation, of all frames that were learnt from so far.

    Features of a network share most of their direction, which hides what tells frames apart. Until the first
    statistics come, features stay as they are. Nothing changes but in :meth:`learn`.

    Args:
        features: D.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("square", torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, F, D] to the same."""
        variance = self.square / self.count.clamp(min=1)
        standard = ((x - self.mean) * (variance + 1e-6).rsqrt()).clamp(-FARTHEST, FARTHEST)
        return torch.where(self.count > 0, standard, x)

    @torch.no_grad()
    def statistics(self, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """How many frames there are on all ranks, their mean, and the sum of squared deviations from it.

        Args:
            x: float [B, F, D].
            mask: bool [B, F], where there is a frame.
        """
        rows = x[mask].float()
        count, mean = _summed(x.new_tensor(float(len(rows)))), _summed(rows.sum(dim=0))
        mean = mean / count.clamp(min=1)
        return {"frames": count, "frames_mean": mean, "frames_square": _summed((rows - mean).square().sum(dim=0))}

    @torch.no_grad()
    def learn(self, statistics: Mapping[str, Tensor]) -> None:
        """Adds the statistics of a batch to those of all (Chan, Golub, LeVeque 1979)."""
        count, mean, square = (statistics[name] for name in ("frames", "frames_mean", "frames_square"))
        total = (self.count + count).clamp(min=1)
        away = mean - self.mean
        self.square += square + away.square() * self.count * count / total
        self.mean += away * count / total
        self.count += count


class FrameNet(nn.Module):
    """Features of frames to states, each beside what comes before and after it, [B, F, D] to [B, F, d].

    Args:
        features: D.
        dim: d.
        context: whether an RNN over the frames of a clip, both ways, is added.
    """

    def __init__(self, features: int, dim: int, *, context: bool) -> None:
        super().__init__()
        self.standard = FrameStandard(features)
        self.project = nn.Linear(features, dim)
        self.norm = nn.LayerNorm(dim)
        self.rnn: nn.GRU | None = None
        if context:
            self.rnn = nn.GRU(dim, dim // 2, batch_first=True, bidirectional=True)
            self.order = nn.Linear(dim // 2 * 2, dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float [B, F, D] and bool [B, F] to [B, F, d]; what stands where there is no frame means nothing."""
        y: Tensor = self.norm(self.project(self.standard(x)))
        return y if self.rnn is None or not y.shape[1] else y + self.order(in_order(self.rnn, y, mask))


def in_order(rnn: nn.GRU, x: Tensor, mask: Tensor) -> Tensor:
    """The states of an RNN over rows that end at different places, whatever stands behind their ends.

    Args:
        rnn: of batch_first.
        x: float [N, T, d].
        mask: bool [N, T]; what stands before the last True is read.

    Returns:
        Float [N, T, states]; zeros behind the end.
    """
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    last = (mask * places).amax(dim=1).clamp(min=1)
    packed = nn.utils.rnn.pack_padded_sequence(x, last.cpu(), batch_first=True, enforce_sorted=False)
    out, _ = nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=x.shape[1])
    return out


def _summed(x: Tensor) -> Tensor:
    if world_size() > 1:
        dist.all_reduce(x)
    return x
