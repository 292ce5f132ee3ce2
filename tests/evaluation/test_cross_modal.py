import statistics

import numpy as np
import pytest
from oracles.ranking import first_relevant_rank, recall_at, similarities

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation import retrieve_across


def random_case(n=40, d=5, seed=0, noise=0.8):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, d))
    return shared + noise * rng.normal(size=(n, d)), shared + noise * rng.normal(size=(n, d))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("per_recording", [None, 3])
def test_both_ways_equal_the_loops(seed, per_recording):
    a, b = random_case(seed=seed)
    sources = None if per_recording is None else np.arange(40) // per_recording
    for figures, (asks, told) in zip(retrieve_across(a, b, sources=sources), ((a, b), (b, a)), strict=True):
        scores = similarities(asks.tolist(), told.tolist(), centred=False)
        itself = np.eye(40, dtype=bool).tolist()
        ignored = [[sources is not None and i != j and sources[i] == sources[j] for j in range(40)] for i in range(40)]
        ranks = [first_relevant_rank(*rows) for rows in zip(scores, itself, ignored, strict=True)]
        expected = {f"r@{k}": recall_at(k, scores, itself, ignored) for k in (1, 5, 10)}
        assert figures.metrics == pytest.approx(expected | {"median_rank": statistics.median(ranks)})
        assert figures.first.tolist() == ranks
    forth, back = retrieve_across(a, b, sources=sources)
    assert forth.first.tolist() != back.first.tolist()


def test_by_hand():
    """Item 1 asks in the first view and finds item 0 nearer in the second; back, each finds itself."""
    a, b = np.array([[1.0, 0.0], [0.8, 0.6]]), np.array([[0.9, 0.1], [0.0, 1.0]])
    forth, back = retrieve_across(a, b)
    assert forth.first.tolist() == [1, 2]
    assert forth.metrics == {"r@1": 0.5, "median_rank": 1.5}
    assert forth.omitted == (5, 10)
    assert back.first.tolist() == [1, 1]
    assert back.metrics == {"r@1": 1.0, "median_rank": 1.0}
    assert forth.chance == 0.5


def test_siblings_are_no_candidates_but_the_item_is():
    a = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    b = a[[1, 0, 2]]  # each of the two siblings looks like the other
    assert retrieve_across(a, b)[0].metrics["r@1"] == pytest.approx(1 / 3)
    alone = retrieve_across(a, b, sources=[0, 0, 1])[0]
    assert alone.metrics["r@1"] == 1.0
    assert alone.chance == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_a_collapsed_view_finds_nothing():
    a, _ = random_case()
    for one, other in ((a, np.ones_like(a)), (np.ones_like(a), a)):
        metrics = retrieve_across(one, other)[0].metrics
        assert metrics["r@10"] <= 0.25
    assert retrieve_across(a, np.ones_like(a))[0].metrics == {"r@1": 0.0, "r@5": 0.0, "r@10": 0.0, "median_rank": 40.0}


def test_what_cannot_be_compared_is_refused():
    a, b = random_case()
    with pytest.raises(ShapeError, match=r"5 dimensions and the other 4: they do not lie in one space(.|\n)*heads"):
        retrieve_across(a, b[:, :4])
    with pytest.raises(ShapeError, match="40 items in one view and 39"):
        retrieve_across(a, b[:39])
    with pytest.raises(ShapeError, match="not finite"):
        retrieve_across(a, np.where(b > 1, np.nan, b))
    with pytest.raises(DataError, match="nothing to be confused with"):
        retrieve_across(a, b, sources=[0] * 40)
    with pytest.raises(DataError, match="nothing to be confused with"):
        retrieve_across(a[:1], b[:1])
    with pytest.raises(ShapeError, match="39 sources"):
        retrieve_across(a, b, sources=[0] * 39)
