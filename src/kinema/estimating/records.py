"""Records of an estimate of a pretraining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinema.core.cost import CacheEstimate
from kinema.recipes.choice import Choice
from kinema.training.trial import PEAK, SAVED, Trial


@dataclass(frozen=True)
class PhaseEstimate:
    """One phase.

    Args:
        name: the phase's.
        method: the method's name.
        trains: the views whose towers are learnt.
        parameters: of all its networks, frozen ones and momentum copies among them.
        trained: how many of these are learnt.
        epochs: of the phase.
        steps_per_epoch: batches of an epoch.
        trial: the measurements of its trial.
        read_seconds: reading one batch, from where the run will read.
        waits: whether the run reads in the training process, and a step waits for its clips.
        readers: processes that read beside the training; 1 where there are none.
        same_as: the earlier phase of equal settings whose trial is used for this one; empty where this one was tried.
        random: views whose tower comes from an earlier phase, and was a random one here.
        filled: random unit vectors that its memories were filled with.
        refreshes: epochs before which the method takes the features of all videos.
    """

    name: str
    method: str
    trains: tuple[str, ...]
    parameters: int
    trained: int
    epochs: int
    steps_per_epoch: int
    trial: Trial
    read_seconds: float
    waits: bool
    readers: int = 1
    same_as: str = ""
    random: tuple[str, ...] = ()
    filled: int = 0
    refreshes: int = 0

    @property
    def steps(self) -> int:
        """Batches of the whole phase."""
        return self.epochs * self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """The whole phase, every step counted as one that learns."""
        step = self.trial.seconds
        if self.waits:
            return self.steps * (step + self.read_seconds)
        return self.steps * max(step, self.read_seconds / self.readers)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "method": self.method,
            "trains": list(self.trains),
            "parameters": self.parameters,
            "trained_parameters": self.trained,
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "steps": self.steps,
            "memory": self.trial.memory.plain(),
            "step_seconds": self.trial.seconds,
            "read_seconds": self.read_seconds,
            "seconds": self.seconds,
            "learnt": self.trial.learnt,
            "tried_as": self.same_as or self.name,
            "random_start": list(self.random),
            "filled": self.filled,
            "refreshes": self.refreshes,
        }


@dataclass(frozen=True)
class Estimate:
    """A pretraining.

    Args:
        method: the name of the method or recipe.
        data: the name of the data.
        videos: how many rows can be read.
        batch_size: clips a step.
        precision: Lightning's name.
        phases: in order.
        cache: what is decoded or tokenised once.
        rows: what the rows are.
        choice: why this method, where 'auto' took it.
        limited: a sentence on the number of threads where it was limited (:func:`kinema.core.threads.limit_message`).
    """

    method: str
    data: str
    videos: int
    batch_size: int
    precision: str
    phases: tuple[PhaseEstimate, ...]
    cache: CacheEstimate
    rows: str = "videos"
    choice: Choice | None = None
    limited: str = ""

    @property
    def device(self) -> str:
        """Where the steps were made."""
        return self.phases[0].trial.device

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def seconds(self) -> float:
        """Decoding, and all phases."""
        return self.cache.seconds + sum(phase.seconds for phase in self.phases)

    @property
    def measured_by(self) -> str:
        """How activations were measured."""
        return PEAK if self.device.startswith("cuda") else SAVED

    def notes(self) -> list[str]:
        """Notes that a reader needs to interpret the figures."""
        lines = [] if self.choice is None else [self.choice.words]
        lines.append(f"Activations: {self.measured_by}.")
        lines.append(
            "Time: the second of two steps times their number, and reading; every step is taken for one that learns. "
            "Checkpoints and what is measured between epochs come on top."
        )
        lines += [*self.cache.notes, *([self.limited] if self.limited else [])]
        for phase in self.phases:
            if phase.random and not phase.same_as:
                views = " and ".join(phase.random)
                lines.append(f"{phase.name}: an earlier phase's tower for {views} was a random one here.")
            if phase.filled and not phase.same_as:
                lines.append(f"{phase.name}: its memory was filled with {phase.filled} random unit vectors a view.")
            if phase.refreshes and not phase.same_as:
                lines.append(
                    f"{phase.name}: before {phase.refreshes} of its epochs all videos are encoded and the method looks "
                    "at them (XDC clusters them), which is not in the time."
                )
            if phase.same_as:
                lines.append(f"{phase.name}: has the settings of {phase.same_as}, whose figures stand for it.")
            if not phase.trial.learnt:
                lines.append(f"{phase.name}: the steps only filled a memory; one that learns takes longer.")
        return lines

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values; bytes and seconds."""
        return {
            "method": self.method,
            "data": self.data,
            "videos": self.videos,
            "batch_size": self.batch_size,
            "precision": self.precision,
            "device": self.device,
            "steps": self.steps,
            "seconds": self.seconds,
            "memory": max(phase.trial.memory.total for phase in self.phases),
            "activations_measured_by": self.measured_by,
            "cache": self.cache.plain(),
            "phases": [phase.plain() for phase in self.phases],
            "notes": self.notes(),
            **({} if self.choice is None else {"choice": self.choice.plain()}),
        }
