"""The contract of a method: what it is to the rest of kinema.

A method is a plain ``nn.Module`` that says what its paper says. Four verbs drive it, and no other room knows more of
it than these:

    loss(batch, generator)   pure: twice with one generator state gives one value (BatchNorm statistics aside)
    commit(losses)           after the optimiser's step: moving averages, queues
    refresh(features)        before the first epoch and between epochs: pseudo-labels
    embed(x)                 what is used afterwards

All state that is not a parameter is a registered, persistent buffer, so that one generic checkpoint resumes any
method exactly. ``tests/conformance`` holds every method to this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from kinema.core.batch import B
from kinema.core.errors import CheckpointError, ConfigError, ShapeError


@dataclass(frozen=True)
class TrainingContext:
    """What a method may know of the data before it sees any.

    Args:
        rows: rows of the table; the index of a batch lies below it.
        classes: distinct labels, 0 where there are none; read only by methods that learn from labels.
    """

    rows: int
    classes: int = 0


@dataclass(frozen=True)
class Losses:
    """What ``Method.loss`` returns.

    Args:
        total: the scalar to be minimised.
        terms: named scalars worth a curve, detached.
        pending: what ``commit`` will push into the method's state (keys, ids); detached.
        embeddings: float [B, d], the batch as the trained network projects it, detached; collapse is judged by it.
        mined: int64 [B, k] or None, the rows that were mined for each clip, best first, -1 for none.
        ready: False while the method's memory is still filling; no optimiser step is made then.
    """

    total: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    pending: Mapping[str, Tensor] = field(default_factory=dict)
    embeddings: Tensor | None = None
    mined: Tensor | None = None
    ready: bool = True

    def __post_init__(self) -> None:
        if self.total.dim() != 0:
            raise ShapeError(f"Losses.total is {tuple(self.total.shape)}; expected one scalar.")


@dataclass(frozen=True)
class Refreshed:
    """What a method did between two epochs.

    Args:
        figures: measurements by name, for the curves.
        renewed: parameters that were initialised again, whose optimiser state is dropped.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    renewed: tuple[nn.Parameter, ...] = ()


class Method(nn.Module, Generic[B]):
    """The base of every method: its verbs, some of them with a default that does nothing.

    A method is generic in the batch that it sees. It keeps a tower for each view: an encoder and its head. What it
    needs of its data is written on its settings (``config.needs``), and so is what it learns (``config.trains``).

    Args:
        config: the settings that built it.
    """

    config: Any
    needs: Any
    view: str
    trains: tuple[str, ...]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.needs = config.needs
        self.view, self.trains = config.view, config.trains

    def loss(self, batch: B, generator: torch.Generator) -> Losses:  # noqa: ARG002 - for subclasses
        """The training objective on one batch; changes nothing but BatchNorm statistics."""
        raise TypeError(f"{type(self).__name__} does not define loss(batch, generator).")

    def towers(self) -> Mapping[str, nn.Module]:
        """The towers by view: what a later phase starts from and what a run keeps."""
        raise TypeError(f"{type(self).__name__} does not define towers().")

    def commit(self, losses: Losses) -> None:
        """Updates the state from a step's losses; called once after the optimiser's step (or the step left out)."""

    def refresh(self, features: Mapping[str, Tensor]) -> Refreshed | None:
        """Takes the features of the whole training set, before the first epoch and between any two.

        Args:
            features: by view, float [rows, dim] in the order of the table; NaN for rows that cannot be read.
        """

    def refreshes(self, epoch: int = 0) -> bool:  # noqa: ARG002 - for subclasses
        """Whether :meth:`refresh` wants those features after so many epochs; by default where a method defines it."""
        return type(self).refresh is not Method.refresh

    def started(self) -> None:
        """Called once after towers were loaded from an earlier phase, before the first step."""

    def parts(self) -> Mapping[str, nn.Module]:
        """The modules that a run keeps, by the name of their file: by default the towers that are learnt."""
        towers = self.towers()
        return {f"tower-{view}": towers[view] for view in self.trains}

    def groups(self, decay: float = 1.0) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """The learnt parameters in groups, each with its share of the learning rate.

        By default one group; below 1, ``decay`` divides the encoders into stages: each learns at ``decay`` times the
        rate of the stage after it, and what belongs to no stage at the whole rate.
        """
        if decay == 1:
            return [(list(self.parameters()), 1.0)]
        stages = self.stages()
        return [(stage, decay ** (len(stages) - 1 - depth)) for depth, stage in enumerate(stages)]

    def stages(self) -> Sequence[Sequence[nn.Parameter]]:
        """The learnt parameters by depth, from input to output.

        By default the encoders of the trained views stage by stage, and everything else as the last stage.
        """
        towers = self.towers()
        depths = [list(towers[view].encoder.stages()) for view in self.trains]  # type: ignore[operator, union-attr]
        known = {id(p) for stages in depths for stage in stages for p in stage}
        deepest = max(len(stages) for stages in depths)
        depths = [[()] * (deepest - len(stages)) + stages for stages in depths]  # networks end at one depth
        merged = [[p for stages in depths for p in stages[depth]] for depth in range(deepest)]
        return [*merged, [p for p in self.parameters() if id(p) not in known]]

    def embed(self, x: Tensor) -> Tensor:
        """Features of :attr:`view`, float [B, C, T, H, W] to [B, dim], before the head and not normalised.

        The view 'sound' is [B, 1, bands, times].
        """
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

    def adopt(self, towers: Mapping[str, nn.Module]) -> None:
        """Learns another method's towers in place of its own, so that both train one network.

        Every attribute that is this method's own tower of a view it learns is set to the given one; what follows a
        tower, such as its moving average, starts again in :meth:`started`.

        Args:
            towers: by view; those of views that this method does not learn are passed over.

        Raises:
            ConfigError: no view in common, or towers of another shape.
        """
        own = {view: tower for view, tower in self.towers().items() if view in self.trains and view in towers}
        if not own:
            raise ConfigError(
                f"{type(self).__name__} learns {', '.join(self.trains)} and cannot share a network for "
                f"{', '.join(towers)}.",
                "Give both methods the same view.",
            )
        for view, tower in own.items():
            shapes = [{key: x.shape for key, x in each.state_dict().items()} for each in (tower, towers[view])]
            if shapes[0] != shapes[1]:
                raise ConfigError(
                    f"{type(self).__name__} has another tower for the view '{view}' than the method it stands beside.",
                    "Give both the same head.",
                )
            for name, child in list(self.named_children()):
                if child is tower:
                    setattr(self, name, towers[view])
            assert self.towers()[view] is towers[view], "a tower that is no attribute: override adopt"
        self.started()


@runtime_checkable
class MethodConfig(Protocol):
    """The settings of a method, which know how to build it.

    Settings of a method that must fill a memory before a step can learn have a property ``warm_up_clips`` too: how many
    clips that takes. Settings of a method that mines positives with a frozen guide have a property ``cascade``, a
    ``CascadeSettings``.
    """

    @property
    def view(self) -> str:
        """The view that is used afterwards: the name of its tower."""
        ...

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt; the others are frozen guides."""
        ...

    @property
    def needs(self) -> Any:
        """What the method needs of its data, for instance ``ClipNeeds`` or ``SpanNeeds``."""
        ...

    def build(self, encoder: Any, context: TrainingContext) -> Method[Any]:
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
