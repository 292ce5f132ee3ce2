"""XDC: the loss as the paper says it, in every form; heads and labels anew in every round; one space for both."""

import pytest
import torch
from debug_size import CONTEXT, VIDEOS, build, fill, generator, make_batch, make_method, refreshed
from oracles.xdc import balanced, weighted_cross_entropy, xdc_loss

from kinema.core.errors import ConfigError, ShapeError
from kinema.methods import XDCConfig
from kinema.objectives import balanced_weights, cluster_cross_entropy
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

FORMS = ("xdc", "sdc", "mdc", "cdc")


def make(form="xdc", **settings):
    return make_method("xdc", form=form, **settings)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("guide", ["sound", "motion"])
def test_the_loss_is_the_papers(form, guide):
    method = make(form, guide=guide)
    step = fill(method)
    with torch.no_grad():
        for view in method.needs.views:
            linear = method.towers()[view].head.layers[0]
            linear.weight.mul_(30)
            linear.bias.copy_(torch.linspace(-1, 1, len(linear.bias)))
    batch = make_batch(method, step)
    heads, features = {}, {}
    for view, tower in method.towers().items():
        features[view] = tower.encoder(batch.view(0, view)).tolist()
        for space in method.spaces:
            rows, linear = method.columns(space), tower.head.layers[0]
            heads[view, space] = linear.weight[rows].tolist(), linear.bias[rows].tolist()
    labels = {space: method.pseudo.labels(space)[batch.index].tolist() for space in method.spaces}
    weights = {space: balanced(method.pseudo.labels(space).tolist(), 4) for space in method.spaces}
    losses = method.loss(batch, generator(step))
    assert float(losses.total.detach()) == pytest.approx(xdc_loss(form, features, heads, labels, weights), rel=1e-4)


def test_what_a_form_does_not_learn_gets_no_gradient():
    for form, learnt in (("sdc", [True, False]), ("mdc", [True, True])):
        method = make(form)
        step = fill(method)
        method.loss(make_batch(method, step), generator(step)).total.backward()
        gradient = method.f_a.head.layers[0].weight.grad
        assert [bool(gradient[method.columns(view)].any()) for view in method.needs.views] == learnt


def test_own_clusters_reach_the_head_of_xdc_and_not_its_encoder():
    method = make("xdc")
    step = fill(method)
    losses = method.loss(make_batch(method, step), generator(step))
    losses.total.backward()
    assert {"own_rgb", "own_sound"} <= losses.terms.keys()
    head = method.f_a.head.layers[0].weight
    assert all(bool(head.grad[method.columns(view)].any()) for view in method.needs.views)
    reached = [parameter.grad.clone() for parameter in method.f_a.encoder.parameters()]
    assert any(bool(gradient.any()) for gradient in reached)
    method.zero_grad()
    with torch.no_grad():  # what own clusters are told by has no part in what the encoder is told
        head[method.columns("rgb")] += torch.randn(head[method.columns("rgb")].shape, generator=generator(1))
    method.loss(make_batch(method, step), generator(step)).total.backward()
    for before, parameter in zip(reached, method.f_a.encoder.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, before)


def test_nothing_is_learnt_before_the_first_clustering():
    method = make()
    losses = method.loss(make_batch(method, 0), generator(0))
    assert not losses.ready
    refreshed(method)
    assert method.loss(make_batch(method, 0), generator(0)).ready


def test_a_round_draws_heads_and_labels_anew_and_the_optimiser_forgets_them():
    method, again = make(), make()
    optimiser = make_optimiser(method, OptimiserConfig("adamw", lr=1e-3))
    fill(method)
    method.loss(make_batch(method, 0), generator(0)).total.backward()
    optimiser.step()
    head, body = method.f_a.head.layers[0].weight, next(method.f_a.encoder.parameters())
    before, labels = head.detach().clone(), method.pseudo.labels("rgb").clone()
    refreshed(method, 1, optimiser)
    assert int(method.pseudo.round) == 2
    assert not torch.equal(before, head)
    assert not torch.equal(labels, method.pseudo.labels("rgb"))
    assert head not in optimiser.state
    assert body in optimiser.state
    refreshed(again)
    refreshed(again, 1)
    assert torch.equal(head, again.f_a.head.layers[0].weight), "a head follows from seed and round alone"
    learnt = head.detach()[method.columns("sound")]
    assert 0.005 < float(learnt.std()) < 0.02


