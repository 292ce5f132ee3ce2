import inspect

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation import fit_linear, hold_out, linear


def random_case(n=120, q=50, d=8, classes=4, seed=0, noise=1.5):
    """Dimensions of very different size and place, so that standardising matters."""
    rng = np.random.default_rng(seed)
    ours, theirs = np.arange(n) % classes, rng.integers(classes, size=q)
    centres = rng.normal(size=(classes, d))
    scale, shift = 10.0 ** rng.uniform(-2, 2, size=d), rng.normal(size=d) * 5
    train, test = (scale * (centres[y] + noise * rng.normal(size=(len(y), d)) + shift) for y in (ours, theirs))
    return train, ours, test, theirs


def judge_of(train, labels, penalty):
    """Scikit-learn's classifier with the same objective, and the standardisation before it."""
    mean, deviation = train.mean(0), train.std(0)
    told = LogisticRegression(C=1 / (len(train) * penalty), tol=1e-10, max_iter=20_000)
    told.fit((train - mean) / deviation, labels)
    return told, lambda x: told.predict((x - mean) / deviation)


def test_weights_and_answers_equal_those_of_scikit_learn():
    train, ours, test, theirs = random_case()
    probe = fit_linear(train, ours)
    told, predict = judge_of(train, ours, probe.penalty)
    assert probe.converged
    np.testing.assert_allclose(probe.weight, told.coef_, atol=1e-5)
    np.testing.assert_allclose(probe.bias - probe.bias.mean(), told.intercept_ - told.intercept_.mean(), atol=1e-5)
    figures = probe.judge(test, theirs)
    named = predict(test)
    confusion = np.zeros((4, 4), dtype=int)
    np.add.at(confusion, (theirs, named), 1)
    np.testing.assert_array_equal(figures.confusion, confusion)
    assert figures.metrics["accuracy"] == np.mean(named == theirs)
    assert 0.25 < figures.metrics["accuracy"] < 1


@pytest.mark.parametrize("n", [160, 24])
def test_features_that_are_nearly_alike_converge_too(n):
    """Forty dimensions that follow three causes, as those of a network do; with fewer videos than dimensions too."""
    rng, labels = np.random.default_rng(0), np.arange(n) % 4
    causes = rng.normal(size=(4, 3))[labels] + rng.normal(size=(n, 3))
    features = causes @ rng.normal(size=(3, 40)) + 0.01 * rng.normal(size=(n, 40))
    probe = fit_linear(features, labels, labels)
    told, _ = judge_of(features, labels, probe.penalty)
    assert probe.converged
    np.testing.assert_allclose(probe.weight, told.coef_, atol=1e-4)


def test_the_penalty_is_the_best_on_recordings_held_out_of_training():
    train, ours, _, _ = random_case(d=40, noise=3)
    sources = np.arange(120) // 8  # two videos of each class a recording
    probe = fit_linear(train, ours, sources, seed=5)
    held = hold_out(torch.tensor(ours), torch.tensor(sources), 0.2, 5).numpy()
    found = {}
    for penalty in linear.PENALTIES:
        _, predict = judge_of(train[~held], ours[~held], penalty)
        found[penalty] = np.mean(predict(train[held]) == ours[held])
    assert dict(probe.grid) == pytest.approx(found)
    assert len(set(found.values())) > 1
    assert probe.penalty == max(p for p in found if found[p] == max(found.values()))
    assert probe.held_out == held.sum()


def test_siblings_in_the_held_out_part_would_choose_another_penalty():
    """Copies of a video on both sides reward remembering; whole recordings held out do not."""
    train, ours, _, _ = random_case(n=60, d=60, noise=6)
    copied, labels, sources = np.repeat(train, 4, 0), np.repeat(ours, 4), np.repeat(np.arange(60), 4)
    honest, fooled = fit_linear(copied, labels, sources), fit_linear(copied, labels)
    assert max(honest.grid.values()) < 0.6
    assert max(fooled.grid.values()) > 0.95
    assert fooled.penalty < honest.penalty


