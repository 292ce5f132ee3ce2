"""The optimiser: what is decayed, how fast each stage learns, and the rate over a training."""

import itertools
from copy import deepcopy

import pytest
import torch
from debug_size import make_method
from tiny_runs import assert_same_run, tiny_plan

from kinema import api
from kinema.core.errors import ConfigError, TrainingError
from kinema.recipes.table import preset
from kinema.training.lars import LARS, TRUST
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig


def shares(method, **settings):
    """Each learnt parameter's name with its share of the rate and its weight decay."""
    optimiser = make_optimiser(method, OptimiserConfig(weight_decay=0.3, **settings))
    told = {id(p): (g["share"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
    return {name: told[id(p)] for name, p in method.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["supervised", "moco", "cpr-bank"])
def test_every_learnt_parameter_has_one_place(name):
    method = make_method(name)
    for settings in ({}, {"layer_decay": 0.5}):
        optimiser = make_optimiser(method, OptimiserConfig(**settings))
        held = [id(p) for group in optimiser.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in method.parameters() if p.requires_grad)


def test_without_layer_decay_all_learn_at_one_rate_and_norms_are_not_decayed():
    told = shares(make_method("supervised"))
    assert {share for share, _ in told.values()} == {1.0}
    assert told["classifier.weight"] == (1.0, 0.3)
    assert told["classifier.bias"] == (1.0, 0.0)


def test_rates_fall_towards_the_input():
    told = shares(make_method("supervised"), layer_decay=0.5)
    assert told["classifier.weight"] == (1.0, 0.3)
    assert told["classifier.bias"] == (1.0, 0.0)
    blocks = [told[f"tower.encoder.blocks.{number}.main.0.0.weight"][0] for number in range(3)]
    assert blocks == [0.125, 0.25, 0.5]
    assert told["tower.encoder.stem.0.weight"][0] == 0.5**5
    assert told["tower.encoder.stem.1.weight"] == (0.5**5, 0.0)


def test_two_trained_views_share_their_stages_and_the_heads_learn_at_the_full_rate():
    told = shares(make_method("cpr-bank"), layer_decay=0.5)
    by_view = {}
    for name, (share, _) in told.items():
        if "encoder.stem.0" in name:
            by_view[name] = share
        if ".head." in name:
            assert share == 1.0
    assert len(by_view) == 2
    assert len(set(by_view.values())) == 1


@pytest.mark.parametrize("value", [0.0, -0.5, 1.5])
def test_layer_decay_out_of_range(value):
    with pytest.raises(ConfigError, match="layer_decay"):
        OptimiserConfig(layer_decay=value)


def test_nesterov_steps_along_the_gradient_and_the_momentum_that_it_makes():
    rate, momentum = 0.1, 0.9
    method = make_method("supervised")
    config = OptimiserConfig("sgd", lr=rate, momentum=momentum, weight_decay=0.0, nesterov=True)
    optimiser = make_optimiser(method, config)
    bias, before = method.classifier.bias, method.classifier.bias.detach().clone()
    velocity = torch.zeros_like(bias)
    for gradient in (torch.full_like(bias, 1.0), torch.full_like(bias, -0.5)):
        for p in method.parameters():
            p.grad = None
        bias.grad = gradient.clone()
        optimiser.step()
        velocity = momentum * velocity + gradient
        before = before - rate * (gradient + momentum * velocity)
        torch.testing.assert_close(bias.detach(), before)


@pytest.mark.parametrize("settings", [{"name": "adam"}, {"name": "sgd", "momentum": 0.0}])
def test_nesterov_without_momentum_of_sgd_is_refused(settings):
    with pytest.raises(ConfigError, match="nesterov"):
        OptimiserConfig(nesterov=True, **settings)


def slanted(step, steps, highest, cut_frac=0.1, ratio=32):
    """The slanted triangle as Howard and Ruder (2018, eq. 3) and AllenNLP's scheduler have it, for one step."""
    cut = int(steps * cut_frac)
    share = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / cut_frac - 1))
    return highest * (1 + share * (ratio - 1)) / ratio


@pytest.mark.parametrize(("epochs", "batches"), [(1, 40), (4, 25)])
def test_a_slanted_triangle_is_that_of_its_paper(epochs, batches):
    config = OptimiserConfig(lr=5e-5, schedule="slanted", warmup_epochs=0)
    steps = epochs * batches
    rates = [config.rate(step / batches, epochs) for step in range(steps + 1)]
    assert rates == pytest.approx([slanted(step, steps, 5e-5) for step in range(steps + 1)])
    assert (rates[0], max(rates), rates[-1]) == pytest.approx((5e-5 / 32, 5e-5, 5e-5 / 32))
    assert rates.index(max(rates)) == steps // 10


@pytest.mark.parametrize("warmup", [0.0, 0.5])
def test_a_linear_schedule_is_that_of_transformers(warmup):
    transformers = pytest.importorskip("transformers")
    epochs, batches = 4, 10
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-5)
    theirs = transformers.get_linear_schedule_with_warmup(optimiser, int(warmup * batches), epochs * batches)
    config = OptimiserConfig(lr=3e-5, schedule="linear", warmup_epochs=warmup)
    for step in range(epochs * batches + 1):
        assert config.rate(step / batches, epochs) == pytest.approx(theirs.get_last_lr()[0], rel=1e-6, abs=1e-12)
        optimiser.step()
        theirs.step()


