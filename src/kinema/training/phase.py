"""What a phase of a run is made of and needs: its transform, its optimiser, and what it is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from kinema.core.clips import RawClips
from kinema.core.errors import ConfigError, KinemaError
from kinema.core.method import Method
from kinema.data.clips.transforms import ViewTransform, check_variants
from kinema.training.checkpoints import Progress
from kinema.training.settings import OptimiserConfig, Phase, Recipe


class InterruptedRunError(KinemaError):
    """The user stopped the run; its state is on disk."""

    kind = "interrupted"


class Meter(Protocol):
    """Something measured over the mined entries of an epoch."""

    def update(self, index: Tensor, mined: Tensor) -> None:
        """Takes what one step mined: int64 [B] queries and int64 [B, k] manifest rows."""
        ...

    def figures(self) -> Mapping[str, Any]:
        """The epoch's figures by name; empty where nothing was mined."""
        ...

    def reset(self) -> None:
        """Begins a new epoch."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state` gave."""
        ...


class Display(Protocol):
    """Where a person sees the training go on."""

    def update(self, progress: Progress, batches: int, loss: float) -> None:
        """A step is done."""
        ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is done; its figures."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a phase needs from outside.

    Args:
        folder: where metrics and checkpoints go.
        identity: what a checkpoint must agree with.
        loader: the clips of an epoch from a batch on.
        batches: batches of an epoch.
        features: the features of all videos, in manifest order; asked for only by methods that refresh.
        meter: measures what was mined; None where there are no labels.
        display: where a person sees it.
        stop: says whether the user asked to stop.
        after_epoch: further figures of the epoch that has just ended, given its number; None for none. What it keeps
            on disk must bear to be written again: a run that was killed right after it repeats the epoch's last step.
    """

    folder: Path
    identity: dict[str, Any]
    loader: Callable[[int, int], Iterable[RawClips]]
    batches: int
    features: Callable[[Method], Mapping[str, Tensor]]
    meter: Meter | None
    display: Display
    stop: Callable[[], bool]
    after_epoch: Callable[[Method, int], Mapping[str, float]] | None = None


def transform_of(method: Method, recipe: Recipe, phase: Phase) -> ViewTransform:
    """From raw clips to what the method sees in training, under its own disturbances, the phase's and the recipe's.

    Raises:
        ConfigError: a disturbance acts on a variant that the method does not take, or makes negatives for a method that
            compares with none.
    """
    disturb = tuple(dict.fromkeys((*method.disturbances, *phase.disturb, *recipe.transform.disturb)))
    making = [type(each).__name__ for each in disturb if each.negative]
    if making and not method.takes_negatives:
        raise ConfigError(
            f"{making[0]} makes a negative of each clip, and {type(method).__name__} compares with no negatives.",
            "Leave it out, or choose a contrastive method: moco, simclr, cpr, be or dsm.",
        )
    check_variants(disturb, method.variants)
    config = replace(recipe.transform, disturb=disturb)
    return ViewTransform(recipe.clip, method.views, config, method.companions, recipe.sound)


def make_optimiser(method: Method, config: OptimiserConfig) -> torch.optim.Optimizer:
    """The optimiser over all that is learnt: biases and norms are not decayed, stages have their share of the rate."""
    stages = [list(method.parameters())] if config.layer_decay == 1 else list(method.stages())
    groups = []
    for depth, stage in enumerate(stages):
        learnt = [p for p in stage if p.requires_grad]
        share = config.layer_decay ** (len(stages) - 1 - depth)
        for decay, parameters in (
            (config.weight_decay, [p for p in learnt if p.ndim > 1]),
            (0.0, [p for p in learnt if p.ndim <= 1]),
        ):
            groups.append({"params": parameters, "weight_decay": decay, "share": share})
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr)
