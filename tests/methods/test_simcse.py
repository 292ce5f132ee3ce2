"""SimCSE: the loss against loops, dropout as the only difference of two views, and a head that only training has."""

import math

import pytest
import torch
from debug_size import BATCH, generator, make_batch, make_config, make_method
from oracles import objectives as oracle
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError
from kinema.core.spans import SpanNeeds
from kinema.methods import SimCSEConfig


def views(method, batch, state=0):
    """The loss, and the two projections that it compares."""
    seen = []
    hook = method.tower.register_forward_hook(lambda _, __, z: seen.append(z.detach()))
    losses = method.loss(batch, generator(state))
    hook.remove()
    return losses, seen


def test_the_loss_against_loops():
    method = make_method("simcse", text_dropout=0.3).double()
    losses, (h, again) = views(method, make_batch(method, 0))
    expected = oracle.in_batch_nce(h.tolist(), again.tolist(), method.config.temperature)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-9)
    assert float(losses.total.detach()) != pytest.approx(
        oracle.in_batch_nce(again.tolist(), h.tolist(), method.config.temperature), rel=1e-9
    ), "the first view asks, the second answers"
    assert torch.equal(losses.embeddings, h)


def test_dropout_makes_the_two_views():
    method = make_method("simcse", text_dropout=0.2)
    batch = make_batch(method, 0)
    first, (h, again) = views(method, batch)
    own = (h * again).sum(dim=1)
    assert float(own.max()) < 1 - 1e-4
    other, _ = views(method, batch, state=1)
    assert not torch.equal(first.total, other.total), "another state, other masks"


def test_without_dropout_a_sentence_is_its_own_view():
    method = make_method("simcse", text_dropout=0.0).double()
    losses, (h, again) = views(method, make_batch(method, 0))
    assert torch.equal(h, again)
    torch.testing.assert_close((h * again).sum(dim=1), torch.ones(BATCH, dtype=torch.float64))
    similarity = (h @ h.T / method.config.temperature).tolist()
    expected = -sum(s[i] - math.log(sum(map(math.exp, s))) for i, s in enumerate(similarity)) / BATCH
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-9)


def test_uniform_similarities_give_log_of_the_batch():
    method = make_method("simcse", text_dropout=0.0)
    torch.nn.init.zeros_(method.tower.head.dense.weight)
    torch.nn.init.ones_(method.tower.head.dense.bias)
    losses = method.loss(make_batch(method, 0), generator(0))
    assert float(losses.total.detach()) == pytest.approx(math.log(BATCH), rel=1e-5)


def test_the_head_is_in_training_only():
    method = make_method("simcse", text_dropout=0.0)
    batch = make_batch(method, 0)
    with torch.no_grad():
        embedding, (losses, _) = method.embed(batch.anchors), views(method, batch)
        torch.nn.init.normal_(method.tower.head.dense.weight, generator=generator(5))
        assert torch.equal(method.embed(batch.anchors), embedding)
        assert not torch.equal(method.loss(batch, generator(0)).total, losses.total)
        z = normalize(torch.tanh(method.tower.head.dense(embedding)), dim=1)
        torch.testing.assert_close(views(method, batch)[1][0], z)


def test_there_is_no_language_model():
    method = make_method("simcse")
    assert method.tower.language_head is None
    assert (method.needs.positives, method.needs.masked) == (0, 0.0)


def test_the_needs_are_whole_sentences():
    config = make_config("simcse", sentences=3)
    assert config.needs == SpanNeeds(3, 0, "sentences", 2, 8)
    assert len(make_batch(make_method("simcse", sentences=3), 0).anchors) == 3 * BATCH
    assert (SimCSEConfig().temperature, SimCSEConfig().max_length + 2) == (0.05, 32)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"temperature": 0.0}, r"0\.0"), ({"sentences": 0}, "is 0"), ({"min_length": 9}, "9 and max_length 8")],
)
def test_settings_out_of_range_are_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        make_config("simcse", **changes)
