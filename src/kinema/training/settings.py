"""What a run is made of: optimiser, phase, recipe. Data only; the trainer reads them, the recipes write them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kinema.core.bounds import check_numbers
from kinema.core.clips import Disturbance
from kinema.core.contracts import DataConfig, NetworkConfig
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.core.reading import unwritable

SLANT, SLANT_RATIO = 0.1, 32
"""Where a slanted triangle has its peak, as a share of the training, and how far below its ends lie."""


@dataclass(frozen=True)
class OptimiserConfig:
    """The optimiser and the learning rate over a phase.

    Args:
        name: the optimiser; 'lars' is that of SimCLR, see :mod:`kinema.training.lars`.
        lr: the highest learning rate.
        weight_decay: on every parameter with more than one axis; biases and norms have none.
        momentum: of SGD and of LARS.
        schedule: 'cosine' or 'linear' to zero, 'steps' (times 0.1 at each of ``drops``), 'constant', 'slanted': up
            linearly over the first tenth and down linearly over the rest, from and to a 32nd of ``lr`` (slanted
            triangle, Howard and Ruder 2018, arXiv 1801.06146), or 'restarts': a cosine to zero from each time that the
            method refreshes (XDC's clusterings) to the next (warm restarts, Loshchilov and Hutter 2017, arXiv
            1608.03983). Of a method that never refreshes it is 'cosine'.
        drops: epochs at which 'steps' drops.
        warmup_epochs: epochs over which the rate rises linearly from zero; once, at the beginning.
        clip_norm: a gradient of a larger norm is scaled down to this norm; 0 leaves gradients as they are.
        layer_decay: each stage of the network learns at this times the rate of the stage after it; the classifier or
            the heads, which come last, at ``lr``.
        nesterov: whether SGD's momentum is Nesterov's.
    """

    name: Literal["adam", "adamw", "sgd", "lars"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: Literal["cosine", "linear", "steps", "constant", "slanted", "restarts"] = "cosine"
    drops: tuple[int, ...] = ()
    warmup_epochs: float = 1.0
    clip_norm: float = 0.0
    layer_decay: float = 1.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_numbers(self, "optimiser")
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

    def rate(self, epoch: float, epochs: int, rounds: Sequence[int] = ()) -> float:
        """The learning rate after ``epoch`` epochs (a fraction, too) of a phase of ``epochs``.

        Args:
            epoch: counts the step that the rate is for, so the last step of a round has the round's end.
            epochs: of the phase.
            rounds: the epochs before which the method refreshes, rising, which 'restarts' starts again at.
        """
        if epoch < self.warmup_epochs:
            return self.lr * epoch / self.warmup_epochs
        if self.schedule in ("cosine", "linear", "restarts"):
            begin, end = self._round(epoch, epochs, rounds if self.schedule == "restarts" else ())
            share = min((epoch - begin) / max(end - begin, 1e-9), 1.0)
            return self.lr * (1 - share if self.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * share)))
        if self.schedule == "slanted":
            place = min(epoch / max(epochs, 1e-9), 1.0)
            height = place / SLANT if place < SLANT else (1 - place) / (1 - SLANT)
            return self.lr * (1 + height * (SLANT_RATIO - 1)) / SLANT_RATIO
        if self.schedule == "steps":
            return float(self.lr * 0.1 ** sum(epoch >= drop for drop in self.drops))
        return self.lr

    def _round(self, epoch: float, epochs: int, rounds: Sequence[int]) -> tuple[float, int]:
        """Where the round that an epoch lies in begins and ends; its begin belongs to the round before."""
        begin = max((each for each in rounds if each < epoch), default=0)
        end = min((each for each in rounds if each > begin), default=epochs)
        return max(float(begin), self.warmup_epochs if begin < self.warmup_epochs else 0.0), min(end, epochs)


@dataclass(frozen=True)
class Phase:
    """One training from start to end; a recipe is a sequence of them.

    Args:
        name: names the phase's folder; unique in the recipe.
        method: the settings of the method, which build it.
        epochs: passes over the rows.
        optimiser: the optimiser, a new one for every phase.
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
        if not self.name or self.name in (".", "..") or any(c in self.name for c in "/\\ \0") or unwritable(self.name):
            raise ConfigError(f"A phase is named '{self.name}'; use letters, digits and dashes.")
        if self.epochs < 1:
            raise ConfigError(f"The phase '{self.name}' has {self.epochs} epochs; it needs at least 1.")

    @property
    def needs(self) -> Any:
        """What the method needs of the data, the phase's own disturbances included."""
        return self.method.needs.also(self.disturb) if self.disturb else self.method.needs


@dataclass(frozen=True)
class Recipe:
    """All that decides a run, but for the data themselves.

    Args:
        name: what made it: the method and the preset.
        phases: what is trained, in order.
        data: what a row is and how rows become batches: ``ClipsConfig``, ``DocumentsConfig``, …
        encoder: the network of every view.
        view: the view that the run is for; ``kinema.load`` gives its encoder.
        batch_size: rows a step, over all ranks.
        seed: decides initialisation, order, cuts and augmentations.
        precision: Lightning's name: '32-true', 'bf16-mixed', '16-mixed'; or 'tf32' on a GPU.
        checkpoint_seconds: time between two checkpoints inside an epoch.
        collapse_rank: effective rank of the projections of a batch below which training counts as collapsed.
        weights: a file that encoders start from in place of random values, where no phase has learnt one yet. Encoders
            that the file does not fit, of another view, start at random.
    """

    name: str
    phases: tuple[Phase, ...]
    data: DataConfig
    encoder: NetworkConfig
    view: str = "rgb"
    batch_size: int = 32
    seed: int = 0
    precision: str = "32-true"
    checkpoint_seconds: float = 60.0
    collapse_rank: float = 1.2
    weights: str = ""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not self.phases:
            raise ConfigError(f"The recipe '{self.name}' has no phase.")
        names = [phase.name for phase in self.phases]
        if len(set(names)) != len(names):
            raise ConfigError(f"The recipe '{self.name}' has two phases of one name: {', '.join(names)}.")
        if self.batch_size < 2:
            raise ConfigError(f"batch_size is {self.batch_size}; a batch needs at least 2 rows to learn from.")
        if self.checkpoint_seconds < 0:
            raise ConfigError(f"checkpoint_seconds is {self.checkpoint_seconds}; it must not be negative.")
        for phase in self.phases:
            self.data.check(phase.needs)
        self.encoder.check(self.data, [phase.needs for phase in self.phases])
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
    def needs(self) -> list[Any]:
        """What each phase needs of the data."""
        return [phase.needs for phase in self.phases]

    @property
    def trains(self) -> tuple[str, ...]:
        """Every view whose tower a phase learns, in the order of the phases."""
        return tuple(dict.fromkeys(view for phase in self.phases for view in phase.method.trains))

    def number(self, phase: Phase) -> int:
        """The phase's place, from 1."""
        return self.phases.index(phase) + 1


def _queues(method: MethodConfig) -> list[int]:
    """The sizes of the queues of a method, or of those that are joined in it."""
    return [part.queue for part in getattr(method, "parts", (method,)) if hasattr(part, "queue")]
