"""The clips of one phase: which are drawn, how they are read, and what a method sees of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinema.core.clips import ClipBatch, ClipNeeds, RawClips
from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError
from kinema.core.ops import own_rank, world_size
from kinema.data.clips.cost import costs_of, decoding_seconds, read_batch
from kinema.data.clips.dataset import ClipDataset
from kinema.data.clips.loading import ClipLoader
from kinema.data.clips.reader import Model
from kinema.data.clips.sampler import ClipSampler
from kinema.data.clips.store import ClipStore
from kinema.data.clips.store_files import store_key
from kinema.data.clips.transforms import ViewTransform, apart_in, check_variants

if TYPE_CHECKING:
    from kinema.data.clips.config import ClipsConfig


def transform_of(needs: ClipNeeds, config: ClipsConfig) -> ViewTransform:
    """From raw clips to what a method sees in training, under its disturbances and those of the settings.

    Raises:
        ConfigError: a disturbance acts on a variant that the method does not take, or makes negatives for a method that
            compares with none.
    """
    disturb = needs.also(config.transform.disturb).disturbances
    making = [type(each).__name__ for each in disturb if each.negative]
    if making and not needs.negatives:
        raise ConfigError(
            f"{making[0]} makes a negative of each clip, and the method compares with no negatives.",
            "Leave it out, or choose a contrastive method: moco, simclr, cpr, be or dsm.",
        )
    check_variants(disturb, needs.variants)
    transform = replace(config.transform, disturb=disturb)
    return ViewTransform(config.clip, needs.views, transform, needs.companions, config.sound)


class LoadedClips:
    """The clips of a manifest, ready to be read.

    Args:
        config: how they are drawn and augmented.
        store: reads them.
    """

    def __init__(self, config: ClipsConfig, store: ClipStore) -> None:
        self.config, self.store = config, store

    @property
    def readable(self) -> int:
        """How many videos can be read and are long enough."""
        return len(self.store.frames)

    def module(self, needs: ClipNeeds, *, batch_size: int, seed: int, ledger: Path | None = None) -> ClipModule:
        """The clips of a phase.

        Args:
            needs: what its method needs.
            batch_size: clips a batch on each rank.
            seed: of order and windows.
            ledger: where broken videos are listed; None for nowhere.
        """
        return ClipModule(self, needs, batch_size, seed, ledger)

    @property
    def rows(self) -> list[int]:
        """The rows that can be read and are long enough."""
        return sorted(self.store.frames)

    def cost(self, cache: Path) -> CacheEstimate:
        """What decoding the videos once into ``cache`` takes.

        Args:
            cache: the folder of all caches; nothing is written.
        """
        store = self.store
        key = store_key(store.manifest, self.rows, self.config.clip.short_side, store.motion, store.sound)
        limit = int(self.config.cache_gib * 2**30)
        there = (cache / key / "index.json").is_file()
        seconds = 0.0 if there or store.bytes > limit else decoding_seconds(store)
        return CacheEstimate(cache / key, store.bytes, limit, there, seconds, costs_of(store))

    def save(self, folder: Path) -> None:
        """Nothing: a recipe says all that clips are read with."""


class ClipModule:
    """The clips of one phase; a ``kinema.core.contracts.DataModule``."""

    def __init__(
        self, loaded: LoadedClips, needs: ClipNeeds, batch_size: int, seed: int, ledger: Path | None = None
    ) -> None:
        config, store = loaded.config, loaded.store
        self.config, self.store, self.needs = config, store, needs
        self.transform = transform_of(needs, config)
        self.sampler = ClipSampler(
            store.frames,
            config.clip,
            batch_size=batch_size,
            seed=seed,
            variants=needs.variants,
            temporal=config.temporal,
            clips_per_video=config.clips_per_video,
            elsewhere=self.transform.elsewhere,
            apart=apart_in(self.transform.config.disturb, config.clip),
            companions=needs.companions,
            keyframes={row: store.manifest.videos[row].keyframes for row in store.frames},
            rank=own_rank(),
            world=world_size(),
        )
        self.dataset = ClipDataset(
            store,
            failures_allowed=config.failure_budget,
            ledger=ledger,
            motion="motion" in self.transform.reads,
            sound=self.transform.needs_sound,
        )
        self._reads = ClipLoader(self.dataset, config.workers)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return self.sampler.batches_per_epoch

    def loader(self, epoch: int, first: int) -> Iterable[RawClips]:
        """The clips of an epoch from batch ``first`` on, read by as many processes as the settings say."""
        return self._reads.batches(list(self.sampler.batches(epoch, first)))

    @property
    def workers(self) -> int:
        """Processes that read beside the training."""
        return self.config.workers

    def sample(self) -> tuple[RawClips, float]:
        """The first batch, and the seconds that reading one takes from where the run will read.

        Raises:
            DataError: too many videos cannot be read.
        """
        raw, files, decoded = read_batch(self.dataset, next(iter(self.sampler.batches(0))))
        cached = self.store.bytes <= int(self.config.cache_gib * 2**30)
        return raw, decoded if cached else files

    def batch(self, raw: RawClips, generator: torch.Generator, *, labels: bool) -> ClipBatch:
        """Augmented views of raw clips, on their device."""
        return self.transform.train(raw, generator, labels=labels)

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """Features of all videos by view, in manifest order, NaN for those left out."""
        learnt = [p for p in method.parameters() if p.requires_grad]
        found = {}
        for view in method.trains:
            model = Model(method.towers()[view], view, self.config.clip, name="training", sound=self.config.sound)
            encoded = model.features(self.store, failures_allowed=self.config.failure_budget).encoded
            found[view] = encoded.new_full((len(self.store.manifest), model.dim), float("nan"))
            found[view][sorted(self.store.frames)] = encoded
        for parameter in learnt:
            parameter.requires_grad_(True)
        return found
