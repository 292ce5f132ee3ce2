"""TRL: what its loss is made of, what its settings refuse, and that it learns who is who."""

import pytest
import torch
from debug_size import BATCH, generator, make_batch, make_config, make_method
from torch.nn.functional import cross_entropy

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import TrainingContext
from kinema.core.tracklets import TrackletBatch
from kinema.methods.trl import TrackletTower, TRLConfig, descriptor
from kinema.networks.images import ImageConfig
from kinema.objectives import batch_hard_triplet
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

FEATURES = ImageConfig("features", features=6)
CONTEXT = TrainingContext(rows=16, classes=4)


def of_features(step=0, frames=4):
    """Tracklets whose identity is told by the order of their frames alone: half of them run backwards."""
    draw = generator(step)
    labels = torch.arange(BATCH) % 2
    course = torch.linspace(-1, 1, frames)[None, :, None] * torch.ones(6)
    x = torch.where(labels[:, None, None] > 0, course, -course) + 0.05 * torch.randn(BATCH, frames, 6, generator=draw)
    mask = torch.ones(BATCH, frames, dtype=torch.bool)
    return TrackletBatch(x, mask, torch.arange(BATCH), labels)


def learnt(config, encoder, batches, *, steps=60, lr=0.02):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = config.build(encoder, CONTEXT).train()
    optimiser = make_optimiser(method, OptimiserConfig("adam", lr=lr))
    for step in range(steps):
        losses = method.loss(batches(step), generator(step))
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
    return method, losses


def test_the_loss_is_the_mean_of_three_cross_entropies_and_the_triplet():
    method = make_method("trl", triplet_weight=0.7, identity_weight=2.0)
    batch = make_batch(method, 0)
    losses = method.loss(batch, generator(0))
    parts, _ = method.tower(batch.frames, batch.mask)
    z = descriptor(parts)
    assert list(parts) == ["generic", "specific"]
    assert torch.equal(z, torch.cat([parts["generic"], parts["specific"]], dim=1))
    each = [cross_entropy(method.classifiers[k](x), batch.labels) for k, x in {**parts, "all": z}.items()]
    triplet = batch_hard_triplet(z, batch.labels, 0.3)
    torch.testing.assert_close(losses.total, 2.0 * sum(each) / 3 + 0.7 * triplet)
    torch.testing.assert_close(losses.terms["identity_generic"], each[0].detach())
    torch.testing.assert_close(losses.terms["identity_specific"], each[1].detach())
    torch.testing.assert_close(losses.terms["identity"], sum(each).detach() / 3)
    torch.testing.assert_close(losses.terms["triplet"], triplet.detach())
    assert {"accuracy", "shift", "scale"} <= losses.terms.keys()


def test_tracklets_of_nobody_are_passed_over():
    method = make_method("trl", transformer=False)
    batch = make_batch(method, 0)
    unknown = TrackletBatch(batch.frames, batch.mask, batch.index, batch.labels.clone())
    unknown.labels[4:] = -1
    known = TrackletBatch(*(x[:4] for x in (batch.frames, batch.mask, batch.index, batch.labels)))
    whole, part = (method.loss(each, generator(0)).total for each in (unknown, known))
    torch.testing.assert_close(whole, part)
    unknown.labels[:] = -1
    assert float(method.loss(unknown, generator(0)).total.detach()) == 0


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({}, {"generic": 6, "specific": 6}),
        ({"generic": False}, {"specific": 6}),
        ({"specific": False}, {"generic": 6}),
        ({"head": "lstm"}, {"all": 6}),
        ({"head": "mean", "dim": 10}, {"all": 10}),
        ({"dim": 10}, {"generic": 10, "specific": 10}),
    ],
    ids=str,
)
def test_parts_can_be_left_out(settings, parts):
    method = TRLConfig(frames=4, transformer=False, **settings).build(FEATURES, CONTEXT)
    batch = of_features()
    got, _ = method.tower(batch.frames, batch.mask)
    assert {name: x.shape[1] for name, x in got.items()} == parts
    assert method.tower.dim == sum(parts.values())
    assert set(method.classifiers) == ({"all", *parts} if len(parts) > 1 else {"all"})
    assert method.tower.takes == ("features", 6)
    assert method.parts().keys() == {"tower-tracklet"}