def lars(w, g, **settings):
    """A parameter with this gradient, and the optimiser of it."""
    parameter = torch.nn.Parameter(torch.tensor(w, dtype=torch.float64))
    parameter.grad = torch.tensor(g, dtype=torch.float64)
    return parameter, LARS([{"params": [parameter], **settings}], lr=0.5, momentum=0.9)


def test_lars_is_the_papers_formula():
    """v <- m v + lr TRUST |w| / (|g| + decay |w|) (g + decay w), w <- w - v, said number by number over three steps."""
    start, slopes, decay = [3.0, -4.0, 0.5], ([1.0, 2.0, -2.0], [0.5, 0.0, 0.25], [-3.0, 1.0, 1.0]), 0.1
    parameter, optimiser = lars(start, slopes[0], weight_decay=decay)
    w, v = list(start), [0.0, 0.0, 0.0]
    for g in slopes:
        parameter.grad = torch.tensor(g, dtype=torch.float64)
        optimiser.step()
        size, slope = sum(x * x for x in w) ** 0.5, sum(x * x for x in g) ** 0.5
        trusted = TRUST * size / (slope + decay * size)
        v = [0.9 * old + 0.5 * trusted * (each + decay * x) for old, each, x in zip(v, g, w, strict=True)]
        w = [x - step for x, step in zip(w, v, strict=True)]
        torch.testing.assert_close(parameter.detach(), torch.tensor(w, dtype=torch.float64))


def test_a_layer_moves_by_its_size_whatever_the_scale_of_its_gradient():
    moved = []
    for scale in (1.0, 1e4):
        parameter, optimiser = lars([3.0, 4.0], [scale, -scale])
        before = parameter.detach().clone()
        optimiser.step()
        moved.append(float((parameter.detach() - before).norm()))
    assert moved == pytest.approx([0.5 * TRUST * 5.0] * 2)


@pytest.mark.parametrize(("w", "g"), [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 0.0])])
def test_zeros_and_what_is_not_adapted_learn_at_the_rate_itself(w, g):
    for settings in ({}, {"adapt": False}):
        parameter, optimiser = lars(w, g, **settings)
        optimiser.step()
        assert parameter.tolist() == pytest.approx([x - 0.5 * each for x, each in zip(w, g, strict=True)])
    parameter, optimiser = lars([3.0, 4.0], [1.0, 0.0], adapt=False)
    optimiser.step()
    assert parameter.tolist() == pytest.approx([2.5, 4.0])


