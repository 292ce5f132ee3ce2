"""Diagnostics without labels: equal to slow re-statements, blind to what must not matter, and right at the limits."""

import itertools
import math

import numpy as np
import pytest
import torch
from oracles import diagnostics as oracle

from kinema.core.errors import DataError, ShapeError
from kinema.core.ops import effective_rank
from kinema.evaluation import diagnostics as d


def random(n=40, dim=6, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def apart(n):
    """Each video its own recording."""
    return torch.arange(n)


def rotation(dim, seed=5):
    return torch.linalg.qr(random(dim, dim, seed)).Q


SOURCES = torch.tensor([i // 2 if i < 10 else i for i in range(40)])


@pytest.mark.parametrize("seed", range(3))
def test_they_are_what_the_slow_ones_say(seed):
    x, y = random(seed=seed), random(seed=seed + 10) + random(seed=seed)
    rows, others = x.tolist(), y.tolist()
    assert d.rankme(x) == pytest.approx(oracle.rankme(rows), rel=1e-4)
    assert d.alignment(x, y) == pytest.approx(oracle.alignment(rows, others))
    for t in (2.0, 0.5):
        assert d.uniformity(x, t) == pytest.approx(oracle.uniformity(rows, t))
    for k in (1, 5):
        assert d.neighbour_overlap(x, y, SOURCES, k).share == pytest.approx(
            oracle.neighbour_overlap(rows, others, SOURCES.tolist(), k)
        )
        shared, own = d.still_reliance(x, y, SOURCES, k)
        assert (shared.share, own) == pytest.approx(oracle.still_reliance(rows, others, SOURCES.tolist(), k))


def test_neither_rotation_nor_order_matters():
    x, y, turned = random(), random(seed=1) + random(), rotation(6)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    for a, b, sources in ((x @ turned, y @ turned, SOURCES), (x[order], y[order], SOURCES[order])):
        assert d.rankme(a) == pytest.approx(d.rankme(x), rel=1e-5)
        assert d.alignment(a, b) == pytest.approx(d.alignment(x, y))
        assert d.uniformity(a) == pytest.approx(d.uniformity(x))
        assert d.neighbour_overlap(a, b, sources) == d.neighbour_overlap(x, y, SOURCES)
        assert d.still_reliance(a, b, sources)[1] == d.still_reliance(x, y, SOURCES)[1]
    # Each view may be turned by itself where neighbours are only compared within it; a still asks among the videos.
    assert d.neighbour_overlap(x, y @ turned, SOURCES) == d.neighbour_overlap(x, y, SOURCES)
    assert d.still_reliance(x, y @ turned, SOURCES) != d.still_reliance(x, y, SOURCES)
    assert d.alignment(3 * x, y) == pytest.approx(d.alignment(x, y))
    assert d.neighbour_overlap(x + 7, y, SOURCES) == d.neighbour_overlap(x, y, SOURCES)


def test_a_collapsed_encoder():
    point = torch.ones(40, 6)
    assert d.rankme(point) == pytest.approx(1.0, abs=1e-4)
    assert d.alignment(point, point) == 0
    assert d.uniformity(point) == pytest.approx(0, abs=1e-12)
    for shared in (
        d.neighbour_overlap(point, point, SOURCES),
        d.neighbour_overlap(random(), point, SOURCES),
        d.still_reliance(random(), point, SOURCES)[0],
    ):
        assert shared.share == pytest.approx(shared.chance)
    assert d.still_reliance(random(), point, SOURCES)[1] == 0
    assert d.still_reliance(point, point, SOURCES)[1] == 0


def test_orthogonal_and_opposite_features():
    axes = torch.eye(32, dtype=torch.float64)
    assert d.rankme(axes) == pytest.approx(32, rel=1e-3)
    assert d.uniformity(axes) == pytest.approx(-4)  # all squared distances are 2
    assert d.alignment(axes, axes.roll(1, 0)) == pytest.approx(2)
    assert d.alignment(axes, -axes) == pytest.approx(4)
    assert d.uniformity(torch.cat([axes[:1], -axes[:1]]), t=2) == pytest.approx(-8)


def test_rankme_by_hand_and_its_epsilon():
    z = torch.diag(torch.tensor([3.0, 1.0]))
    assert float(effective_rank(z)) == pytest.approx(
        math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))), rel=1e-5
    )
    line = torch.zeros(300, 512)
    line[0, 0] = 7.0  # its singular values are exact; those of other lines are noise in single precision
    epsilon = 1e-7
    entropy = -(1 + epsilon) * math.log(1 + epsilon) - 299 * epsilon * math.log(epsilon)
    assert float(effective_rank(line)) == pytest.approx(math.exp(entropy), abs=1e-4)
    assert float(effective_rank(line)) > 1.0002
    assert math.isnan(float(effective_rank(line * torch.nan)))


