"""What to try next, from what was tried: pure functions of a seed and of the generations before.

No state is held between two calls: a search that is resumed after a stop replays its past, and proposes what it would
have proposed. Candidates of one generation do not know of one another, so they may be trained side by side.

    cma         covariance matrix adaptation (Hansen 2016, arXiv 1604.00772), by the package ``cma``
    tournament  the winners of small tournaments are crossed and mutated (the evolution of the ELo paper, reconstructed)
    random      every candidate drawn evenly from the box
    equal       one candidate, all weights 1: what a search has to beat

Axes: n weights, each in [0, 1]; P candidates of a generation.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, MissingExtraError, UsageError
from kinema.core.guesses import choose_from
from kinema.core.seeds import seed_at

Search = Literal["cma", "tournament", "random", "equal"]
Vector = tuple[float, ...]
Tried = tuple[Vector, float]
"""A candidate's weights and its fitness; less is better."""

DIGITS = 4
"""Weights are rounded to so many digits, and so the same on paper and in the search."""

STEP = 0.3
"""The first step of CMA-ES, from the middle of the box."""

ENTRANTS = 3
"""Candidates of a tournament."""

MUTATED, SHIFT = 0.3, 0.25
"""The share of a child's weights that are mutated, and the standard deviation of what is added to them."""


def check_search(search: str, candidates: int, population: int) -> None:
    """Refuses a search that there is not, before anything is trained.

    Raises:
        UsageError: there is no such search.
        ConfigError: fewer than one candidate, or a generation of fewer than 3.
        MissingExtraError: 'cma' without the package.
    """
    if search not in get_args(Search):
        raise UsageError(f"There is no search '{search}'.", choose_from(search, get_args(Search)))
    if candidates < 1 or (population and population < 3):
        raise ConfigError(
            f"candidates is {candidates} and population {population}; they must be at least 1 and 3 (0 for the usual)."
        )
    if search == "cma":
        _cma()


def usual_population(n: int) -> int:
    """The usual size of a generation for n weights, 4 + ⌊3 ln n⌋ (Hansen 2016)."""
    return 4 + int(3 * math.log(n))


def budget(search: Search, candidates: int) -> int:
    """How many candidates a search tries: one where all weights are equal, else as many as it may."""
    return 1 if search == "equal" else candidates


def proposed(search: Search, n: int, population: int, seed: int, history: Sequence[Tried]) -> list[Vector]:
    """The candidates of the next generation.

    Args:
        search: how they are found.
        n: weights of a candidate.
        population: P.
        seed: decides all draws.
        history: every earlier candidate in order, whole generations.

    Returns:
        P vectors of n weights in [0, 1]; one for 'equal'.
    """
    assert len(history) % population == 0 or search == "equal", "a generation is whole before the next one"
    generation = len(history) // population
    draw = np.random.default_rng(seed_at(seed, "evolve", search, generation))
    match search:
        case "equal":
            return [(1.0,) * n]
        case "random":
            return [_rounded(draw.random(n)) for _ in range(population)]
        case "tournament" if not history:
            return [_rounded(draw.random(n)) for _ in range(population)]
        case "tournament":
            pool = sorted(history, key=lambda tried: tried[1])[:population]
            return [_rounded(_child(pool, draw)) for _ in range(population)]
        case "cma":
            return _by_cma(n, population, seed, history)


def _child(pool: Sequence[Tried], draw: np.random.Generator) -> NDArray[np.float64]:
    """A cross of two winners of tournaments among the best so far, mutated in at least one weight."""
    parents = [np.array(pool[min(draw.integers(len(pool), size=ENTRANTS))][0]) for _ in range(2)]
    n = len(parents[0])
    child = np.where(draw.random(n) < 0.5, *parents)
    mutated = draw.random(n) < MUTATED
    mutated[draw.integers(n)] = True
    return child + np.where(mutated, SHIFT * draw.standard_normal(n), 0.0)


def _by_cma(n: int, population: int, seed: int, history: Sequence[Tried]) -> list[Vector]:
    """The next generation of CMA-ES, which is led through all earlier ones first."""
    draw = np.random.default_rng(seed_at(seed, "evolve", "cma"))
    options = {
        "bounds": [0, 1],
        "popsize": population,
        "randn": lambda *shape: draw.standard_normal(shape),
        "seed": np.nan,  # numpy's own generator is left alone
        "verbose": -9,
        "verb_disp": 0,
        "verb_log": 0,
    }
    strategy = _cma().CMAEvolutionStrategy([0.5] * n, STEP, options)
    for begin in range(0, len(history), population):
        vectors = strategy.ask()
        strategy.tell(vectors, [fitness for _, fitness in history[begin : begin + population]])
    return [_rounded(x) for x in strategy.ask()]


def _rounded(x: Any) -> Vector:
    return tuple(round(min(max(float(value), 0.0), 1.0), DIGITS) for value in x)


def _cma() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is nothing to plot with
            import cma
    except ImportError as error:
        raise MissingExtraError("cma", "evolve") from error
    return cma
