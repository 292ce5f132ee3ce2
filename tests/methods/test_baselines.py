"""MoCo, SimCLR and the supervised reference."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, VIDEOS, fill, generator, make_batch, make_method, snapshot, train_step
from oracles import objectives as oracle
from torch.nn.functional import cross_entropy, normalize

from kinema.core.errors import DataError
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.networks import HeadConfig


def ready_moco(**changes):
    method = make_method("moco", **changes)
    step = fill(method)
    draw = generator_at(3, "queue")
    method.queue.features("rgb").copy_(normalize(torch.randn(VIDEOS, 16, generator=draw), dim=1))
    shuffled = torch.randperm(VIDEOS, generator=draw)
    method.queue.source.copy_(shuffled // 2)
    method.queue.index.copy_(shuffled)
    return method, make_batch(method, step), step


@pytest.mark.parametrize("negatives", ["both", "queue", "batch"])
@pytest.mark.parametrize("siblings", ["ignored", "negatives"])
def test_moco_against_its_batch_and_its_queue(siblings, negatives):
    """Each clip against the keys of the others in the batch, then the queue's, siblings left out where asked."""
    method, batch, step = ready_moco(siblings=siblings, negatives_from=negatives)
    with torch.no_grad():
        q, k = method.f_q(batch.view(0, "rgb")).double().tolist(), method.f_k(batch.view(1, "rgb")).double().tolist()
    memory, sources = method.queue.features("rgb").double().tolist(), method.queue.source.tolist()
    losses = []
    for clip in range(BATCH):
        others = [other for other in range(BATCH) if other != clip and negatives != "queue"]
        kept = [] if negatives == "batch" else range(VIDEOS)
        keys = [k[other] for other in others] + [memory[slot] for slot in kept]
        recordings = [int(batch.source[other]) for other in others] + [sources[slot] for slot in kept]
        valid = [siblings == "negatives" or recording != int(batch.source[clip]) for recording in recordings]
        assert siblings == "negatives" or valid.count(False) == {"both": 3, "queue": 2, "batch": 1}[negatives]
        losses.append(oracle.info_nce([q[clip]], [k[clip]], keys, 0.2, valid))
    got = method.loss(batch, generator(step))
    assert float(got.total.detach()) == pytest.approx(sum(losses) / BATCH, rel=1e-5)
    assert torch.equal(got.terms["info_nce"], got.total.detach())
    assert got.mined is None


