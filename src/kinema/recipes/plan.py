"""A plan is what a user sets; :meth:`Plan.recipe` works out the phases."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from kinema.core.bounds import check_numbers
from kinema.core.contracts import DataConfig
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.data.clips.config import ClipsConfig
from kinema.methods import JoinedConfig
from kinema.networks import EncoderConfig
from kinema.training.settings import OptimiserConfig, Phase, Recipe


@dataclass(frozen=True)
class Schedule:
    """How a method that has several phases divides its epochs; see :mod:`kinema.recipes.cpr`.

    Args:
        infonce: share of ``epochs`` that each view spends on InfoNCE before mining starts.
        guide: the share that the guide spends on it, where it is another; None for ``infonce``. A guide that has learnt
            more mines better, and what it costs comes on top of ``epochs``.
        infonce_negatives_from: where InfoNCE takes its negatives; see :class:`kinema.methods.MoCoConfig`. Its positive
            is of the batch and CPR's are of the queue, so each wants its own.
        turns: how often a view is trained by mining: 1 trains the view alone, 2 is one cycle, 4 the paper's two.
        progressive: growing numbers of positives, for instance 1, 3, 5: each turn is cut into as many phases, and each
            inherits the weights and restarts the learning rate. Empty for k throughout.
        infonce_drops: epochs at which the rate drops in the phases of InfoNCE, whose schedule is 'steps'; empty for
            those of the plan's optimiser.
        infonce_siblings: whether InfoNCE counts other clips of a recording as negatives (the paper) or leaves them out.
    """

    infonce: float = 0.5
    guide: float | None = None
    infonce_negatives_from: Literal["queue", "batch", "both"] = "both"
    turns: int = 1
    progressive: tuple[int, ...] = ()
    infonce_drops: tuple[int, ...] = ()
    infonce_siblings: Literal["ignored", "negatives"] = "ignored"

    def __post_init__(self) -> None:
        if not 0 < self.infonce < 1:
            raise ConfigError(f"schedule.infonce is {self.infonce}; it must lie between 0 and 1.")
        if self.guide is not None and not 0 < self.guide <= 10:
            raise ConfigError(f"schedule.guide is {self.guide}; it is a share of the epochs, above 0 and up to 10.")
        if self.turns < 1:
            raise ConfigError(f"schedule.turns is {self.turns}; at least one view must be trained by mining.")
        if any(a > b for a, b in zip(self.progressive, self.progressive[1:], strict=False)) or 0 in self.progressive:
            raise ConfigError(f"schedule.progressive is {list(self.progressive)}; it must be positive and never fall.")


@dataclass(frozen=True)
class Plan:
    """All that a user can set of a pretraining; see :class:`kinema.training.settings.Recipe` for the shared fields.

    Args:
        method: the method's settings.
        epochs: epochs in which the run's view is trained, all phases together.
        schedule: how a method with several phases divides them.
        optimiser: the optimiser of every phase.
        data: what a row is and how rows become batches: clips of videos by default.
        encoder: the network of every view.
        batch_size: rows a step.
        seed: decides everything random.
        precision: numbers that are computed with: '32-true', 'bf16-mixed' or '16-mixed', as Lightning calls them; or
            'tf32', which is 32-true with a GPU's faster products.
        checkpoint_seconds: time between two checkpoints inside an epoch.
        collapse_rank: effective rank below which training counts as collapsed.
        base: what the first phase of CPR's run is for its view, in place of InfoNCE; its disturbances stay on while CPR
            mines. Its head must be CPR's.
        beside: methods whose losses are added, in the phases that train the run's view.
        beside_weights: of those losses; empty for 1 each.
        weights: what encoders start from: torchvision's weights (.pth), or kinema's own; or a folder of transformers,
            whose config.json has the network's sizes; of pairs image=FILE, text=RUN, or both with a comma between.
    """

    method: MethodConfig
    epochs: int = 40
    schedule: Schedule = field(default_factory=Schedule)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    data: DataConfig = field(default_factory=ClipsConfig)
    encoder: Any = field(default_factory=EncoderConfig)
    batch_size: int = 32
    seed: int = 0
    precision: str = "32-true"
    checkpoint_seconds: float = 60.0
    collapse_rank: float = 1.2
    base: MethodConfig | None = None
    beside: tuple[MethodConfig, ...] = ()
    beside_weights: tuple[float, ...] = ()
    weights: str = ""

    def __post_init__(self) -> None:
        check_numbers(self)

    def with_data(self, **changes: Any) -> Plan:
        """The plan with some fields of its data changed: ``plan.with_data(clip=…, temporal=0.0)``."""
        return replace(self, data=replace(self.data, **changes))  # type: ignore[type-var]

    @property
    def view(self) -> str:
        """The view that the run is for."""
        return self.method.view

    def recipe(self) -> Recipe:
        """The phases worked out.

        Raises:
            ConfigError: the settings contradict one another, or the folder of weights.
            CheckpointError: a folder of weights whose config.json cannot be read.
        """
        from kinema.recipes.table import entry_of, leading, method_name

        entry, first = entry_of(leading(self.method)), leading(self.method)
        if entry.phases is not None and first is not self.method:
            raise ConfigError(f"{entry.title} is joined with others by Plan.beside, which keeps its phases.")
        if self.base is not None and not entry.takes_base:
            raise ConfigError(f"{entry.title} is not trained on top of a base.", "Leave Plan.base out, or take cpr.")
        shared = {f.name: getattr(self, f.name) for f in fields(Plan) if f.name in Recipe.__dataclass_fields__}
        shared["encoder"] = self.encoder.with_sizes_of(self.weights)
        shared["data"] = self.data.with_weights(self.weights)
        phases = entry.phases(self) if entry.phases is not None else self.one_phase()
        learnt = [view for phase in phases for view in phase.method.trains]
        view = self.view if self.view in learnt else learnt[0]  # of a run with a model an activity, the first one's
        return Recipe(name=method_name(first), view=view, phases=phases, **shared)

    def one_phase(self) -> tuple[Phase, ...]:
        """The phases of most methods: one, named after the method and its view."""
        from kinema.recipes.table import leading, method_name

        name = f"{method_name(leading(self.method))}-{self.view}"
        return (Phase(name, self.whole(self.method), self.epochs, self.optimiser),)

    def whole(self, method: MethodConfig) -> MethodConfig:
        """A method with those that are added to it, where it trains the run's view."""
        own = method.view == self.view
        return JoinedConfig(method, self.beside, self.beside_weights) if self.beside and own else method


def like(config: Any, other: Any, names: tuple[str, ...]) -> Any:
    """Settings with some fields taken from other settings, as far as both have them."""
    known = [name for name in names if name in type(config).__dataclass_fields__ and hasattr(other, name)]
    return replace(config, **{name: getattr(other, name) for name in known})
