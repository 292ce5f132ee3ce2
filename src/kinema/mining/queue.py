"""The queue of recent keys: MoCo's memory, for several views with one write index.

Source: He et al. 2019, "Momentum Contrast", arXiv 1911.05722, section 3.2. Two views that share one index are CoCLR's
and CPR's memory (Wu et al. 2022, arXiv 2201.07989): entry j is the same clip in every view.

Departures from the authors' code: slots that were never written are zero and marked as such, where the authors start
from random noise and learn against it.

Axes: B clips of a push, K slots, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError

JUDGED = 10
"""Pushes whose rows are judged together on a GPU."""


class FeatureQueue(nn.Module):
    """The last K clips that were pushed, in every view, with the recording and the manifest row of each.

    All state is in persistent buffers: ``features_<name>`` float [K, d], ``source`` and ``index`` int64 [K] (-1 where
    a slot is empty), ``pointer`` and ``filled`` int64 scalars. None of it has a gradient.

    Args:
        size: K, the slots; a multiple of the batch that is pushed.
        dim: d, the dimensions of a feature.
        names: the views, for instance ("rgb", "motion").
    """

    source: Tensor
    index: Tensor
    pointer: Tensor
    filled: Tensor

    def __init__(self, size: int, dim: int, names: tuple[str, ...]) -> None:
        super().__init__()
        if size < 1 or dim < 1 or not names or len(set(names)) != len(names):
            raise ConfigError(f"A queue of size {size}, dim {dim} and views {names}: sizes from 1 and distinct views.")
        self.size, self.dim, self.names = size, dim, names
        for name in names:
            self.register_buffer(f"features_{name}", torch.zeros(size, dim))
        self.register_buffer("source", torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer("index", torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self._looked: tuple[Tensor, int] | None = None  # what `full` was read from: a full queue is not read again
        self._full = False
        self._verdicts: list[Tensor] = []

    @staticmethod
    def check_batch(size: int, batch: int) -> None:
        """Refuses a batch that does not divide the queue.

        Raises:
            ConfigError: names both and the nearest sizes that would do.
        """
        if batch < 1 or size % batch:
            below, above = (size // max(batch, 1)) * batch, -(-size // max(batch, 1)) * batch
            choices = f"{below} or {above}" if below > 0 else f"{above}"
            raise ConfigError(
                f"The queue holds {size} clips, which is not a multiple of the batch of {batch}.",
                f"Set the queue's size to {choices}, or choose a batch that divides {size}.",
            )

    def features(self, name: str) -> Tensor:
        """The view's features, float [K, d]: L2-normalised rows where ``valid``, zero elsewhere; not a copy."""
        if name not in self.names:
            raise ConfigError(f"The queue has no view '{name}'; it has {', '.join(self.names)}.")
        return self.get_buffer(f"features_{name}")

    @property
    def valid(self) -> Tensor:
        """Bool [K], the slots that hold a clip."""
        return self.index >= 0

    @property
    def full(self) -> bool:
        """Whether every slot holds a clip."""
        if self._looked is None or self._looked[0] is not self.filled or self._looked[1] != self.filled._version:
            self._looked = (self.filled, self.filled._version)
            self._full = int(self.filled) == self.size
        return self._full

    @torch.no_grad()
    def push(self, features: Mapping[str, Tensor], source: Tensor, index: Tensor) -> None:
        """Writes a batch over the oldest slots.

        With several ranks, gather the rows first (:func:`kinema.core.ops.all_gather_rows`), so that all hold one queue.

        Args:
            features: float [B, d] for every view of the queue, rows of length one.
            source: int64 [B], the recordings.
            index: int64 [B], rows of the manifest, from 0.

        Raises:
            ConfigError: B does not divide K.
            ShapeError: a view is missing or too many, a shape is wrong, or a row is not normalised.
        """
        batch = index.shape[0]
        self.check_batch(self.size, batch)
        check_shapes(features, self.names, source, index, self.dim)
        self._check_values(features, index)
        slots = (self.pointer + torch.arange(batch, device=self.index.device)) % self.size
        for name in self.names:
            self.features(name)[slots] = features[name].to(self.features(name))
        self.source[slots] = source.to(self.source)
        self.index[slots] = index.to(self.index)
        self.pointer.copy_((self.pointer + batch) % self.size)
        if not self.full:
            self.filled.copy_((self.filled + batch).clamp(max=self.size))

    def _check_values(self, features: Mapping[str, Tensor], index: Tensor) -> None:
        """Refuses rows that are not of length one; on a GPU ten pushes are judged together, to spare it the wait."""
        if index.device.type == "cpu":
            check_values(features, index)
            return
        lengths = torch.cat([rows.detach().float().norm(dim=1) for rows in features.values()])
        self._verdicts.append(((lengths - 1.0).abs() < 1e-2).all() & (index >= 0).all())
        if len(self._verdicts) >= JUDGED:
            verdicts, self._verdicts = self._verdicts, []
            if not bool(torch.stack(verdicts).all()):
                check_values(features, index)
                raise ShapeError(f"In the last {JUDGED} pushes a feature row was not of length 1, or an index below 0.")


def check_rows(features: Mapping[str, Tensor], names: tuple[str, ...], source: Tensor, index: Tensor, dim: int) -> None:
    """Refuses rows that a memory of the views ``names`` cannot hold; raises ShapeError naming what is wrong."""
    check_shapes(features, names, source, index, dim)
    check_values(features, index)


def check_shapes(
    features: Mapping[str, Tensor], names: tuple[str, ...], source: Tensor, index: Tensor, dim: int
) -> None:
    """The same, but for the values."""
    if set(features) != set(names):
        raise ShapeError(f"The memory holds the views {sorted(names)} and was given {sorted(features)}.")
    if source.shape != index.shape or index.dim() != 1:
        raise ShapeError(f"source is {tuple(source.shape)} and index {tuple(index.shape)}; expected [B] for both.")
    for name, rows in features.items():
        if rows.shape != (index.shape[0], dim):
            raise ShapeError(f"The features of '{name}' are {tuple(rows.shape)}; expected {(index.shape[0], dim)}.")


def check_values(features: Mapping[str, Tensor], index: Tensor) -> None:
    """Refuses rows that are not of length one and indices below 0; a GPU is waited for."""
    if index.numel() and int(index.min()) < 0:
        raise ShapeError(f"index holds {int(index.min())}; rows of a manifest count from 0.")
    for name, rows in features.items():
        length = rows.detach().float().norm(dim=1)
        if not bool(((length - 1.0).abs() < 1e-2).all()):
            worst = float(length[(length - 1.0).abs().argmax()])
            raise ShapeError(
                f"A feature row of '{name}' has length {worst:g}; rows of a memory have length 1.",
                "Normalise the projections: torch.nn.functional.normalize(z, dim=1).",
            )