def test_the_head_of_one_frame_sees_the_middle_one():
    method = make_method("trl-frame").eval()
    batch = make_batch(method, 0)
    changed = batch.frames.clone()
    lengths = batch.mask.sum(dim=1)
    assert set(lengths.tolist()) == {2, 3}
    for row, middle in enumerate((lengths // 2).tolist()):
        changed[row, [t for t in range(3) if t != middle]] = 9.0
    with torch.no_grad():
        assert torch.equal(method.embed(changed, batch.mask), method.embed(batch.frames, batch.mask))
        changed[0, 1] = 9.0
        assert not torch.equal(method.embed(changed, batch.mask)[0], method.embed(batch.frames, batch.mask)[0])


def test_a_tracklet_of_one_frame_has_a_descriptor():
    method = make_method("trl").eval()
    batch = make_batch(method, 0)
    with torch.no_grad():
        z = method.tower.embed(batch.frames[:, :1], batch.mask[:, :1])
    assert torch.isfinite(z).all()
    assert method.tower.takes == ("crops", 3)
    assert method.tower.clip == 3


def test_theta_learns_at_its_own_rate():
    method = make_method("trl", transformer_rate=0.1)
    theta = {id(p) for p in method.tower.transformer.theta.parameters()}
    for decay in (1.0, 0.5):
        shares = [(id(p), share) for group, share in method.groups(decay) for p in group]
        assert len(shares) == len({key for key, _ in shares}) == len(list(method.parameters()))
        assert {share for key, share in shares if key in theta} == {0.1}
    groups = make_optimiser(method, OptimiserConfig(lr=1.0)).param_groups
    assert {group["share"] for group in groups if any(id(p) in theta for p in group["params"])} == {0.1}
    assert len(make_method("trl-lstm").groups()) == 1


def test_the_order_of_frames_is_learnt_by_what_sees_it():
    """The mean of the frames is one for both identities; a BiLSTM tells them apart."""
    heads = {
        head: learnt(TRLConfig(frames=4, transformer=False, head=head, dim=6), FEATURES, of_features)[1]
        for head in ("trl", "lstm", "mean")
    }
    accuracy = {head: float(losses.terms["accuracy"]) for head, losses in heads.items()}
    assert accuracy["trl"] == accuracy["lstm"] == 1.0
    assert accuracy["mean"] < 1.0


def test_the_transformer_learns_to_move():
    config = make_config("trl", head="mean", transformer_rate=1.0)
    encoder = ImageConfig(width=4, norm="group")
    _, losses = learnt(config, encoder, lambda step: make_batch(make_method("trl"), step), steps=12)
    assert float(losses.terms["shift"]) > 1e-3
    assert float(losses.terms["scale"]) > 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "gru"}, "head is 'gru'"),
        ({"residual": "sum"}, "residual is 'sum'"),
        ({"generic": False, "specific": False}, "nothing is left"),
        ({"head": "mean", "generic": False}, "the head is 'mean'"),
        ({"head": "lstm", "residual": "none"}, "the head is 'lstm'"),
        ({"specific": False, "residual": "frame"}, "residual is 'frame'"),
        ({"head": "frame"}, "sees none"),
        ({"transformer_rate": 0.0}, r"transformer_rate is 0\.0"),
        ({"identity_weight": 0.0}, r"identity_weight is 0\.0"),
        ({"triplet_weight": -1.0}, r"triplet_weight -1\.0"),
        ({"triplet_weight": 1.0, "instances": 1}, "needs two tracklets"),
        ({"margin": -0.1}, r"margin is -0\.1"),
        ({"dim": -2}, "dim is -2"),
        ({"frames": 0}, "frames is 0"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        TRLConfig(**settings)


def test_what_does_not_fit_the_network_or_the_data_is_named():
    with pytest.raises(ConfigError, match=r"frames are features") as caught:
        TrackletTower(TRLConfig(), FEATURES)
    assert "--method.transformer false" in caught.value.hint
    with pytest.raises(ConfigError, match="nothing to be learnt"):
        TrackletTower(TRLConfig(transformer=False, head="mean"), FEATURES)
    with pytest.raises(ConfigError, match="give out 7"):
        TrackletTower(TRLConfig(transformer=False), ImageConfig("features", features=7))
    for classes, there in ((0, "no identity is known"), (1, "one identity")):
        with pytest.raises(ConfigError, match=there):
            TRLConfig().build(ImageConfig(), TrainingContext(rows=4, classes=classes))
    tower = TrackletTower(TRLConfig(transformer=False), FEATURES)
    batch = of_features()
    with pytest.raises(ShapeError, match=r"frames \[N, T, 6\]"):
        tower.embed(batch.frames[:, :, :5], batch.mask)
    with pytest.raises(ShapeError, match=r"mask \(8, 3\)"):
        tower.embed(batch.frames, batch.mask[:, :3])
