"""The fitness without labels: against loops, the worked values, and what may never win."""

import numpy as np
import pytest
import torch
from oracles import zipf as oracle
from sklearn.cluster import KMeans

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation.zipf import divergence, scaled, worst_divergence, zipf, zipf_fitness


def blobs(sizes, dim=16, seed=0, noise=0.05):
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(sizes), dim, generator=draw)
    rows = [centres[i] + noise * torch.randn(n, dim, generator=draw) for i, n in enumerate(sizes)]
    return torch.cat(rows)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
@pytest.mark.parametrize("s", [1.0, 0.7])
@pytest.mark.parametrize("scaling", ["standardised", "unit", "none", "both"])
def test_against_loops(s, temperature, scaling):
    x = blobs([20, 9, 6, 5], noise=0.5)
    points = scaled(x.double(), scaling).numpy()
    expected = []
    for seed in (3, 4, 5):
        centres = KMeans(4, n_init=4, random_state=seed).fit(points).cluster_centers_
        expected.append(oracle.fitness(points.tolist(), centres.tolist(), s, temperature))
    told = zipf_fitness(x, 4, s, seed=3, temperature=temperature, scaling=scaling, clusterings=3)
    assert told.fitness == pytest.approx(sum(expected) / 3, rel=1e-9)
    assert told.deviation == pytest.approx(float(np.std(expected)), abs=1e-12)
    one = zipf_fitness(x, 4, s, seed=3, temperature=temperature, scaling=scaling, clusterings=1)
    assert (one.fitness, one.deviation) == (pytest.approx(expected[0], rel=1e-9), 0)
    assert told.sizes.sum() == pytest.approx(1)
    assert (np.diff(told.sizes) <= 0).all()


def test_the_worked_values():
    assert divergence(np.full(50, 1 / 50)) == pytest.approx(0.5625, abs=2e-3)
    assert divergence(np.full(50, 1 / 50)) == pytest.approx(oracle.divergence([1 / 50] * 50, 1))
    assert divergence(zipf(50)) == 0
    assert divergence(zipf(50)[::-1]) == 0
    assert divergence(np.eye(50)[7]) == pytest.approx(np.log((1 / np.arange(1, 51)).sum()))
    assert zipf(3).tolist() == pytest.approx([6 / 11, 3 / 11, 2 / 11])


def noisy(sizes, dim=64):
    return blobs(sizes, dim=dim, noise=0.7)


def test_one_scaling_sees_the_sizes_and_both_of_them_see_nothing():
    """Standardised and of unit length, every p(c | x) is nearly uniform: so it was, before there was a choice."""
    law, even = (400 * zipf(50)).round().astype(int).clip(2), np.full(50, 8)
    seen = {
        how: [zipf_fitness(noisy(sizes), 50, scaling=how, clusterings=3) for sizes in (law, even)]
        for how in ("standardised", "both")
    }
    assert seen["both"][0].sharpness < 0.08
    assert seen["both"][0].sizes.max() < 0.05 < zipf(50)[0] / 4
    assert seen["both"][1].fitness - seen["both"][0].fitness < 0.1
    assert seen["standardised"][0].sharpness > 0.5
    assert seen["standardised"][1].fitness - seen["standardised"][0].fitness > 0.3
    assert zipf_fitness(noisy(law), 50).fitness == zipf_fitness(noisy(law), 50, scaling="standardised").fitness


def test_over_ten_clusterings_the_seed_counts_less():
    x = noisy([20] * 10)
    one, ten = (
        np.std([zipf_fitness(x, 12, seed=100 * each, clusterings=number).fitness for each in range(6)])
        for number in (1, 10)
    )
    assert ten < 0.7 * one


def test_sizes_by_zipf_s_law_are_better_than_even_ones():
    even, law = zipf_fitness(blobs([24] * 5), 5), zipf_fitness(blobs([52, 27, 17, 13, 11]), 5)
    assert law.hard < 0.01 < even.hard
    assert law.fitness < even.fitness
    assert zipf_fitness(blobs([52, 27, 17, 13, 11]), 5, temperature=0.05).fitness == pytest.approx(law.hard, abs=0.01)


@pytest.mark.parametrize("s", [0.5, 1.0, 3.0])
def test_nothing_is_worse_than_the_worst(s):
    draws = np.random.default_rng(0).dirichlet(np.full(7, 0.2), size=300)
    assert max(divergence(p, s) for p in [*draws, *np.eye(7), np.full(7, 1 / 7)]) <= worst_divergence(7, s) + 1e-12
    assert worst_divergence(50) == pytest.approx(1.504, abs=1e-3)


def test_the_scale_of_features_does_not_count():
    x = blobs([20, 9, 6, 5])
    assert zipf_fitness(100 * x + 3, 4).fitness == pytest.approx(zipf_fitness(x, 4).fitness, rel=1e-6)


def test_collapsed_features_are_named_and_get_no_fitness():
    draw = torch.Generator().manual_seed(0)
    constant = torch.ones(40, 8) + 1e-4 * torch.randn(40, 8, generator=draw)
    assert "mean square" in zipf_fitness(constant, 4).collapsed
    line = torch.randn(40, 1, generator=draw) @ torch.randn(1, 8, generator=draw)
    assert "effective rank" in zipf_fitness(line, 4).collapsed
    assert np.isnan(zipf_fitness(line, 4).fitness)
    assert "mean square" in zipf_fitness(torch.zeros(40, 8), 4).collapsed
    assert zipf_fitness(blobs([20, 9, 6, 5]), 4).collapsed == ""


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="40 videos cannot be sorted into 40"):
        zipf_fitness(torch.randn(40, 8), 40)
    with pytest.raises(ShapeError, match=r"\(40,\)"):
        zipf_fitness(torch.zeros(40), 4)
    with pytest.raises(ShapeError, match="finite"):
        zipf_fitness(torch.full((40, 8), float("nan")), 4)
    for settings in ({"clusterings": 0}, {"scaling": "twice"}):
        with pytest.raises(ShapeError, match=r"clusterings is 0|scaling 'twice'"):
            zipf_fitness(torch.randn(40, 8), **{"k": 4, **settings})
    for settings in ({"k": 1}, {"s": 0.0}, {"temperature": 0.0}):
        with pytest.raises(ShapeError, match=r"k is 1,|s 0\.0|temperature 0\.0"):
            zipf_fitness(torch.randn(40, 8), **{"k": 4, **settings})
