"""The batches of pairs of one phase: every pair once an epoch, in another order each time.

All batches are of one size: the last one of an epoch is filled up from the epoch's beginning. What is drawn depends on
the seed, the epoch and the place in it alone, so that a run goes on at any batch as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rank_slice, world_size
from kinema.core.pairs import IMAGE, TEXT, PairBatch, PairNeeds
from kinema.core.records import mapped
from kinema.core.seeds import generator_at
from kinema.core.spans import Tokens
from kinema.data.pairs.encoding import embedded
from kinema.data.pairs.transforms import augmented

if TYPE_CHECKING:
    from kinema.data.pairs.config import LoadedPairs

_EMBEDDED = 64


@dataclass(frozen=True)
class RawPairs:
    """Several pairs as they are read.

    Args:
        index: int64 [B], rows of the table.
        images: uint8 [B, 3, H, W], or float32 [B, F]; None where none are needed.
        texts: float32 [B, V], or B sequences of ids; None where none are needed.
        labels: bool [B, C].
    """

    index: Tensor
    images: Tensor | None
    texts: Tensor | Tokens | None
    labels: Tensor

    def __len__(self) -> int:
        return self.index.shape[0]

    def first(self, count: int) -> RawPairs:
        """The first so many pairs."""
        return mapped(self, lambda x: x[:count])

    def to(self, device: torch.device | str) -> RawPairs:
        """The same on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> RawPairs:
        """The same in page-locked memory."""
        return mapped(self, Tensor.pin_memory)


class PairModule:
    """Batches of pairs.

    Args:
        loaded: the pairs.
        needs: what the method needs of each.
        batch_size: pairs of a batch on each rank.
        seed: of the run.

    Raises:
        ConfigError: ``batch_size`` is below 1.
    """

    def __init__(self, loaded: LoadedPairs, needs: PairNeeds, *, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
        self.batch_size = batch_size
        self._loaded, self._needs, self._seed = loaded, needs, seed
        self._labels = torch.from_numpy(loaded.table.label_matrix())

    @property
    def batches(self) -> int:
        """Batches of every epoch, on every rank."""
        return math.ceil(len(self._labels) / (self.batch_size * world_size()))

    def loader(self, epoch: int, first: int = 0) -> Iterable[RawPairs]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        whole, part = self.batch_size * world_size(), rank_slice(self.batch_size)
        order = torch.randperm(len(self._labels), generator=generator_at(self._seed, "pairs", epoch)).numpy()
        for batch in range(first, self.batches):
            slots = np.arange(batch * whole, (batch + 1) * whole)[part]
            yield self._raw(order[slots % len(order)])

    @property
    def workers(self) -> int:
        """None read beside the training: pictures are taken from an array."""
        return 0

    def sample(self) -> tuple[RawPairs, float]:
        """The first batch, and the seconds that reading one takes."""
        began = time.perf_counter()
        raw = next(iter(self.loader(0)))
        return raw, time.perf_counter() - began

    def batch(self, raw: RawPairs, generator: torch.Generator, *, labels: bool = False) -> PairBatch:
        """A batch as the method sees it, on the device of ``raw``; texts are shown as they are.

        Args:
            raw: as the loader yields it.
            generator: on the CPU; draws what is done to pictures.
            labels: whether the method may see the labels.
        """
        images = None if raw.images is None else augmented(raw.images, self._loaded.config, generator)
        return PairBatch(raw.index, images, raw.texts, raw.labels if labels else None)

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """What each tower makes of all pairs: by view, float32 [rows, dim]."""
        found = {}
        for view, tower in method.towers().items():
            source = self._loaded.pictures if view == IMAGE else self._loaded.texts
            device, training = next(tower.parameters()).device, tower.training
            tower.eval()
            try:
                values = embedded(
                    tower.embed, source, len(self._labels), dim=tower.dim, device=device, batch_size=_EMBEDDED
                )
            finally:
                tower.train(training)
            found[str(view)] = torch.from_numpy(values)
        return found

    def _raw(self, rows: NDArray[np.int64]) -> RawPairs:
        pictures, texts = self._loaded.pictures, self._loaded.texts
        with_images = IMAGE in self._needs.views and pictures is not None
        images = torch.from_numpy(pictures.read(rows)) if with_images and pictures is not None else None
        shown = texts.batch(rows) if TEXT in self._needs.views and texts is not None else None
        index = torch.from_numpy(rows.copy())
        return RawPairs(index, images, shown, self._labels[index])
