"""CPR on memory banks: both views learn, each against the other's bank."""

from dataclasses import replace

import pytest
import torch
from debug_size import (
    BATCH,
    CONTEXT,
    VIDEOS,
    fill,
    generator,
    make_batch,
    make_config,
    make_method,
    snapshot,
    train_step,
)
from oracles import cpr as oracle

from kinema.core.errors import ConfigError
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.networks import EncoderConfig

VIEWS = ("rgb", "residual")


def ready(**changes):
    method = make_method("cpr-bank", **changes)
    step = fill(method)
    draw = generator_at(changes.get("seed", 0), "bank")
    for view in VIEWS:
        method.bank.features(view).copy_(torch.nn.functional.normalize(torch.randn(VIDEOS, 16, generator=draw), dim=1))
    return method, make_batch(method, step), step


@pytest.mark.parametrize("negatives", [0, 6])
@pytest.mark.parametrize("sizes", [(2,), (8, 4, 2), (9, 5, 4, 3)])
@pytest.mark.parametrize("seed", range(2))
def test_equals_the_oracle(sizes, negatives, seed):
    method, batch, step = ready(sizes=sizes, negatives=negatives, seed=seed)
    losses = method.loss(batch, generator(step))
    with torch.no_grad():
        q = [tower(batch.view(0, view)).double().tolist() for view, tower in method.towers().items()]
    banks = [method.bank.features(view).double().tolist() for view in VIEWS]
    order = torch.rand(VIDEOS, generator=generator(step)).argsort().tolist()
    chosen = order[:negatives] if negatives else range(VIDEOS)
    settings = {"sizes": sizes, "temperature": 0.2}
    expected, mined = oracle.cpr_bank(q, banks, batch.source.tolist(), method.bank.source.tolist(), chosen, settings)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert losses.mined.tolist() == mined
    assert losses.terms.keys() == {"mil_nce_rgb", "mil_nce_residual"}
    assert float(sum(losses.terms.values())) / 2 == pytest.approx(expected, rel=1e-5)


def test_not_ready_until_every_video_was_seen():
    method = make_method("cpr-bank")
    optimiser = torch.optim.SGD(method.parameters(), lr=1.0)
    before = snapshot(method)
    assert not train_step(method, optimiser, 0).ready
    assert not train_step(method, optimiser, 0).ready, "the same half of the videos once more"
    assert not train_step(method, optimiser, 1).ready, "the second half is seen only now"
    assert method.bank.full
    after = snapshot(method)
    assert {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])} == {"bank"}
    assert train_step(method, optimiser, 2).ready


def test_the_bank_moves_only_with_commit():
    method, batch, step = ready(bank_momentum=0.25)
    before = snapshot(method)
    losses = method.loss(batch, generator(step))
    assert all(torch.equal(value, before[key]) for key, value in snapshot(method).items())
    method.commit(losses)
    rows = batch.index
    for view in VIEWS:
        mixed = 0.25 * before[f"bank.features_{view}"][rows] + 0.75 * losses.pending[view]
        torch.testing.assert_close(method.bank.features(view)[rows], torch.nn.functional.normalize(mixed, dim=1))
        others = [row for row in range(VIDEOS) if row not in rows.tolist()]
        assert torch.equal(method.bank.features(view)[others], before[f"bank.features_{view}"][others])


def test_siblings_are_never_mined():
    method, batch, step = ready(sizes=(10, 6, 4))
    with torch.no_grad():
        q = method.f_a(batch.view(0, "rgb"))
    for clip in range(BATCH):
        method.bank.features("rgb")[method.bank.source == batch.source[clip]] = q[clip]
    losses = method.loss(batch, generator(step))
    assert not (method.bank.source[losses.mined] == batch.source[:, None]).any()
    apart = method.loss(replace(batch, source=batch.source + 1000), generator(step))
    assert (method.bank.source[apart.mined] == batch.source[:, None]).any()


def test_labels_never_reach_it():
    method, batch, step = ready()
    assert not method.needs.labels
    assert batch.label is None
    labelled = replace(batch, label=torch.arange(BATCH))
    assert torch.equal(method.loss(batch, generator(step)).total, method.loss(labelled, generator(step)).total)


def test_settings_that_cannot_be():
    with pytest.raises(ConfigError, match="both 'rgb'"):
        make_config("cpr-bank", guide="rgb")
    few = TrainingContext(rows=7)
    with pytest.raises(ConfigError, match=r"3 stages that keep 0\.5 of 7 .* leaves 1 .* take 2"):
        make_config("cpr-bank").build(EncoderConfig("slim", width=4), few)
    with pytest.raises(ConfigError, match=r"sizes is \[17\] for a memory of 16"):
        make_config("cpr-bank", sizes=(17,)).build(EncoderConfig("slim", width=4), CONTEXT)
