"""Methods beside one another: one network, and a loss that is the sum of theirs.

BE's regulariser on any base, or a pretext task beside supervised learning: the first method leads, and the others learn
the network that it learns (``Method.adopt``). Each is what its own file says; here is only how they share.

Legend: L the loss, w_i the weight of method i: L = L_0 + Σ_i w_i L_i.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, MethodConfig, Refreshed, TrainingContext
from kinema.networks import EncoderConfig


@dataclass(frozen=True)
class JoinedConfig:
    """Settings of methods beside one another.

    Args:
        method: the first: its view, towers and mining are the whole's.
        beside: the others; each must learn a view that the first learns, with the same head.
        weights: of the others' losses; empty for 1 each.
    """

    method: MethodConfig
    beside: tuple[MethodConfig, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.beside:
            raise ConfigError("No method stands beside the first.", "Train the method itself, or name another.")
        if any(isinstance(part, JoinedConfig) for part in self.parts):
            raise ConfigError("Joined methods cannot be joined again.", "Name all that stand beside the first at once.")
        others = [part for part in self.parts if not isinstance(part.needs, ClipNeeds)]
        if others:
            raise ConfigError(
                f"Losses are added on clips alone, and {type(others[0]).__name__} needs "
                f"{type(others[0].needs).__name__}.",
                "Leave the methods beside it out.",
            )
        if self.weights and len(self.weights) != len(self.beside):
            raise ConfigError(
                f"There are {len(self.weights)} weights for {len(self.beside)} methods beside the first.",
                "Give one for each, or none for 1 each.",
            )
        if any(not weight > 0 for weight in self.weights):
            raise ConfigError(f"The weights of joined methods are {list(self.weights)}; each must be above 0.")

    @property
    def parts(self) -> tuple[MethodConfig, ...]:
        """All of them, the first first."""
        return (self.method, *self.beside)

    @property
    def view(self) -> str:
        """The first's."""
        return self.method.view

    @property
    def needs(self) -> ClipNeeds:
        """What all of them need of one batch."""
        return ClipNeeds.united([part.needs for part in self.parts])

    @property
    def trains(self) -> tuple[str, ...]:
        """The first's."""
        return self.method.trains

    @property
    def warm_up_clips(self) -> int:
        """How many clips must have passed before all can learn."""
        return max(getattr(part, "warm_up_clips", 0) for part in self.parts)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> Joined:
        """The methods, freshly initialised, on the first one's towers.

        Raises:
            ConfigError: a method has no view with the first in common, or another head.
        """
        return Joined(self, [part.build(encoder, context) for part in self.parts])


class Joined(Method[ClipBatch]):
    """Several methods on one network: needs what all parts need, gives each part its own, and adds up their losses."""

    config: JoinedConfig

    def __init__(self, config: JoinedConfig, parts: Sequence[Method[Any]]) -> None:
        super().__init__(config)
        first = parts[0]
        for part in parts[1:]:
            part.adopt({view: first.towers()[view] for view in first.trains})
        self._modules["parts"] = nn.ModuleList(parts)  # what checkpoints call them; `parts` itself is a verb
        self.names = _distinct([type(part).__name__ for part in parts])
        self.guide = getattr(first, "guide", None)

    @property
    def methods(self) -> tuple[Method[Any], ...]:
        """All of them, the first first."""
        return tuple(self._modules["parts"])  # type: ignore[arg-type]

    def _named(self) -> list[tuple[str, Method[Any]]]:
        return list(zip(self.names, self.methods, strict=True))

    def towers(self) -> Mapping[str, nn.Module]:
        """The first method's."""
        return self._named()[0][1].towers()

    def started(self) -> None:
        """Momentum towers start where the shared ones do."""
        for _, part in self._named():
            part.started()

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """L_0 + Σ w_i L_i; not ready before every part is. Labels go to those only who read them."""
        losses = {}
        for name, part in self._named():
            losses[name] = part.loss(batch if part.needs.labels else replace(batch, label=None), generator)
        first = losses[self.names[0]]
        weights = (1.0, *(self.config.weights or (1.0,) * len(self.config.beside)))
        total = torch.stack([weight * each.total for weight, each in zip(weights, losses.values(), strict=True)]).sum()
        return Losses(
            total,
            terms=_prefixed({name: each.terms for name, each in losses.items()}),
            pending=_prefixed({name: each.pending for name, each in losses.items()}),
            embeddings=first.embeddings,
            mined=first.mined,
            ready=all(each.ready for each in losses.values()),
        )

    def commit(self, losses: Losses) -> None:
        """Commits each part's own pending values."""
        for name, part in self._named():
            own = {key[len(name) + 1 :]: value for key, value in losses.pending.items() if key.startswith(f"{name}.")}
            part.commit(replace(losses, pending=own))

    def refreshes(self, epoch: int = 0) -> bool:
        """Whether a part does."""
        return any(part.refreshes(epoch) for _, part in self._named())

    def refresh(self, features: Mapping[str, Tensor]) -> Refreshed:
        """Refreshes every part with them; figures have the part's name as prefix."""
        refreshed = {name: part.refresh(features) or Refreshed() for name, part in self._named()}
        figures = {f"{name}.{key}": value for name, each in refreshed.items() for key, value in each.figures.items()}
        return Refreshed(figures, tuple(p for each in refreshed.values() for p in each.renewed))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with a number behind those that are there twice."""
    counts = Counter(names)
    return tuple(f"{name}{number}" if counts[name] > 1 else name for number, name in enumerate(names))


def _prefixed(groups: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for name, values in groups.items() for key, value in values.items()}
