import statistics

import numpy as np
import pytest
import torch

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation import fit_few, fit_linear, over_draws


def random_case(n=400, q=100, d=10, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    ours, theirs = np.arange(n) % classes, np.arange(q) % classes
    centres = rng.normal(size=(classes, d))
    return centres[ours] + rng.normal(size=(n, d)), ours, centres[theirs] + rng.normal(size=(q, d)), theirs


@pytest.mark.parametrize(("share", "used"), [(0.01, 4), (0.1, 40)])
def test_a_draw_is_a_probe_on_its_own_videos_alone(share, used):
    train, ours, _, _ = random_case()
    sources = np.arange(400) // 8
    draws = fit_few(train, ours, sources, share=share, draws=3)
    assert [len(draw.rows) for draw in draws] == [used] * 3
    assert len({tuple(draw.rows.tolist()) for draw in draws}) == 3
    for draw in draws:
        rows = draw.rows.numpy()
        assert np.bincount(ours[rows]).tolist() == [used // 4] * 4
        alone = fit_linear(train[rows], ours[rows], sources[rows])
        assert torch.equal(draw.probe.weight, alone.weight)
        assert torch.equal(draw.probe.mean, alone.mean)
        assert bool(draw.probe.grid) is (share == 0.1)
    spoilt = np.where(np.isin(np.arange(400), draws[0].rows)[:, None], train, 1e6)
    assert torch.equal(fit_few(spoilt, ours, sources, share=share, draws=1)[0].probe.weight, draws[0].probe.weight)


def test_mean_and_spread_over_draws():
    train, ours, test, theirs = random_case()
    draws = fit_few(train, ours, share=0.01, draws=5)
    figures = [draw.probe.judge(test, theirs) for draw in draws]
    mean, spread = over_draws(figures)
    values = [float(np.mean(draw.probe.scores(torch.tensor(test)).argmax(1).numpy() == theirs)) for draw in draws]
    assert len(set(values)) > 1
    assert mean["accuracy"] == pytest.approx(np.mean(values))
    assert spread["accuracy"] == pytest.approx(np.std(values, ddof=1))
    assert spread["accuracy"] == pytest.approx(statistics.stdev(values))
    assert over_draws(figures[:1])[1] == {"accuracy": 0.0, "mean_class_accuracy": 0.0}


def test_draws_are_the_same_for_every_encoder_and_more_draws_go_on():
    train, ours, _, _ = random_case()
    one, other = fit_few(train, ours, share=0.1, draws=2), fit_few(train[:, :3] ** 2, ours, share=0.1, draws=3)
    assert [a.rows.tolist() for a in one] == [b.rows.tolist() for b in other[:2]]
    assert [a.rows.tolist() for a in fit_few(train, ours, share=0.1, draws=1, seed=1)] != [one[0].rows.tolist()]


def test_what_cannot_be_drawn_is_refused():
    train, ours, _, _ = random_case()
    with pytest.raises(ConfigError, match="0 draws"):
        fit_few(train, ours, share=0.1, draws=0)
    with pytest.raises(ConfigError, match=r"share of the labels is 1\.5"):
        fit_few(train, ours, share=1.5)
    with pytest.raises(DataError, match="no labels"):
        fit_few(train, None, share=0.1)
    with pytest.raises(DataError, match="one class"):
        fit_few(train, ours * 0, share=0.1)
    with pytest.raises(ShapeError, match="400 training labels and 3 sources"):
        fit_few(train, ours, [0, 1, 2], share=0.1)