def test_lars_neither_adapts_nor_decays_biases_and_norms():
    method = make_method("simclr", norm="batch")
    optimiser = make_optimiser(method, OptimiserConfig("lars", lr=0.3, weight_decay=1e-6, momentum=0.8))
    assert isinstance(optimiser, LARS)
    for group in optimiser.param_groups:
        assert (group["lr"], group["momentum"]) == (0.3, 0.8)
        for parameter in group["params"]:
            expected = (True, 1e-6) if parameter.ndim > 1 else (False, 0.0)
            assert (group["adapt"], group["weight_decay"]) == expected


def test_lars_gives_back_what_a_closure_gives_and_goes_on_from_its_state():
    parameter, optimiser = lars([3.0, 4.0], [1.0, 2.0])
    assert optimiser.step(lambda: parameter.square().sum()).requires_grad
    again, other = lars(parameter.tolist(), [1.0, 2.0])
    other.load_state_dict(deepcopy(optimiser.state_dict()))
    optimiser.step()
    other.step()
    assert torch.equal(parameter, again)


def test_a_run_with_lars_goes_on_where_it_was_stopped(tiny_folder, tiny_cache, tmp_path, monkeypatch):
    settings = OptimiserConfig("lars", lr=3.0, weight_decay=1e-6, warmup_epochs=1)
    plan = tiny_plan("simclr", optimiser=settings, epochs=2, checkpoint_seconds=0.0)
    api.pretrain(plan, tiny_folder, tmp_path / "whole", cache=tiny_cache, device="cpu")
    step, steps = LARS.step, []

    def stopped(self, closure=None):
        steps.append(1)
        if len(steps) == 5:
            raise TrainingError("stopped by the test")
        return step(self, closure)

    monkeypatch.setattr(LARS, "step", stopped)
    with pytest.raises(TrainingError, match="by the test"):
        api.pretrain(plan, tiny_folder, tmp_path / "cut", cache=tiny_cache, device="cpu")
    monkeypatch.setattr(LARS, "step", step)
    api.pretrain(plan, tiny_folder, tmp_path / "cut", cache=tiny_cache, device="cpu", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_restarts_begin_anew_with_each_round_and_end_each_at_zero():
    config = OptimiserConfig(lr=1.0, schedule="restarts", warmup_epochs=1)
    rounds = (0, 4, 8, 12)
    rates = [config.rate(step / 10, 16, rounds) for step in range(1, 161)]
    assert rates[:10] == pytest.approx([number / 10 for number in range(1, 11)])
    assert [rates[10 * each - 1] for each in (4, 8, 12, 16)] == pytest.approx([0, 0, 0, 0])
    assert min(rates[10 * each] for each in (4, 8, 12)) > 0.99
    assert rates[40:80] == pytest.approx(rates[120:160])
    assert all(a >= b for a, b in itertools.pairwise(rates[40:80]))
    plain = OptimiserConfig(lr=1.0, warmup_epochs=1)
    for epoch in (0.3, 1.0, 2.5, 16.0):
        assert config.rate(epoch, 16) == plain.rate(epoch, 16) == plain.rate(epoch, 16, rounds)


def test_the_last_clustering_of_xdc_is_learnt_at_as_high_a_rate_as_the_first():
    """Under one cosine it was a sixteenth: 8e-5 of 1.3e-3 in the mean."""
    for name in ("small", "reconstruction"):
        plan = preset(name, "xdc")
        every, epochs = plan.method.every, plan.epochs
        rounds = [epoch for epoch in range(epochs) if epoch % every == 0]
        steps = [(begin + step / 50) for begin in rounds for step in range(1, 50 * every + 1)]
        rates = [plan.optimiser.rate(epoch, epochs, rounds) for epoch in steps]
        means = [sum(rates[part : part + 50 * every]) / (50 * every) for part in range(0, len(rates), 50 * every)]
        assert len(means) == 4
        assert min(means[1:]) == pytest.approx(0.5 * plan.optimiser.lr, rel=0.02)
        assert means[-1] > 0.99 * means[0]
