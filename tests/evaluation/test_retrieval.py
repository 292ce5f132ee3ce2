import numpy as np
import pytest
import torch
from oracles.ranking import best, recall_at, similarities

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.ops import bootstrap_of_mean
from kinema.evaluation import PRESETS, bootstrap_interval, retrieve


def random_case(q=17, g=60, d=6, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(q, d)).astype(np.float32) + 2
    gallery = rng.normal(size=(g, d)).astype(np.float32) - 1
    return queries, gallery, rng.integers(classes, size=q), rng.integers(classes, size=g)


@pytest.mark.parametrize("preset", PRESETS)
def test_retrieval_equals_the_loops(preset):
    queries, gallery, ours, theirs = random_case()
    figures = retrieve(queries, gallery, ours, theirs, preset=preset)
    scores = similarities(queries.tolist(), gallery.tolist(), centred=preset == "coclr")
    relevant, none = (ours[:, None] == theirs).tolist(), np.zeros((17, 60), dtype=bool).tolist()
    assert figures.metrics == pytest.approx(
        {f"r@{k}": recall_at(k, scores, relevant, none) for k in (1, 5, 10, 20, 50)}
    )
    assert figures.neighbours.tolist() == [best(row, [False] * 60, 5) for row in scores]
    assert figures.preset == preset
    assert figures.omitted == ()


def test_the_presets_differ_where_the_splits_means_differ():
    queries, gallery, ours, theirs = random_case()
    coclr, vcop = (retrieve(queries, gallery, ours, theirs, preset=name) for name in ("coclr", "vcop"))
    assert not np.array_equal(coclr.neighbours, vcop.neighbours)
    moved = retrieve(queries + 7, gallery - 3, ours, theirs, preset="coclr")
    np.testing.assert_array_equal(moved.neighbours, coclr.neighbours)
    longer = retrieve(queries * 9, gallery * np.arange(1, 61)[:, None], ours, theirs, preset="vcop")
    np.testing.assert_array_equal(longer.neighbours, vcop.neighbours)


def test_centring_by_hand():
    """Less its own split's mean, each query points at the gallery's item of its class; as they are, both point at one.

    The gallery's mean is (10, 10), the queries' (0, 5): what is left is (1, 0) and (-1, 0) on both sides. Uncentred,
    the cosines of the first query are 61 / √(26 · 221) = .805 and 59 / √(26 · 181) = .860: it finds the wrong item.
    Were the gallery's mean subtracted from the queries too, (-9, -5) would find the wrong item again.
    """
    queries, gallery, labels = np.array([[1.0, 5], [-1, 5]]), np.array([[11.0, 10], [9, 10]]), np.array([0, 1])
    coclr = retrieve(queries, gallery, labels, labels, preset="coclr")
    assert coclr.neighbours[:, :2].tolist() == [[0, 1], [1, 0]]
    assert coclr.metrics["r@1"] == 1.0
    vcop = retrieve(queries, gallery, labels, labels, preset="vcop")
    assert vcop.neighbours[:, :2].tolist() == [[1, 0], [1, 0]]
    assert vcop.metrics["r@1"] == 0.5


def test_windows_are_averaged_before_anything_else():
    queries, gallery, ours, theirs = random_case()
    noise = np.random.default_rng(1).normal(size=(17, 3, 6))
    windows = queries[:, None] + noise - noise.mean(1, keepdims=True)
    figures = retrieve(windows, gallery[:, None], ours, theirs)
    np.testing.assert_array_equal(figures.neighbours, retrieve(queries, gallery, ours, theirs).neighbours)


def test_features_that_tell_the_classes_apart_find_them():
    labels = np.arange(40) % 4
    features = np.eye(4)[labels] + 0.1 * np.random.default_rng(0).normal(size=(40, 4))
    figures = retrieve(features[:20], features[20:], labels[:20], labels[20:])
    assert figures.metrics["r@1"] == 1.0
    assert figures.per_class == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}
    assert figures.interval == (1.0, 1.0)
    assert figures.first.tolist() == [1] * 20
    assert retrieve(-features[:20], features[20:], labels[:20], labels[20:]).metrics["r@1"] == 0.0


