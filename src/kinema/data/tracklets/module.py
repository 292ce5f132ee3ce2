"""The batches of tracklets of one phase: whose tracklets, and which of their frames.

Where a method asks for K instances, a batch holds B / K people and K tracklets of each, of as many cameras as there
are (P x K sampling, Hermans et al. 2017, arXiv 1703.07737, section 2). An epoch goes through all people R times, so
often that it shows about as many tracklets as there are. Otherwise an epoch shows every tracklet once. All batches are
of one size. What is drawn depends on the seed, the epoch and the place in it alone, so that a run goes on at any batch
as if it had never stopped.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rank_slice, world_size
from kinema.core.records import mapped
from kinema.core.seeds import generator_at, seed_at
from kinema.core.tracklets import TrackletBatch, TrackletNeeds
from kinema.data.tracklets.encoding import descriptors, padded
from kinema.data.tracklets.transforms import augmented

if TYPE_CHECKING:
    from kinema.data.tracklets.config import LoadedTracklets

log = logging.getLogger(__name__)

_EMBEDDED = 64


@dataclass(frozen=True)
class RawTracklets:
    """Frames of several tracklets as they are read.

    Args:
        frames: uint8 [B, T, 3, H, W], or float32 [B, T, F].
        mask: bool [B, T], True where there is a frame.
        index: int64 [B], rows of the table.
        labels: int64 [B], the identity's number; -1 where it is not known.
    """

    frames: Tensor
    mask: Tensor
    index: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.frames.shape[0]

    def first(self, count: int) -> RawTracklets:
        """The first so many tracklets."""
        return mapped(self, lambda x: x[:count])

    def to(self, device: torch.device | str) -> RawTracklets:
        """The same on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> RawTracklets:
        """The same in page-locked memory."""
        return mapped(self, Tensor.pin_memory)