def test_overlap_of_equal_and_of_foreign_views():
    x = random(400, 8)
    assert d.neighbour_overlap(x, 2 * x, apart(400)).share == 1
    foreign = d.neighbour_overlap(x, random(400, 8, seed=9), apart(400))
    assert foreign.chance == pytest.approx(10 / 399)
    assert foreign.share == pytest.approx(foreign.chance, abs=0.01)


def test_siblings_are_no_neighbours():
    x = random(60, 6)
    twice = torch.cat([x, x + 1e-3 * random(60, 6, seed=3)])
    sources = torch.arange(60).repeat(2)
    assert d.neighbour_overlap(twice, twice, sources).chance == pytest.approx(10 / 118)
    # The nearest of all is the sibling: with siblings as candidates it would be the one neighbour.
    kinds = sources
    assert d.same_kind(twice, kinds, apart(120), k=1).share == 1
    assert d.same_kind(twice, kinds, sources, k=1).share == 0


def scenes_and_motions(scene_weight, motion_weight, n=240, seed=0):
    """Features of videos with a scene and a motion each, and those of their stills, which have the scene alone."""
    rng = np.random.default_rng(seed)
    scenes, motions = rng.normal(size=(8, 12)), rng.normal(size=(8, 12))
    where, what = rng.integers(0, 8, n), rng.integers(0, 8, n)
    own = rng.normal(scale=0.3, size=(n, 12))
    stand = scene_weight * (scenes[where] + own)
    move = motion_weight * (motions[what] + rng.normal(scale=0.3, size=(n, 12)))
    stills = np.concatenate([stand, np.full_like(move, 0.7)], axis=1)
    return torch.tensor(np.concatenate([stand, move], axis=1)), torch.tensor(stills), torch.tensor(where)


def test_still_reliance_tells_what_an_encoder_looks_at():
    figures = []
    for scene_weight, motion_weight in ((1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1)):
        videos, stills, where = scenes_and_motions(scene_weight, motion_weight)
        shared, own = d.still_reliance(videos, stills, apart(240))
        figures.append((shared.share, own, d.same_kind(videos, where, apart(240)).share))
    shares, owns, checks = zip(*figures, strict=True)
    assert shares[0] == 1
    assert owns[0] == 1
    assert all(more > less + 0.02 for more, less in itertools.pairwise(shares))
    assert shares[-1] == pytest.approx(10 / 239)
    assert owns[-1] == 0
    # What the labels of the scene say goes the same way.
    assert all(more > less for more, less in itertools.pairwise(checks))


def test_a_shift_that_all_stills_share_is_taken_out():
    videos, stills, _ = scenes_and_motions(1, 0.5)
    moved = stills + 20 * torch.ones(stills.shape[1])
    assert d.still_reliance(videos, moved, apart(240))[0].share == d.still_reliance(videos, stills, apart(240))[0].share


def test_same_kind_counts_the_neighbours_kind():
    x = torch.eye(4, dtype=torch.float64).repeat_interleave(20, 0) + 0.01 * random(80, 4)
    kinds = torch.arange(4).repeat_interleave(20)
    same = d.same_kind(x, kinds, apart(80))
    assert (same.share, same.chance) == (1.0, pytest.approx(19 / 79))


def test_what_cannot_be_measured():
    x = random(11)
    assert d.neighbour_overlap(random(12), random(12), apart(12)).k == 10
    with pytest.raises(DataError, match="A video has 10 others"):
        d.neighbour_overlap(x, x, apart(11))
    with pytest.raises(DataError, match="there is 1"):
        d.uniformity(x[:1])
    with pytest.raises(ShapeError, match="11 and 9 videos"):
        d.neighbour_overlap(x, x[:9], apart(11))
    with pytest.raises(ShapeError, match="one shape"):
        d.alignment(x, x[:9])
    with pytest.raises(ShapeError, match="1 of 11 videos are not finite"):
        d.rankme(torch.where(torch.arange(11)[:, None] == 3, torch.nan, x))
    with pytest.raises(ShapeError, match=r"expected \[N, d\]"):
        d.uniformity(x[0])