def test_both_towers_project_into_one_space():
    """After a clustering the outputs for the own clusters say which one a feature is nearest to."""
    method = make(clusters=4).eval()
    features = {}
    for view, tower in method.towers().items():
        middles = 3 * torch.randn(4, tower.encoder.dim, generator=torch.Generator().manual_seed(1)).abs()
        features[view] = middles[torch.arange(VIDEOS) % 4] + 0.01 * torch.rand(VIDEOS, tower.encoder.dim)
    method.refresh(features)
    for view in method.needs.views:
        outputs = method.towers()[view].head.layers(features[view])
        assert torch.equal(outputs[:, method.columns(view)].argmax(dim=1), method.pseudo.labels(view))
    silent = make("sdc")
    silent.refresh(features)
    projected = [silent.towers()[view].head(features[view]) for view in silent.needs.views]
    assert not (projected[0] @ projected[1].T).any(), "networks that learn of themselves share nothing"


def test_figures_are_told_without_labels():
    method = make()
    draw = torch.Generator().manual_seed(0)
    features = {
        view: torch.randn(VIDEOS, method.towers()[view].encoder.dim, generator=draw) for view in method.needs.views
    }
    features["sound"][3] = float("nan")
    first = method.refresh(features)
    assert first.figures.keys() >= {"nmi_views", "clusters_entropy_rgb", "clusters_largest_sound"}
    assert "nmi_before_rgb" not in first.figures
    assert int(method.pseudo.labels("rgb")[3]) == -1
    assert (method.pseudo.labels("sound") >= 0).sum() == VIDEOS - 1
    second = method.refresh(features).figures
    assert second["nmi_before_rgb"] > 0.3
    assert make("cdc").refresh(features).figures.keys() >= {"clusters_entropy_both"}


def test_clusters_count_alike_whatever_their_size():
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 3, -1])
    weights = balanced_weights(labels, 4)
    torch.testing.assert_close(weights, torch.tensor(balanced(labels.tolist(), 4)))
    known = labels[labels >= 0]
    assert float(weights[known].mean()) == pytest.approx(1.0)
    shares = [float(weights[known[known == c]].sum()) for c in (0, 1, 3)]
    assert shares == pytest.approx([3.0, 3.0, 3.0])
    logits = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    slow = weighted_cross_entropy(logits.tolist(), labels.tolist(), weights.tolist())
    assert float(cluster_cross_entropy(logits, labels, weights)) == pytest.approx(slow, rel=1e-5)
    halves = [cluster_cross_entropy(logits[rows], labels[rows], weights) for rows in (slice(0, 5), slice(5, 10))]
    assert float(sum(halves) / 2) == pytest.approx(slow, rel=1e-5)
    with pytest.raises(ShapeError, match=r"expected \[B, K\]"):
        cluster_cross_entropy(logits, labels[:3], weights)


def test_clusters_are_found_every_so_many_epochs():
    assert [make(every=3).refreshes(epoch) for epoch in range(5)] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guide": "rgb"}, "are both 'rgb'"),
        ({"guide": "smell"}, "no view 'smell'"),
        ({"form": "ydc"}, r"method\.form is 'ydc'"),
        ({"clusters": 1}, "clusters=1"),
        ({"every": 0}, "every=0"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        XDCConfig(**settings)


def test_more_clusters_than_videos_are_refused():
    with pytest.raises(ConfigError, match=f"17 for {VIDEOS} videos"):
        build(XDCConfig(clusters=17), context=CONTEXT)
