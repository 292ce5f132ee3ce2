"""A plan is what a user sets; :meth:`Plan.recipe` works out the phases.

CPR's schedule (paper, sect. 4.1): InfoNCE on each view first; then one view is frozen and guides the mining for the
other, by turns. Training both views once by mining is one cycle, two turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.data.clips.transforms import TransformConfig
from kinema.methods import CPRBankConfig, CPRConfig, JoinedConfig, MoCoConfig
from kinema.networks import EncoderConfig, with_sizes_of
from kinema.recipes.methods import leading, method_name
from kinema.training.settings import OptimiserConfig, Phase, Recipe


@dataclass(frozen=True)
class Schedule:
    """How CPR divides its epochs.

    Args:
        infonce: share of ``epochs`` that each view spends on InfoNCE before mining starts.
        infonce_negatives_from: where InfoNCE takes its negatives; see :class:`kinema.methods.MoCoConfig`. Its positive
            is of the batch and CPR's are of the queue, so each wants its own.
        turns: how often a view is trained by mining: 1 trains the view alone, 2 is one cycle, 4 the paper's two.
        progressive: growing numbers of positives, for instance 1, 3, 5: each turn is cut into as many phases, and each
            inherits the weights and restarts the learning rate. Empty for k throughout.
    """

    infonce: float = 0.5
    infonce_negatives_from: Literal["queue", "batch", "both"] = "both"
    turns: int = 1
    progressive: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.infonce < 1:
            raise ConfigError(f"schedule.infonce is {self.infonce}; it must lie between 0 and 1.")
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
        schedule: how CPR divides them; other methods have one phase.
        optimiser: the optimiser of every phase.
        clip: what a clip is.
        encoder: the encoder of every view.
        transform: the augmentations.
        batch_size: clips a step.
        clips_per_video: clips a video an epoch.
        temporal: probability that the two variants of a clip are two windows of its video.
        seed: decides everything random.
        short_videos: what to do with videos shorter than a clip.
        failure_budget: share of the videos that may fail to decode.
        cache_gib: size up to which decoded videos are kept.
        workers: processes that read clips beside the training.
        precision: Lightning's name.
        checkpoint_seconds: time between two checkpoints inside an epoch.
        collapse_rank: effective rank below which training counts as collapsed.
        base: what the first phase of CPR's run is for its view, in place of InfoNCE; its disturbances stay on while CPR
            mines. Its head must be CPR's.
        beside: methods whose losses are added, in the phases that train the run's view.
        beside_weights: of those losses; empty for 1 each.
        weights: a file of weights that encoders start from: torchvision's (.pth), or kinema's own; or a folder of
            transformers, whose config.json tells the sizes of 'videomae' and 'vjepa2'.
        sound: what is heard of a clip, where the method hears.
    """

    method: MethodConfig
    epochs: int = 40
    schedule: Schedule = field(default_factory=Schedule)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
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
    base: MethodConfig | None = None
    beside: tuple[MethodConfig, ...] = ()
    beside_weights: tuple[float, ...] = ()
    weights: str = ""
    sound: SoundSpec = field(default_factory=SoundSpec)

    def recipe(self) -> Recipe:
        """The phases worked out.

        Raises:
            ConfigError: the settings contradict one another, or the folder of weights.
            CheckpointError: a folder of weights whose config.json cannot be read.
        """
        shared = {
            name: getattr(self, name) for name in Plan.__dataclass_fields__ if name in Recipe.__dataclass_fields__
        }
        shared["encoder"] = with_sizes_of(self.encoder, self.weights)
        if isinstance(leading(self.method), CPRConfig) != isinstance(self.method, CPRConfig):
            raise ConfigError("CPR is joined with others by Plan.beside, which keeps its phases.")
        if self.base is not None and not isinstance(self.method, CPRConfig):
            raise ConfigError("Only CPR is trained on top of a base.", "Leave Plan.base out.")
        return Recipe(name=method_name(leading(self.method)), view=self._view, phases=self._phases(), **shared)

    @property
    def _view(self) -> str:
        return str(getattr(self.method, "view", "rgb"))

    def _whole(self, method: MethodConfig) -> MethodConfig:
        """A method with those that stand beside it, where it trains the run's view."""
        own = getattr(method, "view", "rgb") == self._view
        return JoinedConfig(method, self.beside, self.beside_weights) if self.beside and own else method

    def _phases(self) -> tuple[Phase, ...]:
        if isinstance(self.method, CPRConfig):
            return self._cpr_phases(self.method)
        name = f"{method_name(leading(self.method))}-{self._view}"
        if isinstance(self.method, CPRBankConfig) and self.schedule.progressive:
            return self._parts(self.method, name, self.epochs, {})
        return (Phase(name, self._whole(self.method), self.epochs, self.optimiser),)

    def _cpr_phases(self, cpr: CPRConfig) -> tuple[Phase, ...]:
        first = round(self.epochs * self.schedule.infonce)
        if first < 1 or self.epochs - first < 1:
            raise ConfigError(
                f"epochs is {self.epochs} and schedule.infonce {self.schedule.infonce}, which leaves "
                f"{first} epochs of InfoNCE and {self.epochs - first} of mining.",
                "CPR needs at least one epoch of each: set epochs to 2 or more.",
            )
        phases = []
        for view, base in ((cpr.view, self._base(cpr)), (cpr.guide, None)):
            name = f"infonce-{view}" if base is None else f"{method_name(base)}-{view}"
            method = self._whole(base or infonce_of(cpr, view, self.schedule))
            phases.append(Phase(name, method, first, self.optimiser))
        latest = {view: phase.name for view, phase in zip((cpr.view, cpr.guide), phases, strict=True)}
        for turn in range(self.schedule.turns):
            view, guide = (cpr.view, cpr.guide) if turn % 2 == 0 else (cpr.guide, cpr.view)
            name = f"cpr-{view}" if self.schedule.turns <= 2 else f"cpr-{view}-{turn // 2 + 1}"
            phases += self._parts(replace(cpr, view=view, guide=guide), name, self.epochs - first, latest)
            latest[view] = phases[-1].name
        return tuple(phases)

    def _base(self, cpr: CPRConfig) -> MethodConfig | None:
        """The base, if it fits: what it learns is what CPR goes on with."""
        base: Any = self.base
        if base is None:
            return None
        for name in ("view", "head"):
            if getattr(base, name, None) != getattr(cpr, name):
                raise ConfigError(
                    f"The base has the {name} {getattr(base, name, None)}, and CPR the {name} {getattr(cpr, name)}.",
                    "CPR goes on with the network that its base has learnt: give both the same.",
                )
        return self.base

    def _parts(
        self, method: CPRConfig | CPRBankConfig, name: str, epochs: int, start: dict[str, str]
    ) -> tuple[Phase, ...]:
        """One turn: a phase, or one for each k of progressive training."""
        ks = self.schedule.progressive
        kept = getattr(self.base, "disturbances", ()) if method.view == self._view else ()
        if not ks:
            return (Phase(name, self._whole(method), epochs, self.optimiser, dict(start), kept),)
        if epochs < len(ks):
            raise ConfigError(f"schedule.progressive has {len(ks)} steps for a turn of {epochs} epochs.")
        phases: list[Phase] = []
        for number, k in enumerate(ks):
            part = epochs * (number + 1) // len(ks) - epochs * number // len(ks)
            begins = {**start, **({method.view: phases[-1].name} if phases else {})}
            if phases and isinstance(method, CPRBankConfig):
                begins[method.guide] = phases[-1].name
            phases.append(Phase(f"{name}-k{k}", self._whole(replace(method, k=k)), part, self.optimiser, begins, kept))
        return tuple(phases)


def infonce_of(cpr: CPRConfig, view: str, schedule: Schedule) -> MoCoConfig:
    """The InfoNCE that prepares a view for CPR: the same queue, temperature, momentum and head."""
    shared = {"queue": cpr.queue, "temperature": cpr.temperature, "momentum": cpr.momentum, "head": cpr.head}
    return MoCoConfig(view, negatives_from=schedule.infonce_negatives_from, **shared)  # type: ignore[arg-type]


def like(config: Any, other: Any, names: tuple[str, ...]) -> Any:
    """Settings with some fields taken from other settings, as far as both have them."""
    known = [name for name in names if name in type(config).__dataclass_fields__ and hasattr(other, name)]
    return replace(config, **{name: getattr(other, name) for name in known})
