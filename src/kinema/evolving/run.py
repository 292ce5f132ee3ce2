"""The loop of a search: propose a generation, train and judge its candidates, keep each, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from kinema.core.errors import ConfigError, TrainingError
from kinema.core.progress import Progress
from kinema.evaluation import Scaling, worst_divergence
from kinema.evolving.candidate import Job
from kinema.evolving.history import Candidate, SearchFolder
from kinema.evolving.search import Search, budget, check_search, proposed, usual_population

DROPPED = 0.05
"""A weight below it counts as 0, so that its part costs nothing."""

BEFORE: dict[str, Any] = {"scaling": "both", "clusterings": 1}
"""How the fitness was measured by searches that do not say it."""


@dataclass(frozen=True)
class EvolveConfig:
    """How the weights are searched for.

    Args:
        search: 'cma', 'tournament', 'random' or 'equal'.
        candidates: how many are trained, at most.
        population: candidates of a generation; 0 for 4 + ⌊3 ln n⌋ with n weights.
        seed: of the search, of what the features are clustered with, and of the videos that are drawn.
        epochs: of a candidate's training.
        k: clusters of the fitness.
        s: Zipf's exponent.
        temperature: τ of the fitness.
        scaling: of the features: 'standardised', 'unit' length, 'none', or 'both', how searches were made before.
        clusterings: over which the fitness is averaged; 1 in searches of before.
        subset: videos that the fitness is measured on, at most.
        threads: of a candidate; results depend on it, and not on how many candidates run side by side.
    """

    search: Search = "cma"
    candidates: int = 24
    population: int = 0
    seed: int = 0
    epochs: int = 2
    k: int = 50
    s: float = 1.0
    temperature: float = 1.0
    scaling: Scaling = "standardised"
    clusterings: int = 10
    subset: int = 1000
    threads: int = 1

    def __post_init__(self) -> None:
        check_search(self.search, self.candidates, self.population)
        for name, least in (("epochs", 1), ("k", 2), ("subset", 3), ("threads", 1), ("clusterings", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if not self.s > 0 or not self.temperature > 0:
            raise ConfigError(f"s is {self.s} and temperature {self.temperature}; they must be above 0.")
        if self.scaling not in get_args(Scaling):
            raise ConfigError(f"scaling is '{self.scaling}'.", f"Choose one of: {', '.join(get_args(Scaling))}.")

    def check_videos(self, videos: int) -> None:
        """Refuses more clusters than there are videos.

        Raises:
            ConfigError: names both.
        """
        measured = min(videos, self.subset)
        if measured <= self.k:
            raise ConfigError(
                f"The features of {measured} videos cannot be sorted into k = {self.k} clusters.",
                f"Set k to {max(2, measured // 10)} or so, or give more videos.",
            )

    @property
    def worst(self) -> float:
        """The largest fitness that can be."""
        return worst_divergence(self.k, self.s)

    def plain(self) -> dict[str, Any]:
        """As JSON values; what searches of before had none of is left out where it is as they were made."""
        return {name: value for name, value in asdict(self).items() if BEFORE.get(name) != value}


Mapped = Callable[[Sequence[Job]], Iterator[tuple[int, Job]]]
"""An engine: answers to jobs as they come, each with its number."""


def evolved(
    config: EvolveConfig,
    names: Sequence[str],
    folder: SearchFolder,
    job: Callable[[int, Mapping[str, float]], Job],
    engine: Mapped,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Every candidate of a search, in order; those that the folder holds already are not tried again.

    Args:
        config: how it is searched.
        names: the parts whose weights are searched for.
        folder: where candidates are saved.
        job: makes an engine's job from a candidate's number and weights.
        engine: trains and evaluates.
        progress: is called with (candidates done, candidates).
    """
    total = budget(config.search, config.candidates)
    population = config.population or usual_population(len(names))
    found: list[Candidate] = []
    while len(found) < total:
        history = [each.tried(config.worst) for each in found]
        vectors = proposed(config.search, len(names), population, config.seed, history)[: total - len(found)]
        found += _generation(len(found), len(found) // population, names, vectors, folder, job, engine)
        if progress is not None:
            progress(len(found), total)
    return found


def _generation(
    first: int,
    generation: int,
    names: Sequence[str],
    vectors: Sequence[Sequence[float]],
    folder: SearchFolder,
    job: Callable[[int, Mapping[str, float]], Job],
    engine: Mapped,
) -> list[Candidate]:
    """The candidates of one generation, from the folder or from the engine."""
    weights = {first + place: dict(zip(names, vector, strict=True)) for place, vector in enumerate(vectors)}
    known = {number: folder.read(number) for number in weights}
    missing = [number for number in weights if known[number] is None]
    for place, answer in engine([job(number, kept_weights(weights[number])) for number in missing]) if missing else ():
        number = missing[place]
        figures = {name: answer[name] for name in ("fitness", "hard", "rank", "spread", "loss") if name in answer}
        known[number] = Candidate(
            number, generation, weights[number], **figures, reason=answer["reason"], seconds=answer["seconds"]
        )
        folder.add(known[number])  # type: ignore[arg-type]
    judged = [known[number] for number in weights]
    assert all(each is not None for each in judged), "an engine answers every job"
    return judged  # type: ignore[return-value]


def kept_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights as they are trained with: those below :data:`DROPPED` are 0."""
    return {name: weight if weight >= DROPPED else 0.0 for name, weight in weights.items()}


def best_of(found: Sequence[Candidate], folder: Path) -> Candidate:
    """The candidate with the least fitness; of equal ones the first. What failed cannot win.

    Raises:
        TrainingError: all have failed.
    """
    whole = [each for each in found if each.fitness is not None]
    if not whole:
        raise TrainingError(
            f"None of {len(found)} candidates could be judged; the first: {found[0].reason}",
            f"'{folder / 'candidates'}' says of each why.",
        )
    return min(whole, key=lambda each: (each.fitness, each.number))