def test_nothing_of_the_test_reaches_a_fit():
    """The fit cannot be given a test part, and what it came to does not change with what is asked of it."""
    assert not [name for name in inspect.signature(fit_linear).parameters if "test" in name or "query" in name]
    train, ours, test, theirs = random_case(noise=3)
    probes = []
    for features, labels in ((test, theirs), (test[::-1] * 7 + 3, theirs), (test, theirs[::-1]), (test[:1], [0])):
        probe = fit_linear(train, ours, np.arange(120) // 8)
        probe.judge(features, labels)
        probes.append(probe)
    for probe in probes[1:]:
        assert torch.equal(probe.weight, probes[0].weight)
        assert torch.equal(probe.bias, probes[0].bias)
        assert torch.equal(probe.mean, probes[0].mean)
        assert torch.equal(probe.deviation, probes[0].deviation)
        assert (probe.penalty, probe.grid) == (probes[0].penalty, probes[0].grid)
    moved = fit_linear(np.concatenate([train, test[:4]]), np.concatenate([ours, theirs[:4]]))
    assert not torch.equal(moved.weight, probes[0].weight)


def test_a_test_part_is_not_standardised_by_itself():
    train, ours, test, theirs = random_case()
    probe = fit_linear(train, ours)
    together, alone = probe.judge(test, theirs), [probe.judge(test[i : i + 1], theirs[i : i + 1]) for i in range(50)]
    assert together.metrics["accuracy"] == pytest.approx(np.mean([a.metrics["accuracy"] for a in alone]))


def test_the_default_penalty_where_no_recording_can_be_spared():
    train, ours, _, _ = random_case()
    probe = fit_linear(train, ours, ours)  # each class is one recording
    assert (probe.penalty, probe.grid, probe.held_out) == (linear.DEFAULT_PENALTY, {}, 0)
    _, predict = judge_of(train, ours, linear.DEFAULT_PENALTY)
    np.testing.assert_array_equal(probe.scores(torch.tensor(train)).argmax(1), predict(train))


def test_dimensions_of_rounding_do_not_count():
    train, ours, test, theirs = random_case()
    rng = np.random.default_rng(2)
    flat, flat_test = (5.0 * (1 + 1e-7 * rng.normal(size=(len(x), 3))) for x in (train, test))
    probe = fit_linear(np.hstack([train, flat]), ours)
    plain = fit_linear(train, ours).judge(test, theirs)
    np.testing.assert_array_equal(probe.judge(np.hstack([test, flat_test]), theirs).confusion, plain.confusion)


def test_a_collapsed_encoder_is_right_by_chance():
    labels = np.arange(40) % 4
    figures = fit_linear(np.ones((40, 6)), labels).judge(np.ones((40, 6)), labels)
    assert figures.metrics["accuracy"] == 0.25


def test_the_fit_does_not_depend_on_the_order_of_the_videos():
    train, ours, _, _ = random_case()
    one, other = fit_linear(train, ours, ours), fit_linear(train[::-1].copy(), ours[::-1].copy(), ours[::-1].copy())
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-5)


def test_what_cannot_be_fitted_is_refused():
    train, ours, test, theirs = random_case()
    names = ("jump", "walk", "crawl", "run")
    with pytest.raises(DataError, match=r"training videos have no labels(.|\n)*scan and pretrain"):
        fit_linear(train, None)
    with pytest.raises(DataError, match="3 of 120 training videos have no label"):
        fit_linear(train, np.where(np.arange(120) < 3, -1, ours))
    with pytest.raises(DataError, match="no training video"):
        fit_linear(train[:0], ours[:0])
    with pytest.raises(DataError, match="of one class, 'walk'"):
        fit_linear(train[ours == 1], ours[ours == 1], names=names)
    with pytest.raises(DataError, match="no training video shows: 'crawl', 'run'"):
        fit_linear(train[:2], ours[:2], names=names).judge(test, theirs)  # fewer videos than classes
    with pytest.raises(ShapeError, match="2 of 120 training videos are not finite"):
        fit_linear(np.where(np.arange(120)[:, None] < 2, np.nan, train), ours)
    with pytest.raises(ShapeError, match="120 training labels and 3 sources"):
        fit_linear(train, ours, [0, 1, 2])
    with pytest.raises(ShapeError, match="8 dimensions and the test's 7"):
        fit_linear(train, ours).judge(test[:, :7], theirs)
    with pytest.raises(DataError, match="test videos have no labels"):
        fit_linear(train, ours).judge(test, None)
