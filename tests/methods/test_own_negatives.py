"""A negative of a clip's own, in every method that takes them: it counts for its clip, and for nobody else's."""

import math
from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_method
from oracles import objectives as oracle
from tiny_runs import VIDEO_METHODS

from kinema import objectives
from kinema.core.clips import Negatives
from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import weighed_among

TAKING = [name for name in VIDEO_METHODS if make_method(name).needs.negatives]
KEEP = {"cpr": {"own_key": "keep"}}
"""Under which every clip has a positive, so that the oracle below need not drop any."""


def ready(name, **changes):
    method = make_method(name, **KEEP.get(name, {}), **changes)
    step = fill(method)
    return method, make_batch(method, step), step


def with_negatives(batch, count, valid=None, seed=0):
    draw = torch.Generator().manual_seed(seed)
    made = tuple(
        {view: torch.randn(x.shape, generator=draw) for view, x in batch.variants[0].items()} for _ in range(count)
    )
    return replace(batch, negatives=Negatives(made, valid))


def total(method, batch, step):
    return method.loss(batch, generator(step)).total


def test_the_contrastive_ones_take_them():
    assert {"moco", "simclr", "cpr", "cpr-bank"} <= set(TAKING)
    assert "supervised" not in TAKING


@pytest.mark.parametrize("name", TAKING)
def test_one_that_nobody_has_changes_nothing_and_one_that_somebody_has_costs(name):
    method, batch, step = ready(name)
    none = torch.zeros(BATCH, 1, dtype=torch.bool)
    masked = total(method, with_negatives(batch, 1, none), step)
    assert torch.equal(masked, total(method, with_negatives(batch, 1, none, seed=1), step))
    one = none.clone()
    one[3] = True
    there = total(method, with_negatives(batch, 1, one), step)
    assert there > masked + 1e-4
    other = with_negatives(batch, 1, one)
    changed = {view: torch.where(one.view(-1, 1, 1, 1, 1), x, -x) for view, x in other.negatives.views[0].items()}
    torch.testing.assert_close(total(method, replace(other, negatives=Negatives((changed,), one)), step), there)


@pytest.mark.parametrize("name", [name for name in TAKING if name in ("moco", "simclr", "cpr", "cpr-bank")])
def test_without_any_the_loss_is_what_it_was(name):
    method, batch, step = ready(name)
    none = torch.zeros(BATCH, 2, dtype=torch.bool)
    torch.testing.assert_close(total(method, batch, step), total(method, with_negatives(batch, 2, none), step))


def test_moco_with_its_batch_its_queue_and_each_clips_own():
    method, batch, step = ready("moco")
    valid = torch.arange(2 * BATCH).view(BATCH, 2) % 3 > 0
    batch = with_negatives(batch, 2, valid)
    with torch.no_grad():
        q, k = method.f_q(batch.view(0, "rgb")).double().tolist(), method.f_k(batch.view(1, "rgb")).double().tolist()
        n = [method.f_k(x).double().tolist() for x in batch.negatives.view("rgb")]
    memory, losses = method.queue.features("rgb").double().tolist(), []
    for clip in range(BATCH):
        source = int(batch.source[clip])
        keys = [k[other] for other in range(BATCH) if int(batch.source[other]) != source]
        keys += [key for key, of in zip(memory, method.queue.source.tolist(), strict=True) if of != source]
        keys += [n[number][clip] for number in range(2) if valid[clip, number]]
        losses.append(oracle.info_nce([q[clip]], [k[clip]], keys, 0.2))
    assert float(total(method, batch, step).detach()) == pytest.approx(sum(losses) / BATCH, rel=1e-5)


@pytest.mark.parametrize("name", TAKING)
def test_the_keys_network_gets_no_gradient_from_them(name):
    method, batch, step = ready(name)
    total(method, with_negatives(batch, 1), step).backward()
    frozen = [key for key, p in method.named_parameters() if not p.requires_grad and p.grad is not None]
    assert frozen == []


def probabilities(method, batch, step):
    """The share of all negatives' gradient that a clip's own negative has, clip by clip."""
    seen = {}
    nce = objectives.multi_positive_nce

    def watched(logits, positives, candidates, own):
        terms = logits.masked_fill(~(candidates & ~positives), float("-inf")).logsumexp(1).exp()
        seen["share"] = own[:, 0].exp() / (own[:, 0].exp() + terms)
        return nce(logits, positives, candidates, own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinema.methods.moco.multi_positive_nce", watched)
        method.loss(batch, generator(step))
    return seen["share"].detach()


def test_among_as_many_as_there_are_nothing_changes_and_among_more_it_weighs_less():
    """Its share among n others, where all are as near, is 1 / (n + 1)."""
    method, batch, step = ready("moco", negatives_from="batch", siblings="negatives")
    batch = with_negatives(batch, 1)
    method.f_q = method.f_k = Same()
    plain = probabilities(method, batch, step)
    torch.testing.assert_close(plain, torch.full((BATCH,), 1 / BATCH))
    for among in (BATCH - 1, 3569):
        method.config = replace(method.config, own_among=among)
        torch.testing.assert_close(probabilities(method, batch, step), torch.full((BATCH,), 1 / (among + 1)))


class Same(torch.nn.Module):
    """A tower to which all clips are one."""

    def forward(self, x):
        return torch.nn.functional.normalize(torch.ones(len(x), 16), dim=1)


@pytest.mark.parametrize("name", TAKING)
def test_every_method_that_takes_them_can_weigh_them_as_among_more(name):
    method, batch, step = ready(name)
    none = torch.zeros(BATCH, 1, dtype=torch.bool)
    batch, without = with_negatives(batch, 1), with_negatives(batch, 1, none)
    totals = []
    for among in (0, 100, 10**6, 10**12):
        method.config = replace(method.config, own_among=among)
        totals.append(float(total(method, batch, step).detach()))
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > totals[1] + 1e-4
    assert totals[3] == pytest.approx(float(total(method, without, step).detach()), abs=1e-4)
    with pytest.raises(ConfigError, match="own_among is -1"):
        replace(method.config, own_among=-1)


def test_the_offset_is_the_logarithm_of_the_ratio():
    own = torch.tensor([[1.0, float("-inf")], [2.0, 3.0]])
    got = weighed_among(own, torch.tensor([15, 0]), 3569)
    expected = torch.tensor([[1.0 - math.log(3569 / 15), float("-inf")], [2.0 - math.log(3569), 3.0 - math.log(3569)]])
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(weighed_among(0.1 * own, torch.tensor([15, 0]), 3569, 0.1) / 0.1, expected)
    assert torch.equal(weighed_among(own, torch.tensor([15, 0]), 0), own)
    with pytest.raises(ShapeError, match="others"):
        weighed_among(own, torch.tensor([15]), 3569)