class TrackletModule:
    """Batches of tracklets.

    Args:
        loaded: the tracklets.
        needs: what the method needs of each.
        batch_size: tracklets of a batch on each rank.
        seed: of the run.

    Raises:
        ConfigError: ``batch_size`` is no multiple of ``needs.instances``.
    """

    def __init__(self, loaded: LoadedTracklets, needs: TrackletNeeds, *, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
        if needs.instances and batch_size % needs.instances:
            raise ConfigError(
                f"batch_size is {batch_size}, and {needs.instances} tracklets of each person are shown together "
                "(instances).",
                f"Choose a multiple of {needs.instances}, for instance "
                f"{max(1, round(batch_size / needs.instances)) * needs.instances}.",
            )
        self.batch_size = batch_size
        self._loaded, self._needs, self._seed = loaded, needs, seed
        table = loaded.table
        self._labels = np.asarray(table.label_ids(), np.int64)
        self._people = _people(self._labels, [row.camera for row in table.rows]) if needs.instances else []
        self._at_once = batch_size // needs.instances if needs.instances else 0
        if self._people and len(self._people) < self._at_once:
            log.warning(
                "A batch has room for %d people, and there are %d: some are in it more than once.",
                self._at_once,
                len(self._people),
            )

    @property
    def batches(self) -> int:
        """Batches of every epoch, on every rank."""
        shown = len(self._people) * self._rounds if self._people else len(self._labels)
        return math.ceil(shown / ((self._at_once or self.batch_size) * world_size()))

    def loader(self, epoch: int, first: int = 0) -> Iterable[RawTracklets]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        whole, part = self.batch_size * world_size(), rank_slice(self.batch_size)
        order = self._order(epoch, self.batches * whole)
        for batch in range(first, self.batches):
            slots = np.arange(batch * whole, (batch + 1) * whole)
            yield self._raw(epoch, slots, order[slots], part)

    @property
    def workers(self) -> int:
        """None read beside the training: crops are taken from an array."""
        return 0

    def sample(self) -> tuple[RawTracklets, float]:
        """The first batch, and the seconds that reading one takes."""
        began = time.perf_counter()
        raw = next(iter(self.loader(0)))
        return raw, time.perf_counter() - began

    def batch(self, raw: RawTracklets, generator: torch.Generator, *, labels: bool = False) -> TrackletBatch:
        """A batch as the method sees it, on the device of ``raw``.

        Args:
            raw: as the loader yields it.
            generator: on the CPU; draws what is done to crops.
            labels: whether the method may see the identities.
        """
        frames = raw.frames
        if frames.dtype == torch.uint8:
            frames = augmented(frames, self._loaded.config, generator)
            frames = frames.masked_fill(~raw.mask[:, :, None, None, None], 0.0)
        return TrackletBatch(frames, raw.mask, raw.index, raw.labels if labels else None)

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """What each tower makes of all tracklets: by name, float32 [rows, dim]."""
        towers: Mapping[str, Any] = method.towers()
        return {name: self._encoded(tower) for name, tower in towers.items()}

    def _encoded(self, tower: Any) -> Tensor:
        device = next(tower.parameters()).device
        training = tower.training
        tower.eval()
        try:
            found = descriptors(tower, self._loaded.frames, self._loaded.rows, device=device, batch_size=_EMBEDDED)
        finally:
            tower.train(training)
        return torch.from_numpy(found)

    @property
    def _rounds(self) -> int:
        """How often an epoch goes through all people."""
        return max(1, round(len(self._labels) / (len(self._people) * self._needs.instances)))

    def _order(self, epoch: int, count: int) -> NDArray[np.int64]:
        """The tracklets of an epoch in their order, int64 [count]."""
        if not self._people:
            order = torch.randperm(len(self._labels), generator=generator_at(self._seed, "tracklets", epoch)).numpy()
            return order[np.arange(count) % len(order)]
        k = self._needs.instances
        shown = [
            _drawn(cameras, k, np.random.Generator(np.random.PCG64(seed_at(self._seed, "instances", epoch, number))))
            for number, cameras in enumerate(self._people)
        ]
        whole = self._at_once * world_size()
        people = itertools.islice(_turns(len(self._people), whole, self._seed, epoch), count // k)
        return np.asarray([row for person in people for row in next(shown[person])], np.int64)

    def _raw(self, epoch: int, slots: NDArray[np.int64], rows: NDArray[np.int64], part: slice) -> RawTracklets:
        """A part of a batch, whose frames are drawn for all ranks, for one length of theirs."""
        drawn = []
        for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
            generator = np.random.Generator(np.random.PCG64(seed_at(self._seed, "frames", epoch, slot)))
            drawn.append(window(self._loaded.frames.length(row), self._needs, generator))
        rows = rows[part]
        frames = [self._loaded.frames.read(row, at) for row, at in zip(rows.tolist(), drawn[part], strict=True)]
        found, mask = padded(frames, max(len(each) for each in drawn))
        return RawTracklets(found, mask, torch.from_numpy(rows.copy()), torch.from_numpy(self._labels[rows]))


def window(length: int, needs: TrackletNeeds, generator: np.random.Generator) -> NDArray[np.int64]:
    """The frames that are drawn of a tracklet: a window that begins anywhere, in the order of time.

    Where the tracklet is too short for the stride, the largest that fits is taken; a tracklet of no more frames than
    are asked for is shown whole.

    Args:
        length: frames of the tracklet, at least 1.
        needs: says how many, and how far apart.
        generator: draws the beginning.
    """
    if length <= needs.frames:
        return np.arange(length)
    stride = 1 if needs.frames == 1 else min(needs.stride, (length - 1) // (needs.frames - 1))
    start = int(generator.integers(length - (needs.frames - 1) * stride))
    return start + stride * np.arange(needs.frames)


def _people(labels: NDArray[np.int64], cameras: Sequence[str]) -> list[list[list[int]]]:
    """The tracklets of each person, those of each camera by themselves."""
    found: dict[int, dict[str, list[int]]] = {}
    for row, (label, camera) in enumerate(zip(labels.tolist(), cameras, strict=True)):
        if label >= 0:
            found.setdefault(label, {}).setdefault(camera, []).append(row)
    return [[rows for _, rows in sorted(found[label].items())] for label in sorted(found)]


def _drawn(cameras: Sequence[Sequence[int]], k: int, generator: np.random.Generator) -> Iterator[list[int]]:
    """K tracklets of a person at a time, without end: cameras in turn, no tracklet twice while there are others.

    Args:
        cameras: the tracklets that each saw.
        k: how many.
        generator: shuffles them.
    """
    order = generator.permutation(len(cameras)).tolist()
    queues = [itertools.cycle(generator.permutation(cameras[camera]).tolist()) for camera in order]
    sizes = [len(cameras[camera]) for camera in order]
    camera = 0
    while True:
        found: list[int] = []
        taken = [0] * len(queues)
        while len(found) < k:
            if all(count >= size for count, size in zip(taken, sizes, strict=True)):
                taken = [0] * len(queues)
            if taken[camera] < sizes[camera]:
                found.append(next(queues[camera]))
                taken[camera] += 1
            camera = (camera + 1) % len(queues)
        yield found


def _turns(people: int, apart: int, seed: int, epoch: int) -> Iterator[int]:
    """The order in which people are shown, without end: all in turn, again and again, each time in another order.

    Within one group of ``apart``, counted from the beginning, nobody is twice, if there are as many people.

    Args:
        people: how many.
        apart: people of a batch.
        seed: of the run.
        epoch: which it is.
    """
    held: list[int] = []
    for turn in itertools.count():
        order = torch.randperm(people, generator=generator_at(seed, "people", epoch, turn)).tolist()
        room = (apart - len(held)) if held else 0
        before = [who for who in order if who not in set(held)][:room]
        order = before + [who for who in order if who not in set(before)]
        yield from order
        held = (held + order)[-((len(held) + len(order)) % apart) :] if (len(held) + len(order)) % apart else []
