"""Methods beside one another: on any base, one network, and a loss that is the sum."""

from dataclasses import dataclass, replace

import pytest
import torch
from debug_size import BATCH, build, fill, generator, make_batch, make_config, make_method, snapshot, train_step
from tiny_runs import VIDEO_METHODS

from kinema.core.clips import Companions
from kinema.core.errors import ConfigError
from kinema.core.method import Method
from kinema.methods import JoinedConfig, SimCLRConfig
from kinema.networks import HeadConfig
from kinema.recipes.plan import like
from kinema.recipes.table import METHODS

BASES = [name for name in VIDEO_METHODS if METHODS[name].alone]


def joined(*names, weights=(), **changes):
    first, *others = (make_config(name, **changes) for name in names)
    others = [like(each, first, ("head",)) for each in others]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(JoinedConfig(first, tuple(others), weights))


@pytest.mark.parametrize("name", BASES)
def test_the_loss_is_the_sum_of_the_parts(name):
    method = joined(name, "be-regulariser", weights=(0.25,))
    step = fill(method)
    batch = make_batch(method, step)
    first, other = method.methods
    draw = generator(step)
    told = first.loss(batch, draw)
    beside = other.loss(replace(batch, label=None), draw)
    got = method.loss(batch, generator(step))
    assert got.ready
    torch.testing.assert_close(got.total, told.total + 0.25 * beside.total)
    assert float(beside.total.detach()) > 0
    assert torch.equal(got.terms["BERegulariser.mse"], beside.total.detach())
    assert torch.equal(got.embeddings, told.embeddings)
    assert (got.mined is None) == (told.mined is None)
    assert method.towers().keys() == first.towers().keys()
    assert (method.view, method.trains, method.needs.labels) == (first.view, first.trains, first.needs.labels)


@pytest.mark.parametrize("name", BASES)
def test_both_learn_one_network(name):
    """Momentum copies follow what is shared, and every parameter is there once."""
    method = joined(name, "be-regulariser")
    first, other = method.methods
    assert other.tower is first.towers()[method.view]
    parameters = list(method.parameters())
    assert len(parameters) == len({id(p) for p in parameters}) == len(list(first.parameters()))
    optimiser = torch.optim.SGD([p for p in parameters if p.requires_grad], lr=0.1)
    step = fill(method)
    before = snapshot(method)
    train_step(method, optimiser, step)
    after = snapshot(method)
    weight = next(key for key in after if key.startswith("parts.1.tower.encoder"))
    assert not torch.equal(before[weight], after[weight])
    shared = {key.removeprefix("parts.1.tower."): value for key, value in after.items() if key.startswith("parts.1.")}
    assert all(torch.equal(value, shared[key]) for key, value in method.towers()[method.view].state_dict().items())


def test_a_momentum_tower_beside_another_starts_where_the_shared_one_does():
    method = joined("simclr", "moco")
    moco = method.methods[1]
    assert moco.f_q is method.methods[0].tower
    assert all(torch.equal(a, b) for a, b in zip(moco.f_q.parameters(), moco.f_k.parameters(), strict=True))
    stranger = make_method("simclr", seed=5)
    method.start({"rgb": stranger.tower.state_dict()})
    key = "encoder.stem.0.weight"
    assert torch.equal(moco.f_k.get_parameter(key), stranger.tower.get_parameter(key))


def test_it_waits_for_all_and_each_remembers_its_own():
    method = joined("simclr", "moco", "dsm")
    assert not method.loss(make_batch(method, 0), generator(0)).ready
    step = fill(method)
    assert step == 2, "two batches fill the queues"
    for part in method.methods[1:]:
        assert part.queue.full
    losses = method.loss(make_batch(method, step), generator(step))
    assert losses.terms.keys() == {"SimCLR.nt_xent", "MoCo.info_nce", "DSM.info_nce"}
    keys = {name: losses.pending[f"{name}.k"] for name in ("MoCo", "DSM")}
    method.commit(losses)
    for part in method.methods[1:]:
        assert torch.equal(part.queue.features("rgb")[:BATCH], keys[type(part).__name__])
    assert method.needs.negatives
    assert method.needs.disturbances == method.methods[2].needs.disturbances


def test_two_of_one_kind_are_told_apart():
    method = joined("moco", "moco", negatives_from="batch")
    losses = method.loss(make_batch(method, 0), generator(0))
    assert losses.terms.keys() == {"MoCo0.info_nce", "MoCo1.info_nce"}


def test_labels_go_to_those_who_read_them():
    method = joined("supervised", "simclr")
    assert (method.needs.labels, method.needs.variants) == (True, 2)
    seen = []
    simclr = method.methods[1]
    loss = simclr.loss
    simclr.loss = lambda batch, draw: seen.append(batch.label) or loss(batch, draw)
    method.loss(make_batch(method, 0), generator(0))
    assert seen == [None]


@dataclass(frozen=True)
class WantingConfig(SimCLRConfig):
    """SimCLR that wants something beside its clips."""

    companions: Companions | None = None

    @property
    def needs(self):
        return replace(super().needs, companions=self.companions)


def wanting(first, *others):
    """The first method, and those beside it, each with what it wants beside its clips."""
    head = HeadConfig(out=16)
    return WantingConfig(head=head, companions=first), tuple(WantingConfig(head=head, companions=c) for c in others)


def test_what_comes_with_a_clip_is_what_one_part_wants():
    still, moving = Companions(motion_frames=0, reach=9), Companions(keyframe=False, reach=0)
    both = Companions(reach=9)
    cases = (((None, None), None), ((None, still), still), ((still, still), still), ((still, moving), both))
    for wanted, expected in cases:
        assert build(JoinedConfig(*wanting(*wanted))).needs.companions == expected
    with pytest.raises(ConfigError, match="different motion clips"):
        build(JoinedConfig(*wanting(moving, Companions(motion_frames=4))))


def test_features_are_asked_for_where_a_part_wants_them():
    class Refreshing(type(make_method("simclr"))):
        def refresh(self, features):
            self.told = features

    method = joined("moco", "simclr")
    assert not method.refreshes()
    method.methods[1].__class__ = Refreshing
    assert method.refreshes()
    method.refresh({"rgb": torch.ones(2, 3)})
    assert method.methods[1].told.keys() == {"rgb"}
    assert isinstance(method, Method)


def test_what_cannot_be_joined_is_refused():
    moco, other = make_config("moco"), make_config("be-regulariser")
    with pytest.raises(ConfigError, match="No method stands beside"):
        JoinedConfig(moco, ())
    with pytest.raises(ConfigError, match="2 weights for 1 methods"):
        JoinedConfig(moco, (other,), (1.0, 2.0))
    with pytest.raises(ConfigError, match=r"are \[0.0\]"):
        JoinedConfig(moco, (other,), (0.0,))
    with pytest.raises(ConfigError, match="joined again"):
        JoinedConfig(JoinedConfig(moco, (other,)), (other,))
    with pytest.raises(ConfigError, match="learns residual and cannot share a network for rgb") as caught:
        build(JoinedConfig(moco, (make_config("be-regulariser", view="residual"),)))
    assert "same view" in caught.value.hint
    with pytest.raises(ConfigError, match="another tower for the view 'rgb'") as caught:
        build(JoinedConfig(moco, (make_config("simclr", head=HeadConfig(out=8)),)))
    assert "same head" in caught.value.hint
