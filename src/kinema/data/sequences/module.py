"""The batches of sequences of one phase: which videos, and which of their frames.

An epoch shows every video of the activity ``repeats`` times. All batches are of one size: the last one is topped up
from the beginning of the epoch's order. The frames that are drawn depend on the seed, the epoch and the video's place
in it alone, so that a run goes on at any batch as if it had never stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.ops import rank_slice, world_size
from kinema.core.seeds import generator_at, seed_at
from kinema.core.sequences import SequenceBatch, SequenceNeeds

if TYPE_CHECKING:
    from kinema.data.sequences.config import LoadedSequences

log = logging.getLogger(__name__)

MOST_FRAMES = 100_000
"""Frames of all videos together whose features are given to a method that refreshes."""


class SequenceModule:
    """Batches of frames.

    Args:
        loaded: the sequences.
        needs: what the method needs of each.
        batch_size: sequences of a batch on each rank.
        seed: of the run.
        repeats: how often an epoch shows each video.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(
        self, loaded: LoadedSequences, needs: SequenceNeeds, *, batch_size: int, seed: int, repeats: int = 1
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
        self.batch_size, self._seed, self._repeats = batch_size, seed, repeats
        self._loaded, self._needs = loaded, needs
        rows = loaded.table.rows
        self._rows = np.array([n for n, row in enumerate(rows) if needs.activity in ("", row.activity)], np.int64)
        assert len(self._rows), "usable() leaves a video of every activity"
        if len(self._rows) == 1:
            log.warning(
                "There is one video%s, '%s': steps are learnt from it alone, and what is true of this "
                "video only cannot be told from what is true of the step.",
                f" of '{needs.activity}'" if needs.activity else "",
                rows[self._rows[0]].name,
            )

    @property
    def batches(self) -> int:
        """Batches of every epoch, on every rank."""
        return math.ceil(len(self._rows) * self._repeats / (self.batch_size * world_size()))

    def loader(self, epoch: int, first: int = 0) -> Iterable[SequenceBatch]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        shown = len(self._rows) * self._repeats
        whole, part = self.batch_size * world_size(), rank_slice(self.batch_size)
        order = torch.randperm(shown, generator=generator_at(self._seed, "sequences", epoch)).numpy()
        for batch in range(first, self.batches):
            slots = np.arange(batch * whole, (batch + 1) * whole)
            rows = self._rows[order[slots % shown] % len(self._rows)]
            yield self._raw(epoch, list(zip(slots.tolist(), rows.tolist(), strict=True)), part)

    @property
    def workers(self) -> int:
        """None read beside the training: frames are taken from arrays."""
        return 0

    def sample(self) -> tuple[SequenceBatch, float]:
        """The first batch, and the seconds that drawing one takes."""
        began = time.perf_counter()
        raw = next(iter(self.loader(0)))
        return raw, time.perf_counter() - began

    def batch(self, raw: SequenceBatch, generator: torch.Generator, *, labels: bool = False) -> SequenceBatch:  # noqa: ARG002
        """The batch as it was drawn: nothing is done to features, and there are no labels."""
        return raw

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """What each tower makes of frames that are drawn evenly of every video: by name, float32 [S, d].

        As many as the needs say of each video, at most :data:`MOST_FRAMES` of all.
        """
        each = max(1, min(self._needs.frames, MOST_FRAMES // len(self._rows)))
        towers: Mapping[str, Any] = method.towers()
        return {name: self._encoded(tower, each) for name, tower in towers.items()}

    def _encoded(self, tower: Any, each: int) -> Tensor:
        device = next(tower.parameters()).device
        found = []
        training = tower.training
        tower.eval()
        try:
            with torch.no_grad():
                for row in self._rows:
                    frames = self._loaded.frames[row]
                    places = np.unique(np.linspace(0, len(frames) - 1, each).astype(np.int64))
                    found.append(tower.encode(torch.from_numpy(frames.at(places)).to(device)).float().cpu())
        finally:
            tower.train(training)
        return torch.cat(found)

    def _raw(self, epoch: int, slots: Sequence[tuple[int, int]], part: slice) -> SequenceBatch:
        """A part of a batch, whose frames are drawn for all ranks, for one length of theirs."""
        chosen = []
        for slot, row in slots:
            generator = np.random.Generator(np.random.PCG64(seed_at(self._seed, "frames", epoch, slot)))
            chosen.append((row, drawn_frames(len(self._loaded.frames[row]), self._needs, generator)))
        longest = max(len(places) for _, places in chosen)
        drawn = []
        for row, places in chosen[part]:
            frames = self._loaded.frames[row]
            drawn.append((row, frames.at(places), (places + 0.5) / len(frames)))
        width = drawn[0][1].shape[1]
        features = torch.zeros(len(drawn), longest, width)
        mask = torch.zeros(len(drawn), longest, dtype=torch.bool)
        place = torch.ones(len(drawn), longest)
        for number, (_, x, where) in enumerate(drawn):
            features[number, : len(x)] = torch.from_numpy(x)
            mask[number, : len(x)] = True
            place[number, : len(x)] = torch.from_numpy(where)
        return SequenceBatch(features, mask, place, torch.tensor([row for row, _, _ in drawn]))


def drawn_frames(frames: int, needs: SequenceNeeds, generator: np.random.Generator) -> NDArray[np.int64]:
    """The numbers of the frames that are drawn of a sequence, in the order of time.

    With bins: half of them lie anywhere in equal bins, and each brings another at most ``window`` frames away (TOT,
    sect. 4.1). Bins shorter than a frame draw it several times, so that a sequence of one frame works. Without: one in
    each of equal stretches, or all frames where there are no more than are asked for (ASOT).

    Args:
        frames: T, at least 1.
        needs: says how.
        generator: draws them.
    """
    if not needs.bins:
        if frames <= needs.frames:
            return np.arange(frames)
        edges = np.arange(needs.frames) * (frames / needs.frames)
        drawn = edges + generator.random(needs.frames) * (frames / needs.frames)
        return np.minimum(drawn.astype(np.int64), frames - 1)
    each = needs.frames // 2 // needs.bins
    starts = np.repeat(np.arange(needs.bins) * (frames / needs.bins), each)
    anchors = np.minimum((starts + generator.random(len(starts)) * (frames / needs.bins)).astype(np.int64), frames - 1)
    beside = anchors + generator.integers(-needs.window, needs.window, len(anchors), endpoint=True)
    return np.sort(np.clip(np.concatenate([anchors, beside]), 0, frames - 1))