def test_random_features_are_at_chance():
    rng = np.random.default_rng(0)
    figures = retrieve(
        rng.normal(size=(2000, 8)), rng.normal(size=(500, 8)), np.arange(2000) % 10, np.arange(500) % 10, preset="vcop"
    )
    assert figures.chance == pytest.approx(0.1)
    assert figures.metrics["r@1"] == pytest.approx(0.1, abs=0.03)
    assert figures.interval[0] < figures.metrics["r@1"] < figures.interval[1]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_collapsed_encoder_is_not_rewarded(preset):
    labels = np.arange(30) % 3
    collapsed = np.random.default_rng(0).normal(size=8) * np.ones((30, 1))
    metrics = retrieve(collapsed, collapsed, labels, labels, preset=preset).metrics
    assert metrics["r@1"] == 0.0
    assert metrics["r@10"] == 0.0


def test_rounding_around_one_point_is_no_direction():
    labels, rng = np.arange(30) % 3, np.random.default_rng(0)
    rounded = rng.normal(size=8) * (1 + 1e-7 * rng.normal(size=(30, 8)))
    assert retrieve(rounded, rounded, labels, labels, preset="coclr").metrics["r@10"] == 0.0


def test_items_of_the_querys_own_recording_are_no_candidates():
    labels, sources = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    features = np.array([[1.0, 0], [1.0, 0.1], [0, 1.0], [0.1, 1.0]])
    with_siblings = retrieve(features, features, labels, labels, preset="vcop")
    assert with_siblings.metrics["r@1"] == 1.0
    assert with_siblings.neighbours[:, 0].tolist() == [0, 1, 2, 3]
    figures = retrieve(
        features, features, labels, labels, preset="vcop", query_sources=sources, gallery_sources=sources
    )
    assert figures.metrics == {"r@1": 0.5}
    assert figures.per_class == {0: 0.0, 1: 1.0}
    assert figures.omitted == (5, 10, 20, 50)
    assert figures.neighbours.tolist() == [[3, 2, -1, -1, -1], [3, 2, -1, -1, -1], [3, 1, 0, -1, -1], [2, 1, 0, -1, -1]]


def test_the_interval_is_that_of_resampled_queries():
    hit = torch.arange(200) < 60
    low, high = bootstrap_interval(hit, seed=3)
    rng = np.random.default_rng(0)
    means = [rng.choice(hit.numpy(), 200).mean() for _ in range(4000)]
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.011)
    assert bootstrap_interval(hit, seed=3) == (low, high)


def test_the_bootstrap_of_a_mean_is_that_of_drawing_the_items():
    generator = np.random.default_rng(0)
    values = generator.choice([-1.0, 0.0, 0.4, 1.0], 60, p=[0.1, 0.5, 0.2, 0.2])
    drawn = np.array([generator.choice(values, 60).mean() for _ in range(10_000)])
    assert bootstrap_of_mean(values, 1) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)
    assert bootstrap_of_mean(values, 1) == bootstrap_of_mean(values[::-1], 1)
    assert bootstrap_of_mean([0.25, 0.25], 0) == (0.25, 0.25)


def test_missing_labels_are_explained():
    queries, gallery, ours, theirs = random_case()
    with pytest.raises(DataError, match=r"query videos have no labels(.|\n)*labels.csv(.|\n)*scan and pretrain"):
        retrieve(queries, gallery, None, theirs)
    theirs[:3] = -1
    with pytest.raises(DataError, match="3 of 60 gallery videos have no label"):
        retrieve(queries, gallery, ours, theirs)


def test_bad_arrays_are_refused():
    queries, gallery, ours, theirs = random_case()
    with pytest.raises(ConfigError, match="'knn'; there are: coclr, vcop"):
        retrieve(queries, gallery, ours, theirs, preset="knn")
    with pytest.raises(ShapeError, match="6 dimensions and the gallery 5"):
        retrieve(queries, gallery[:, :5], ours, theirs)
    with pytest.raises(ShapeError, match=r"\(17, 6\) for 16 labels"):
        retrieve(queries, gallery, ours[:16], theirs)
    with pytest.raises(ShapeError, match="together"):
        retrieve(queries, gallery, ours, theirs, query_sources=ours)
    with pytest.raises(ShapeError, match="17 and 59 sources"):
        retrieve(queries, gallery, ours, theirs, query_sources=ours, gallery_sources=theirs[1:])
    with pytest.raises(ShapeError, match="whole number"):
        retrieve(queries, gallery, ours / 2, theirs)
    queries[4, 1] = np.inf
    with pytest.raises(ShapeError, match="1 of 17 query videos are not finite"):
        retrieve(queries, gallery, ours, theirs)
