import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation import KNN_PRESETS, knn, vote
from kinema.evaluation.knn import KNNPreset


def random_case(n=300, q=80, d=6, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(classes, size=n), rng.integers(classes, size=q)
    ours[:classes] = np.arange(classes)
    centres = rng.normal(size=(classes, d))
    train, test = (centres[y] + 1.2 * rng.normal(size=(len(y), d)) for y in (ours, theirs))
    return train, ours, test, theirs


@pytest.mark.parametrize("preset", KNN_PRESETS)
@pytest.mark.parametrize("chunk", [1, 1 << 24])
def test_the_vote_equals_that_of_scikit_learn(preset, chunk, monkeypatch):
    monkeypatch.setattr(knn, "CHUNK", chunk)
    train, ours, test, theirs = random_case()
    figures = vote(train, ours, test, theirs, preset=preset)
    settings = KNN_PRESETS[preset]
    told = KNeighborsClassifier(
        settings.k,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / settings.temperature),
    ).fit(train, ours)
    named, truth = told.predict(test), theirs
    confusion = np.zeros((7, 7), dtype=int)
    np.add.at(confusion, (truth, named), 1)
    np.testing.assert_array_equal(figures.accuracy.confusion, confusion)
    five = np.argsort(-told.predict_proba(test), axis=1, kind="stable")[:, :5]
    voted = np.take_along_axis(told.predict_proba(test), five, 1) > 0
    assert figures.accuracy.metrics["accuracy_top5"] == np.mean(((five == truth[:, None]) & voted).any(1))
    assert figures.voters == settings.k
    assert figures.hopeless == 0


def test_the_name_of_a_preset_says_its_settings():
    assert {name: f"k{p.k}-t{p.temperature}" for name, p in KNN_PRESETS.items()} == {n: n for n in KNN_PRESETS}


def test_one_near_neighbour_outweighs_two_far_ones(monkeypatch):
    """exp(1 / 0.07) is above 1.6 million, twice exp(0.5 / 0.07) about 2500."""
    monkeypatch.setattr(knn, "KNN_PRESETS", {"k20-t0.07": KNNPreset(3, 0.07)})
    train = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)], [0.5, np.sqrt(0.75)]])
    figures = vote(train, [1, 0, 0], np.array([[2.0, 0.0]]), [1])
    assert figures.accuracy.metrics["accuracy"] == 1.0
    assert figures.voters == 3
    equal = vote(np.array([[1.0, 0.01], [1.0, -0.01], [1.0, 0.0]]), [0, 0, 1], np.array([[2.0, 0.0]]), [1])
    assert equal.accuracy.metrics["accuracy"] == 0.0


def test_videos_of_the_querys_own_recording_do_not_vote():
    """A set asks itself: each video's nearest is itself, then its sibling; both are of its recording."""
    features = np.array([[1.0, 0], [1.0, 0.1], [0.6, 0.9], [0.5, 0.9], [0.1, 1.0], [0, 1.0]])
    labels, sources = [0, 0, 1, 1, 1, 1], [0, 0, 1, 2, 3, 3]
    alone = vote(features, labels, features, labels, train_sources=sources, test_sources=sources)
    assert alone.accuracy.per_class == {0: 0.0, 1: 1.0}
    assert (alone.hopeless, alone.candidates, alone.k, alone.voters) == (2, 4, 2, 2)
    assert vote(features, labels, features, labels).accuracy.metrics["accuracy"] == 1.0


def test_a_small_set_that_asks_itself_is_not_outvoted_by_counts():
    """All may vote, and of the own class one voter less: with k of 20 every answer was wrong, whatever the features."""
    labels, sources = [0, 0, 0, 1, 1, 1], range(6)
    near = np.array([[1.0, 0], [1.0, 0.05], [1.0, 0.1], [0.999, 0.15], [0.99, 0.2], [0.98, 0.25]])
    figures = vote(near, labels, near, labels, train_sources=list(sources), test_sources=list(sources))
    assert (figures.candidates, figures.k, figures.voters) == (5, 2, 2)
    assert figures.accuracy.metrics["accuracy"] > 0.5
    many = np.tile(near, (7, 1))
    enough = vote(many, labels * 7, near, labels)
    assert (enough.candidates, enough.k) == (42, 20)


def test_a_collapsed_encoder_names_one_class():
    labels = np.arange(60) % 3
    figures = vote(np.ones((60, 4)), labels, np.ones((60, 4)), labels)
    assert figures.accuracy.metrics["accuracy"] == pytest.approx(1 / 3)


def test_windows_are_averaged():
    train, ours, test, theirs = random_case()
    noise = np.random.default_rng(1).normal(size=(300, 4, 6))
    windows = train[:, None] + noise - noise.mean(1, keepdims=True)
    np.testing.assert_array_equal(
        vote(windows, ours, test[:, None], theirs).accuracy.confusion,
        vote(train, ours, test, theirs).accuracy.confusion,
    )


def test_what_cannot_vote_is_refused():
    train, ours, test, theirs = random_case()
    with pytest.raises(ConfigError, match=r"'coclr'; there are: k20-t0\.07, k200-t0\.07"):
        vote(train, ours, test, theirs, preset="coclr")
    with pytest.raises(DataError, match=r"training videos have no labels(.|\n)*scan and pretrain"):
        vote(train, None, test, theirs)
    with pytest.raises(DataError, match="no training video shows: '9'"):
        vote(train, ours, test, np.where(theirs == 2, 9, theirs))
    with pytest.raises(DataError, match="Test video 3 has nobody to vote on it"):
        vote(train, ours, test, theirs, train_sources=[5] * 300, test_sources=[1, 2, 3, 5] + [9] * 76)
    with pytest.raises(DataError, match="no training video"):
        vote(train[:0], ours[:0], test, theirs)
    with pytest.raises(ShapeError, match="6 dimensions and the test's 5"):
        vote(train, ours, test[:, :5], theirs)
    with pytest.raises(ShapeError, match="1 of 80 test videos are not finite"):
        vote(train, ours, torch.tensor(test).index_put((torch.tensor(3),), torch.tensor(float("nan")).double()), theirs)
