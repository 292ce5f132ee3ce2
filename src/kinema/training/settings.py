"""What a run is made of: optimiser, phase, recipe. Data only; the trainer reads them, the recipes write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kinema.core.clips import SOUND, ClipSpec, Disturbance, SoundSpec
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.data.clips.transforms import TransformConfig
from kinema.networks import EncoderConfig


@dataclass(frozen=True)
class OptimiserConfig:
    """The optimiser and the learning rate over a phase.

    Args:
        name: the optimiser.
        lr: the highest learning rate.
        weight_decay: on every parameter with more than one axis; biases and norms have none.
        momentum: of SGD.
        schedule: 'cosine' to zero, 'steps' (times 0.1 at each of ``drops``) or 'constant'.
        drops: epochs at which 'steps' drops.
        warmup_epochs: epochs over which the rate rises linearly from zero.
        clip_norm: the gradient's norm is clipped to this; 0 for no clipping.
        layer_decay: each stage of the network learns at this times the rate of the stage after it; the classifier or
            the heads, which come last, at ``lr``.
        nesterov: whether SGD's momentum is Nesterov's.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    drops: tuple[int, ...] = ()
    warmup_epochs: float = 1.0
    clip_norm: float = 0.0
    layer_decay: float = 1.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError(f"optimiser.lr is {self.lr}; it must be above 0.")
        for name in ("weight_decay", "momentum", "warmup_epochs", "clip_norm"):
            if getattr(self, name) < 0:
                raise ConfigError(f"optimiser.{name} is {getattr(self, name)}; it must not be negative.")
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            raise ConfigError(
                f"optimiser.nesterov is set for '{self.name}' with momentum {self.momentum}; it is a form of SGD's "
                "momentum.",
                "Set optimiser.name to sgd and optimiser.momentum above 0, or leave nesterov out.",
            )
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"optimiser.layer_decay is {self.layer_decay}; it must lie above 0 and be at most 1.")

    def rate(self, epoch: float, epochs: int) -> float:
        """The learning rate after ``epoch`` epochs (a fraction, too) of a phase of ``epochs``."""
        if epoch < self.warmup_epochs:
            return self.lr * epoch / self.warmup_epochs
        if self.schedule == "cosine":
            share = (epoch - self.warmup_epochs) / max(epochs - self.warmup_epochs, 1e-9)
            return self.lr * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        if self.schedule == "steps":
            return float(self.lr * 0.1 ** sum(epoch >= drop for drop in self.drops))
        return self.lr


