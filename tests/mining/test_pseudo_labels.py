"""Clusters of features by their direction: found, never empty, the same for one seed; and what they say of others."""

import numpy as np
import pytest
import torch
from oracles.xdc import mutual_information

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.ops import entropy, normalised_mutual_information
from kinema.mining import PseudoLabels, cluster, pseudo_labels
from kinema.mining.pseudo_labels import reseed_empty


def bundles(groups=5, each=20, dim=8, spread=0.05, seed=0):
    """Directions in bundles, at lengths that say nothing."""
    draw = torch.Generator().manual_seed(seed)
    middles = torch.randn(groups, dim, generator=draw)
    middles /= middles.norm(dim=1, keepdim=True)
    x = middles.repeat_interleave(each, 0) + spread * torch.randn(groups * each, dim, generator=draw)
    return x * (0.1 + 10 * torch.rand(len(x), 1, generator=draw)), torch.arange(groups).repeat_interleave(each)


@pytest.mark.parametrize("engine", ["sklearn", "faiss"])
@pytest.mark.parametrize("whiten", [0, 4])
def test_bundles_of_directions_are_found_whatever_their_length(engine, whiten):
    if engine == "faiss":
        pytest.importorskip("faiss")
    x, groups = bundles()
    found = cluster(x, 5, seed=3, whiten=whiten, engine=engine)
    # faiss begins with rows drawn at random and may leave two bundles in one cluster.
    assert normalised_mutual_information(found.labels, groups) > (0.999 if engine == "sklearn" else 0.85)
    assert found.reseeded == 0
    unit = x / x.norm(dim=1, keepdim=True)
    nearest = (unit @ found.weight.T + found.bias).argmax(dim=1)
    assert (nearest == found.labels).float().mean() > 0.95


def test_many_rows_go_by_mini_batches(monkeypatch):
    monkeypatch.setattr(pseudo_labels, "MANY", 50)
    x, groups = bundles()
    found = cluster(x, 5, seed=3, engine="sklearn")
    assert normalised_mutual_information(found.labels, groups) > 0.9


def test_whitening_leaves_the_strongest_axes_and_makes_them_count_alike():
    draw = torch.Generator().manual_seed(1)
    turned = torch.linalg.qr(torch.randn(4, 4, generator=draw))[0]
    x = torch.randn(500, 4, generator=draw) * torch.tensor([0.1, 9.0, 3.0, 0.01]) @ turned + 2
    axes, mean = pseudo_labels._whitening(x, 2)
    white = (x - mean) @ axes
    torch.testing.assert_close(white.T @ white / len(x), torch.eye(2), atol=1e-4, rtol=0)
    left = torch.linalg.qr(axes)[0]
    torch.testing.assert_close((left.T @ turned[1:3].T).pow(2).sum(), torch.tensor(2.0), atol=1e-2, rtol=0)


def test_one_seed_gives_one_clustering():
    x = torch.randn(90, 6, generator=torch.Generator().manual_seed(2))
    first, again, other = (cluster(x, 12, seed=seed).labels for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_cluster_stays_empty():
    x = torch.ones(9, 4)
    x[:3, 1] = -1
    found = cluster(x, 4, seed=0)
    assert torch.bincount(found.labels, minlength=4).min() > 0
    assert found.reseeded == 2


def test_the_farthest_of_the_largest_begins_an_empty_cluster():
    x = np.array([[0.0], [0.1], [0.9], [5.0]], dtype=np.float32)
    labels, middles, empty = reseed_empty(x, np.array([0, 0, 0, 2]), np.array([[0.2], [9.0], [5.0]], dtype=np.float32))
    assert labels.tolist() == [0, 0, 1, 2]
    assert middles[:, 0].tolist() == pytest.approx([0.2, 0.9, 5.0])
    assert empty == 1


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(DataError, match="3 videos of 4 features to make 5 clusters") as caught:
        cluster(torch.randn(3, 4), 5, seed=0)
    assert "method.clusters" in caught.value.hint
    with pytest.raises(DataError, match="whitened to 9 dimensions"):
        cluster(torch.randn(30, 4), 5, seed=0, whiten=9)
    with pytest.raises(ShapeError, match="not finite"):
        cluster(torch.full((4, 2), float("nan")), 2, seed=0)
    with pytest.raises(ConfigError, match="17 for 16 videos"):
        PseudoLabels(16, 17, ("rgb",))


def test_groupings_are_compared_as_by_counting():
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randint(0, k, (40,), generator=draw) for k in (4, 6))
    got = normalised_mutual_information(a, b)
    assert got == pytest.approx(mutual_information(a.tolist(), b.tolist()))
    assert normalised_mutual_information(a, 3 - a) == pytest.approx(1.0)
    assert normalised_mutual_information(torch.zeros(5), torch.zeros(5)) == 1.0
    assert normalised_mutual_information(torch.arange(6) % 2, torch.arange(6) // 3 * 0) == 0.0
    assert entropy(torch.arange(8) % 4) == pytest.approx(np.log(4))
