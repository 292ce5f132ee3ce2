"""The contracts: what an encoder and a method are to the rest of kinema.

A method is a plain ``nn.Module`` that says what its paper says. Four verbs drive it, and no other room knows more of
it than these:

    loss(batch, generator)   pure: twice with one generator state gives one value (BatchNorm statistics aside)
    commit(losses)           after the optimiser's step: moving averages, queues
    refresh(features)        between epochs: pseudo-labels, memory banks
    embed(x)                 what is used afterwards

All state that is not a parameter is a registered, persistent buffer, so that one generic checkpoint resumes any
method exactly. ``tests/conformance`` holds every method to this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from kinema.core.errors import CheckpointError
from kinema.core.records import ClipBatch, Companions, Losses, TrainingContext


@runtime_checkable
class Encoder(Protocol):
    """A network from one view of a clip to a feature.

    ``channels`` is what it takes in, ``dim`` what it gives out. ``feature_map`` is [B, dim, t, h, w] before pooling;
    calling the encoder gives its mean over t, h and w, [B, dim].
    """

    channels: int
    dim: int

    def feature_map(self, x: Tensor) -> Tensor:
        """Features before pooling, [B, dim, t, h, w]."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Features, [B, dim]."""
        ...


class Method(nn.Module):
    """The base of every method: the four verbs, two of them with a default that does nothing.

    A method keeps one tower a view: an encoder and its projection head (``kinema.encoders.Tower``). Subclasses set

    - ``view``: what :meth:`embed` takes,
    - ``views``: all that a batch must hold,
    - ``trains``: the views whose towers are learnt (the others are frozen guides),
    - ``variants``: how many of each clip,
    - ``reads_labels``: False for everything that learns without labels; a batch holds labels only where it is True,
    - ``companions``: what a batch must hold of each clip's video beside the clip; None for nothing.
    """

    view: str = "rgb"
    views: tuple[str, ...] = ("rgb",)
    trains: tuple[str, ...] = ("rgb",)
    variants: int = 2
    reads_labels: bool = False
    companions: Companions | None = None

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - for subclasses
        """The training objective on one batch; changes nothing but BatchNorm statistics."""
        raise TypeError(f"{type(self).__name__} does not define loss(batch, generator).")

    def towers(self) -> Mapping[str, nn.Module]:
        """The towers by view: what a later phase starts from and what a run keeps."""
        raise TypeError(f"{type(self).__name__} does not define towers().")

    def commit(self, losses: Losses) -> None:
        """Takes over what a step leaves behind; called once after the optimiser's step (or the step left out)."""

    def refresh(self, features: Mapping[str, Tensor]) -> None:
        """Takes the features of the whole training set between two epochs."""

    def started(self) -> None:
        """Called once after towers were loaded from an earlier phase, before the first step."""

    def stages(self) -> Sequence[Sequence[nn.Parameter]]:
        """The learnt parameters by depth, from input to output, for rates that fall towards the input.

        By default the encoders of the trained views stage by stage, and everything else as the last stage.
        """
        towers = self.towers()
        depths = [list(towers[view].encoder.stages()) for view in self.trains]  # type: ignore[operator, union-attr]
        known = {id(p) for stages in depths for stage in stages for p in stage}
        merged = [[p for stages in depths for p in stages[depth]] for depth in range(len(depths[0]))]
        return [*merged, [p for p in self.parameters() if id(p) not in known]]

    def embed(self, x: Tensor) -> Tensor:
        """Features of :attr:`view`, float [B, C, T, H, W] to [B, dim], before the head and not normalised."""
        features: Tensor = self.towers()[self.view].encoder(x)  # type: ignore[operator]
        return features

    def start(self, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Loads towers that an earlier phase learnt, strictly.

        Args:
            states: for each view to load, the state of its tower.

        Raises:
            CheckpointError: the method has no tower for a view, or keys or shapes differ; the message names them.
        """
        towers = self.towers()
        for view, state in states.items():
            if view not in towers:
                raise CheckpointError(
                    f"{type(self).__name__} has no tower for the view '{view}'; it has: {', '.join(towers)}.",
                    "Start the phase only from towers of the views that it uses.",
                )
            load_strictly(towers[view], state, f"the tower for the view '{view}'")
        self.started()


@runtime_checkable
class MethodConfig(Protocol):
    """The settings of a method, which know how to build it.

    Settings of a method that must fill a memory before a step can learn have a property ``warm_up_clips`` too: how many
    clips that takes.
    """

    def build(self, encoder: Any, context: TrainingContext) -> Method:
        """The method, freshly initialised.

        Args:
            encoder: the ``EncoderConfig`` of its towers.
            context: what it must know of the data before it sees any.
        """
        ...


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Loads a state only if every key and every shape fits.

    Raises:
        CheckpointError: names what is missing, unexpected or of another shape.
    """
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)} and should be {tuple(own[key].shape)}"
        for key in own
        if key in state and own[key].shape != state[key].shape
    ]
    problems = [
        f"{title}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
        for title, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise CheckpointError(
            f"The checkpoint does not fit {what}: {'; '.join(problems)}.",
            "It was made by another method, encoder or setting: load it with the recipe that made it.",
        )
    module.load_state_dict(dict(state), strict=True)