@dataclass(frozen=True)
class Phase:
    """One training from start to end; a recipe is a sequence of them.

    Args:
        name: names the phase's folder; unique in the recipe.
        method: the settings of the method, which build it.
        epochs: passes over the videos.
        optimiser: the optimiser, anew for every phase.
        start: for each view whose tower is not to start at random: the earlier phase that learnt it, or the folder of
            a phase of another run.
        disturb: what is done to variants in this phase, beside what the method and the recipe's transform do.
    """

    name: str
    method: MethodConfig
    epochs: int
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    start: Mapping[str, str] = field(default_factory=dict)
    disturb: tuple[Disturbance, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or any(c in self.name for c in "/\\ "):
            raise ConfigError(f"A phase is named '{self.name}'; use letters, digits and dashes.")
        if self.epochs < 1:
            raise ConfigError(f"The phase '{self.name}' has {self.epochs} epochs; it needs at least 1.")


@dataclass(frozen=True)
class Recipe:
    """All that decides a run, but for the data.

    Args:
        name: what made it: the method and the preset.
        view: the view that the run is for; ``kinema.load`` gives its encoder.
        phases: what is trained, in order.
        clip: what a clip is.
        encoder: the encoder of every view.
        transform: the augmentations.
        batch_size: clips a step, over all ranks.
        clips_per_video: clips a video an epoch.
        temporal: probability that the two variants of a clip are two windows of its video and not one.
        seed: decides initialisation, order, windows and augmentations.
        short_videos: what to do with videos shorter than a clip.
        failure_budget: share of the videos that may fail to decode before the run stops.
        cache_gib: size up to which decoded videos are kept, memory-mapped; larger sets are decoded as they are needed.
        workers: processes that read clips beside the training; 0 reads in the training process.
        precision: Lightning's name: '32-true', 'bf16-mixed', '16-mixed'.
        checkpoint_seconds: time between two checkpoints inside an epoch.
        collapse_rank: effective rank of the projections below which training counts as collapsed.
        weights: a file that encoders start from in place of random values, where no phase has learnt one yet; see
            :mod:`kinema.networks.weights`. Encoders of another number of channels than the file's start at random.
        sound: what is heard of a clip, where a method hears; told in JSON only there.
    """

    name: str
    phases: tuple[Phase, ...]
    view: str = "rgb"
    clip: ClipSpec = field(default_factory=ClipSpec)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    transform: TransformConfig = field(default_factory=TransformConfig)
    batch_size: int = 32
    clips_per_video: int = 1
    temporal: float = 0.5
    seed: int = 0
    short_videos: Literal["error", "skip", "repeat"] = "error"
    failure_budget: float = 0.01
    cache_gib: float = 4.0
    workers: int = 0
    precision: str = "32-true"
    checkpoint_seconds: float = 60.0
    collapse_rank: float = 1.2
    weights: str = ""
    sound: SoundSpec = field(default_factory=SoundSpec)

    def __post_init__(self) -> None:
        if not self.phases:
            raise ConfigError(f"The recipe '{self.name}' has no phase.")
        names = [phase.name for phase in self.phases]
        if len(set(names)) != len(names):
            raise ConfigError(f"The recipe '{self.name}' has two phases of one name: {', '.join(names)}.")
        if self.batch_size < 2:
            raise ConfigError(f"batch_size is {self.batch_size}; contrastive learning needs at least 2.")
        if self.clips_per_video < 1 or self.workers < 0 or self.cache_gib < 0 or self.checkpoint_seconds < 0:
            raise ConfigError(
                f"clips_per_video={self.clips_per_video}, workers={self.workers}, cache_gib={self.cache_gib}, "
                f"checkpoint_seconds={self.checkpoint_seconds}: the first must be at least 1, none negative."
            )
        if not 0 <= self.temporal <= 1 or not 0 <= self.failure_budget <= 1:
            raise ConfigError(
                f"temporal={self.temporal}, failure_budget={self.failure_budget}: both must lie in [0, 1]."
            )
        self.encoder.check_clip(self.clip)
        for phase, queue in ((p, queue) for p in self.phases for queue in _queues(p.method)):
            if queue % self.batch_size:
                below, above = (
                    queue // self.batch_size * self.batch_size,
                    -(-queue // self.batch_size) * self.batch_size,
                )
                raise ConfigError(
                    f"The phase '{phase.name}' has a queue of {queue}, which the batch of {self.batch_size} "
                    "does not divide.",
                    f"Set method.queue to {max(below, self.batch_size)} or {max(above, self.batch_size)}, "
                    "or another batch_size.",
                )

    @property
    def hears(self) -> bool:
        """Whether a phase needs the sound of its clips."""
        return any(SOUND in _views(part) for phase in self.phases for part in _parts(phase.method))

    def number(self, phase: Phase) -> int:
        """The phase's place, from 1."""
        return self.phases.index(phase) + 1


def _parts(method: MethodConfig) -> tuple[MethodConfig, ...]:
    """A method's settings, or those that are joined in it."""
    return tuple(getattr(method, "parts", (method,)))


def _views(method: MethodConfig) -> tuple[str, ...]:
    """The views that a method's settings name: its view, its guide, or several."""
    return (getattr(method, "view", ""), getattr(method, "guide", ""), *getattr(method, "views", ()))


def _queues(method: MethodConfig) -> list[int]:
    """The sizes of the queues of a method, or of those that are joined in it."""
    return [part.queue for part in _parts(method) if hasattr(part, "queue")]