def test_moco_fills_its_queue_before_it_learns():
    method = make_method("moco")
    optimiser = torch.optim.SGD(method.f_q.parameters(), lr=1.0)
    before = snapshot(method)
    for step in range(VIDEOS // BATCH):
        assert not train_step(method, optimiser, step).ready
    after = snapshot(method)
    assert {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])} == {"queue"}
    assert train_step(method, optimiser, VIDEOS // BATCH).ready


def test_moco_with_the_batchs_negatives_learns_from_the_first_step():
    method = make_method("moco", negatives_from="batch")
    losses = method.loss(make_batch(method, 0), generator(0))
    assert losses.ready
    assert float(losses.total.detach()) > 0


def test_moco_moves_its_key_network_slowly_and_keeps_the_keys():
    method, batch, step = ready_moco(momentum=0.75)
    losses = method.loss(batch, generator(step))
    before = snapshot(method)
    with torch.no_grad():
        for parameter in method.f_q.parameters():
            parameter.sub_(1.0)
    method.commit(losses)
    for key, value in method.f_q.named_parameters():
        expected = 0.75 * before[f"f_k.{key}"] + 0.25 * value
        torch.testing.assert_close(method.f_k.get_parameter(key), expected)
    slots = (int(before["queue.pointer"]) + torch.arange(BATCH)) % VIDEOS
    assert torch.equal(method.queue.features("rgb")[slots], losses.pending["k"])


def test_the_momentum_tower_gathers_statistics_of_its_own():
    method = make_method("moco", norm="batch", head=HeadConfig(out=16, norm=True))
    step = fill(method)
    before = {key: value.clone() for key, value in method.f_k.named_buffers()}
    assert any(key.startswith("head.") for key in before)
    losses = method.loss(make_batch(method, step), generator(step))
    seen = {key: value.clone() for key, value in method.f_k.named_buffers()}
    assert not [key for key in before if torch.equal(before[key], seen[key])], "every layer has seen the keys"
    with torch.no_grad():
        for buffer in method.f_q.buffers():
            buffer.add_(100)
    method.commit(losses)
    assert not [key for key, value in method.f_k.named_buffers() if not torch.equal(value, seen[key])]


def test_simclr_is_nt_xent_of_its_projections():
    method = make_method("simclr")
    batch = make_batch(method, 0)
    with torch.no_grad():
        z = [method.tower(batch.view(variant, "rgb")).double().tolist() for variant in (0, 1)]
    assert float(method.loss(batch, generator(0)).total.detach()) == pytest.approx(oracle.nt_xent(*z, 0.2), rel=1e-5)


def test_simclr_s_variants_go_through_batchnorm_together_where_asked():
    """One batch of 2B, as in the authors' code: the statistics are of both variants."""
    apart, together = (make_method("simclr", norm="batch", one_batch=each) for each in (False, True))
    batch = make_batch(apart, 0)
    with torch.no_grad():
        both = make_method("simclr", norm="batch").tower(torch.cat([batch.view(v, "rgb") for v in (0, 1)]))
    z = [half.double().tolist() for half in both.chunk(2)]
    assert float(together.loss(batch, generator(0)).total.detach()) == pytest.approx(oracle.nt_xent(*z, 0.2), rel=1e-5)
    apart.loss(batch, generator(0))
    counted = [
        int(method.state_dict()[next(key for key in method.state_dict() if key.endswith("num_batches_tracked"))])
        for method in (apart, together)
    ]
    assert counted == [2, 1]
    alike = [make_method("simclr", one_batch=each).loss(batch, generator(0)).total for each in (False, True)]
    torch.testing.assert_close(*alike)


def test_supervised_is_cross_entropy_over_the_labelled():
    method = make_method("supervised", smoothing=0.1)
    batch = make_batch(method, 0)
    batch = replace(batch, label=torch.tensor([0, 1, 2, -1, 1, -1, 0, 2]))
    known = batch.label >= 0
    with torch.no_grad():
        logits = method.classifier(method.embed(batch.view(0, "rgb")))
    losses = method.loss(batch, generator(0))
    expected = cross_entropy(logits[known], batch.label[known], label_smoothing=0.1)
    assert float(losses.total.detach()) == pytest.approx(float(expected), rel=1e-5)
    right = (logits.argmax(dim=1) == batch.label)[known].float().mean()
    assert float(losses.terms["accuracy"]) == pytest.approx(float(right))


def test_supervised_dropout_follows_the_generator():
    method = make_method("supervised", dropout=0.5)
    batch = make_batch(method, 0)
    one, again, other = (method.loss(batch, generator(draw)).total for draw in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("classes", [0, 1])
def test_supervised_needs_labels(classes):
    with pytest.raises(DataError, match=f"this data has {classes}") as caught:
        make_method("supervised", context=TrainingContext(VIDEOS, classes))
    assert all(name in caught.value.hint for name in ("simclr", "moco", "cpr"))


def test_a_frozen_encoder_keeps_its_weights_and_its_statistics():
    method = make_method("supervised", norm="batch", frozen=True)
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=1.0)
    before = snapshot(method)
    train_step(method.train(), optimiser, 0)
    after = snapshot(method)
    assert {key for key in before if not torch.equal(before[key], after[key])} == {
        "classifier.weight",
        "classifier.bias",
    }
    x = make_batch(method, 0).view(0, "rgb")
    torch.testing.assert_close(method.logits(x)[:1], method.logits(x[:1]), rtol=1e-4, atol=1e-5)
