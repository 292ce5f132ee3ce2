"""A negative of a clip's own, in every method that takes them: it counts for its clip, and for nobody else's."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_method
from oracles import objectives as oracle
from tiny_runs import VIDEO_METHODS

from kinema.core.clips import Negatives

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
