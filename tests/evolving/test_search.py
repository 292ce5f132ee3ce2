"""What the searches propose: the same from the same past, in the box, and better and better."""

import sys

import numpy as np
import pytest
from quick_search import GOAL

from kinema.core.errors import ConfigError, MissingExtraError, UsageError
from kinema.evolving.search import budget, check_search, proposed, usual_population


def fitness(vector):
    return sum((x - y) ** 2 for x, y in zip(vector, GOAL, strict=True))


def play(name, generations, population=6, seed=0):
    if name == "cma":
        pytest.importorskip("cma", reason="CMA-ES needs the extra kinema[evolve]")
    history = []
    for _ in range(generations):
        history += [(v, fitness(v)) for v in proposed(name, len(GOAL), population, seed, history)]
    return history


@pytest.mark.parametrize("name", ["cma", "tournament", "random"])
def test_the_same_past_gives_the_same_future(name):
    history = play(name, 4)
    assert len(history) == 24
    assert proposed(name, 3, 6, 0, history[:12]) == [vector for vector, _ in history[12:18]]
    assert all(0 <= x <= 1 and round(x, 4) == x for vector, _ in history for x in vector)
    assert len({vector for vector, _ in history}) > 20
    other = play(name, 1, seed=1)
    assert other[0][0] != history[0][0]
    bent = [(vector, -value) for vector, value in history[:12]]
    assert (proposed(name, 3, 6, 0, bent) == proposed(name, 3, 6, 0, history[:12])) == (name == "random")


@pytest.mark.parametrize("name", ["cma", "tournament"])
def test_what_learns_from_its_past_beats_what_does_not(name):
    found = [np.mean([value for _, value in play(each, 12)[-18:]]) for each in (name, "random")]
    assert found[0] < 0.4 * found[1]


def test_equal_weights_are_one_candidate():
    assert proposed("equal", 3, 6, 0, []) == [(1.0, 1.0, 1.0)]
    assert [budget(name, 9) for name in ("equal", "random")] == [1, 9]
    assert [usual_population(n) for n in (13, 22)] == [11, 13]


def test_cma_leaves_numpy_s_own_generator_alone():
    pytest.importorskip("cma", reason="CMA-ES needs the extra kinema[evolve]")
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    play("cma", 2)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_what_cannot_be_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="no search 'annealing'"):
        check_search("annealing", 4, 0)
    with pytest.raises(ConfigError, match="candidates is 0"):
        check_search("random", 0, 0)
    with pytest.raises(ConfigError, match="population 2"):
        check_search("random", 4, 2)
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(MissingExtraError, match="'cma'") as caught:
        check_search("cma", 4, 0)
    assert "kinema[evolve]" in caught.value.hint
