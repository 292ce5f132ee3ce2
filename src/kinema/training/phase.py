"""A phase of a run: its optimiser, and the objects that the trainer gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from kinema.core.contracts import DataModule
from kinema.core.errors import KinemaError
from kinema.core.method import Method
from kinema.training.checkpoints import Progress
from kinema.training.fast import Fast, fused, keep_kernels
from kinema.training.lars import LARS
from kinema.training.settings import OptimiserConfig
from kinema.training.team import Team


class InterruptedRunError(KinemaError):
    """The user stopped the run; its state is on disk."""

    kind = "interrupted"
    resumable = True


class Meter(Protocol):
    """Something measured over the mined entries of an epoch."""

    def update(self, index: Tensor, mined: Tensor) -> None:
        """Takes what one step mined: int64 [B] queries and int64 [B, k] rows."""
        ...

    def figures(self) -> Mapping[str, Any]:
        """The epoch's figures by name; empty where nothing was mined."""
        ...

    def reset(self) -> None:
        """Begins a new epoch."""
        ...

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state` returned."""
        ...


class Display(Protocol):
    """Shows the progress of a training."""

    def update(self, progress: Progress, batches: int, loss: float | None) -> None:
        """A step is done; the mean loss of the last steps that were read, None before there is one."""
        ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is done; its figures."""
        ...


@dataclass(frozen=True)
class PhaseRuntime:
    """What a phase gets from the trainer.

    Args:
        folder: where metrics and checkpoints go.
        identity: what a checkpoint must agree with.
        data: the phase's data: loaders of raw batches, and batches on the device.
        meter: measures what was mined; None where there are no labels.
        display: shows progress.
        stop: returns whether the user wants to stop.
        after_epoch: further figures of the epoch that has just ended, given its number; None for none. Files that it
            writes may be written twice: a run that was killed right after it repeats the epoch's last step.
        team: the processes that train together.
        fast: what is compiled or computed again.
    """

    folder: Path
    identity: dict[str, Any]
    data: DataModule
    meter: Meter | None
    display: Display
    stop: Callable[[], bool]
    after_epoch: Callable[[Method[Any], int], Mapping[str, float]] | None = None
    team: Team = field(default_factory=Team)
    fast: Fast = field(default_factory=Fast)


def make_optimiser(method: Method[Any], config: OptimiserConfig) -> torch.optim.Optimizer:
    """The optimiser over all that is learnt: biases and norms are not decayed, stages have their share of the rate.

    LARS leaves the rate of biases and norms as it is, too.
    """
    groups = []
    for group, share in method.groups(config.layer_decay):
        learnt = [p for p in group if p.requires_grad]
        for decay, parameters in (
            (config.weight_decay, [p for p in learnt if p.ndim > 1]),
            (0.0, [p for p in learnt if p.ndim <= 1]),
        ):
            groups.append({"params": parameters, "weight_decay": decay, "share": share})
    if config.name == "lars":
        adapted = [{**group, "adapt": number % 2 == 0} for number, group in enumerate(groups)]
        return LARS(adapted, lr=config.lr, momentum=config.momentum)
    quick: Any = fused(method, clipped=config.clip_norm > 0)
    if config.name == "sgd":
        made: torch.optim.Optimizer = torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, **quick
        )
    else:
        made = (torch.optim.Adam if config.name == "adam" else torch.optim.AdamW)(groups, lr=config.lr, **quick)
    keep_kernels(made)
    return made
