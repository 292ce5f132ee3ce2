import pytest
import torch
from oracles.ranking import best, first_relevant_rank, recall_at

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation import rank, ranking


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_case(seed, q=13, g=29):
    """Scores of few values, so that there are ties."""
    scores = torch.randint(-4, 5, (q, g), generator=seeded(seed)).float()
    relevant = torch.rand(q, g, generator=seeded(seed + 1)) < 0.1
    ignored = torch.rand(q, g, generator=seeded(seed + 2)) < 0.3
    return scores, relevant, ignored


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunk", [1, 40, 1 << 24])
def test_ranking_equals_the_loops(seed, chunk, monkeypatch):
    monkeypatch.setattr(ranking, "CHUNK", chunk)
    scores, relevant, ignored = random_case(seed)
    lists = [x.tolist() for x in (scores, relevant, ignored)]
    out = rank(scores, relevant, ignored, ks=(1, 2, 5, 10), top=7)
    assert out.recall == pytest.approx({k: recall_at(k, *lists) for k in (1, 2, 5, 10)})
    firsts = [first_relevant_rank(*rows) for rows in zip(*lists, strict=True)]
    assert out.first.tolist() == [30 if first is None else first for first in firsts]
    assert out.order.tolist() == [best(s, i, 7) for s, i in zip(lists[0], lists[2], strict=True)]


def test_higher_scores_come_first_and_the_ignored_never():
    scores = torch.tensor([[0.9, 0.8, 0.1, 0.7]])
    relevant = torch.tensor([[False, False, True, True]])
    out = rank(scores, relevant, torch.tensor([[True, False, False, False]]), ks=(1, 2), top=4)
    assert out.recall == {1: 0.0, 2: 1.0}
    assert out.order.tolist() == [[1, 3, 2, -1]]
    assert rank(-scores, relevant, ks=(1,)).recall == {1: 1.0}


def test_an_encoder_that_tells_nothing_apart_finds_nothing():
    relevant = torch.eye(10, dtype=torch.bool)
    out = rank(torch.ones(10, 10), relevant, ks=(1, 5, 9))
    assert out.recall == {1: 0.0, 5: 0.0, 9: 0.0}


def test_an_ignored_relevant_item_does_not_count():
    scores, relevant = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[True, False, False]])
    out = rank(scores, relevant, relevant, ks=(1, 2))
    assert out.recall == {1: 0.0, 2: 0.0}
    assert out.first.tolist() == [4]


def test_ranks_beyond_the_gallery_are_left_out_and_named():
    scores, relevant = torch.rand(3, 10), torch.rand(3, 10) < 0.5
    ignored = torch.zeros(3, 10, dtype=torch.bool)
    assert rank(scores, relevant, ks=(1, 10, 20)).omitted == (20,)
    ignored[1, :2] = True
    out = rank(scores, relevant, ignored, ks=(1, 8, 10, 20))
    assert out.omitted == (10, 20)
    assert set(out.recall) == {1, 8}


def test_random_scores_are_at_the_chance_that_is_stated():
    labels = torch.arange(1000) % 4
    relevant = labels[:, None] == torch.arange(200) % 5
    out = rank(torch.rand(1000, 200, generator=seeded()), relevant, ks=(1,))
    assert out.chance == pytest.approx(0.2)
    assert out.recall[1] == pytest.approx(0.2, abs=0.04)


def test_bad_matrices_are_refused():
    scores, relevant = torch.rand(3, 4), torch.zeros(3, 4, dtype=torch.bool)
    with pytest.raises(ShapeError, match=r"relevant.*expected bool \(3, 4\)"):
        rank(scores, relevant[:2])
    with pytest.raises(ShapeError, match="ignored"):
        rank(scores, relevant, relevant.int())
    with pytest.raises(ShapeError, match="1 of 12 scores are NaN"):
        rank(scores.index_put((torch.tensor(0), torch.tensor(1)), torch.tensor(float("nan"))), relevant)
    with pytest.raises(ShapeError, match="at least 1"):
        rank(scores, relevant, ks=(0,))
    with pytest.raises(ShapeError, match="at least one of each"):
        rank(scores[:0], relevant[:0])
    with pytest.raises(DataError, match="Query 2 has no candidate"):
        rank(scores, relevant, (torch.arange(3) == 2)[:, None].expand(3, 4))
