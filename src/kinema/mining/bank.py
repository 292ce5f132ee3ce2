"""The memory bank over the whole training set: one feature for every video in every view.

Source: Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (NPID),
arXiv 1805.01978, section 3; it is the memory of IIC (Tao et al. 2020, arXiv 2008.02531), with which CPR mines too.

Departures from the authors' code: rows not yet seen are zero and marked as such, where the authors start from random
noise and learn against it; a first sight is written as it is and not averaged with that noise.

Axes: B clips of an update, N videos, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError
from kinema.mining.queue import check_rows


class MemoryBank(nn.Module):
    """A slowly moving feature of every training video, by its row in the manifest.

    All state is in persistent buffers: ``features_<name>`` float [N, d], ``source`` int64 [N] (-1 where a video was
    not yet seen), ``seen`` bool [N]. None of it has a gradient.

    Args:
        videos: N, the rows of the manifest.
        dim: d, the dimensions of a feature.
        names: the views, for instance ("rgb", "residual").
        momentum: m in M <- normalise(m M + (1 - m) f), in [0, 1); the paper's .5.
    """

    source: Tensor
    seen: Tensor

    def __init__(self, videos: int, dim: int, names: tuple[str, ...], momentum: float = 0.5) -> None:
        super().__init__()
        if videos < 1 or dim < 1 or not names or len(set(names)) != len(names):
            raise ConfigError(f"A bank of {videos} videos, dim {dim}, views {names}: sizes from 1 and distinct views.")
        if not 0.0 <= momentum < 1.0:
            raise ConfigError(f"The bank's momentum is {momentum}; it must be at least 0 and below 1.")
        self.videos, self.dim, self.names, self.momentum = videos, dim, names, momentum
        for name in names:
            self.register_buffer(f"features_{name}", torch.zeros(videos, dim))
        self.register_buffer("source", torch.full((videos,), -1, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(videos, dtype=torch.bool))

    def features(self, name: str) -> Tensor:
        """The view's features, float [N, d]: L2-normalised rows where ``valid``, zero elsewhere; not a copy."""
        if name not in self.names:
            raise ConfigError(f"The bank has no view '{name}'; it has {', '.join(self.names)}.")
        return self.get_buffer(f"features_{name}")

    @property
    def index(self) -> Tensor:
        """Int64 [N], the manifest row of every slot, -1 where it was not yet seen; as in a queue."""
        rows = torch.arange(self.videos, device=self.seen.device)
        return rows.masked_fill(~self.seen, -1)

    @property
    def valid(self) -> Tensor:
        """Bool [N], the videos seen so far."""
        return self.seen

    @property
    def full(self) -> bool:
        """Whether every video was seen."""
        return bool(self.seen.all())

    @torch.no_grad()
    def update(self, index: Tensor, features: Mapping[str, Tensor], source: Tensor) -> None:
        """Moves the rows of a batch towards its features; of a video that is there twice, the last clip counts alone.

        With several ranks, gather the rows first (:func:`kinema.core.ops.all_gather_rows`), so that all hold one bank.

        Args:
            index: int64 [B], rows of the manifest.
            features: float [B, d] for every view of the bank, rows of length one.
            source: int64 [B], the recordings.

        Raises:
            ShapeError: an index is not in [0, N), a view is missing or too many, a shape is wrong, or a row is not
                normalised.
        """
        check_rows(features, self.names, source, index, self.dim)
        if index.numel() and int(index.max()) >= self.videos:
            raise ShapeError(f"index holds {int(index.max())}, but the bank has {self.videos} videos.")
        rows, last = _last_of_each(index.to(self.source))
        seen = self.seen[rows].unsqueeze(1)
        for name in self.names:
            bank = self.features(name)
            new = features[name].to(bank)[last]
            moved = F.normalize(self.momentum * bank[rows] + (1.0 - self.momentum) * new, dim=1)
            bank[rows] = torch.where(seen, moved, new)
        self.source[rows] = source.to(self.source)[last]
        self.seen[rows] = True


def _last_of_each(index: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct values of ``index`` [B], and the last position of each."""
    rows, inverse = torch.unique(index, return_inverse=True)
    positions = torch.arange(index.shape[0], device=index.device)
    return rows, torch.zeros_like(rows).scatter_reduce(0, inverse, positions, "amax", include_self=False)
