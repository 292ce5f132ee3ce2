"""DeCLUTR: both losses against loops, what is a negative, what the encoder sees, and what each objective leaves out."""

import math
from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, generator, make_batch, make_config, make_method
from oracles import declutr as oracle
from torch import nn

from kinema.core.errors import ConfigError
from kinema.core.spans import IGNORED, SpanBatch, SpanNeeds, Tokens
from kinema.methods import DeCLUTRConfig
from kinema.networks.text import masked_mean

M = 2 * BATCH
"""Anchors of a batch."""


def exact(objective="both", **changes):
    """A method without dropout, in double precision."""
    return make_method("declutr", text_dropout=0.0, objective=objective, **changes).double()


def alone(method, tokens):
    """Embeddings of sequences that are encoded one by one, without padding."""
    made = []
    for ids, mask in zip(tokens.ids, tokens.mask, strict=True):
        made.append(method.embed(Tokens(ids[mask][None], mask[mask][None]))[0].tolist())
    return made


class Words(nn.Module):
    """An encoder that is a table of vectors: what is contrasted can be chosen."""

    def __init__(self, vectors):
        super().__init__()
        self.vectors = nn.Parameter(torch.tensor(vectors, dtype=torch.float64))

    def hidden(self, tokens):
        return self.vectors[tokens.ids]

    def pool(self, hidden, tokens):
        return masked_mean(hidden, tokens.mask)

    def forward(self, tokens):
        return self.pool(self.hidden(tokens), tokens)


def of_words(vectors, anchors, positives, *, count=2, temperature=0.5):
    """The contrastive loss of one-word spans; the words are rows of ``vectors``."""
    method = make_method("declutr", objective="contrast", anchors=count, temperature=temperature)
    method.tower.encoder = Words(vectors)

    def spans(words):
        ids = torch.tensor(words)[:, None]
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    index = torch.arange(len(anchors) // count)
    return method.loss(SpanBatch(spans(anchors), spans(positives), None, index, index), generator(0)).total.detach()


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"anchors": 1, "positives": 3, "temperature": 0.05}, {"anchors": 3}])
def test_the_contrast_against_loops(changes):
    method = exact(**changes)
    batch = make_batch(method, 0)
    losses = method.loss(batch, generator(0))
    positives = alone(method, batch.positives)
    p = method.config.positives
    each = [positives[i : i + p] for i in range(0, len(positives), p)]
    expected = oracle.contrastive(alone(method, batch.masked.tokens), each, method.config.temperature)
    assert float(losses.terms["nt_xent"]) == pytest.approx(expected, rel=1e-9)


@torch.no_grad()
def test_the_language_model_against_loops():
    method = exact()
    batch = make_batch(method, 0)
    logits = method.tower.language_head(method.tower.encoder.hidden(batch.masked.tokens)).tolist()
    targets = batch.masked.targets
    asked = [(row, place, int(targets[row, place])) for row, place in (targets != IGNORED).nonzero().tolist()]
    assert 0 < len(asked) < int(batch.anchors.mask.sum())
    found = method.loss(batch, generator(0)).terms["masked_lm"]
    assert float(found) == pytest.approx(oracle.masked_lm(logits, asked), rel=1e-9)


@torch.no_grad()
def test_what_is_not_asked_is_not_foretold():
    method = exact("masked-lm")
    batch = make_batch(method, 0)
    targets = batch.masked.targets
    first = (targets != IGNORED).nonzero()[0]
    without = targets.clone()
    without[tuple(first)] = IGNORED
    other = targets.clone()
    other[tuple(first)] = (targets[tuple(first)] + 1) % 64
    losses = [
        float(method.loss(replace(batch, masked=replace(batch.masked, targets=each)), generator(0)).total)
        for each in (targets, without, other)
    ]
    assert len(set(losses)) == 3


def test_the_two_losses_have_equal_weight():
    method = make_method("declutr")
    losses = method.loss(make_batch(method, 0), generator(0))
    assert losses.terms.keys() == {"nt_xent", "masked_lm"}
    torch.testing.assert_close(losses.total.detach(), losses.terms["nt_xent"] + losses.terms["masked_lm"])


@torch.no_grad()
def test_one_objective_leaves_out_the_other():
    both, contrast, language = exact(), exact("contrast"), exact("masked-lm")
    assert contrast.tower.language_head is None
    whole = make_batch(both, 0)
    for method, term in ((contrast, "nt_xent"), (language, "masked_lm")):
        batch = make_batch(method, 0)
        assert (batch.positives is None, batch.masked is None) == (term == "masked_lm", term == "nt_xent")
        losses = method.loss(batch, generator(0))
        assert losses.terms.keys() == {term}
        assert torch.equal(losses.total, losses.terms[term])
        assert torch.equal(losses.total, method.loss(whole, generator(0)).total), "what is not needed changes nothing"
    of_both = both.loss(whole, generator(0)).terms
    assert torch.equal(of_both["masked_lm"], language.loss(whole, generator(0)).total)
    assert not torch.equal(of_both["nt_xent"], contrast.loss(whole, generator(0)).total), "there the anchors are whole"


@torch.no_grad()
def test_the_anchors_that_are_contrasted_are_the_masked_ones():
    method = exact()
    batch = make_batch(method, 0)
    masked, whole = (nn.functional.normalize(method.embed(x)) for x in (batch.masked.tokens, batch.anchors))
    found = method.loss(batch, generator(0)).embeddings
    torch.testing.assert_close(found, masked)
    assert not torch.allclose(found, whole, atol=1e-3)
    method = exact("contrast")
    batch = make_batch(method, 0)
    torch.testing.assert_close(
        method.loss(batch, generator(0)).embeddings, nn.functional.normalize(method.embed(batch.anchors))
    )


def test_uniform_similarities_give_log_of_the_others():
    uniform = of_words([[3.0, 4.0]], [0] * 6, [0] * 12)
    assert float(uniform) == pytest.approx(math.log(2 * 6 - 1))


def test_the_positives_of_an_anchor_are_averaged_before_the_contrast():
    """Long vectors weigh more in a mean than in a mean of directions; two that cancel leave the third."""
    words = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [4.0, 0.0, 3.0], [-4.0, 0.0, 3.0], [0.0, 2.0, 1.0], [0.0, -2.0, 1.0]]
    anchors, positives = [0, 1], [2, 3, 4, 5]
    found = float(of_words(words, anchors, positives, count=1))
    each = [[words[2], words[3]], [words[4], words[5]]]
    assert found == pytest.approx(oracle.contrastive([words[0], words[1]], each, 0.5))
    assert found == pytest.approx(oracle.contrastive([words[0], words[1]], [[[0, 0, 3]], [[0, 0, 1]]], 0.5))


def test_the_other_anchor_of_a_document_is_a_negative():
    """Two anchors of one document that are alike cost as much as two of different documents: less apart, more loss."""
    axes = torch.eye(8).tolist()
    apart = of_words(axes, [0, 1, 2, 3], [0, 0, 1, 1, 2, 2, 3, 3])
    siblings = of_words(axes, [0, 0, 2, 3], [0, 0, 0, 0, 2, 2, 3, 3])
    strangers = of_words(axes, [0, 1, 0, 3], [0, 0, 1, 1, 0, 0, 3, 3])
    assert float(siblings) > float(apart) + 0.1
    assert float(siblings) == pytest.approx(float(strangers))


def test_gradients_pull_positives_and_push_the_other_anchor():
    words = torch.nn.functional.normalize(torch.randn(8, 5, generator=generator(3), dtype=torch.float64)).tolist()
    method = make_method("declutr", objective="contrast", temperature=0.5)
    method.tower.encoder = Words(words)
    ids = torch.arange(8)[:, None]
    mask = torch.ones(8, 1, dtype=torch.bool)
    anchors, positives = Tokens(ids[:2], mask[:2]), Tokens(ids[4:], mask[4:])
    batch = SpanBatch(anchors, positives, None, torch.arange(1), torch.arange(1))
    method.loss(batch, generator(0)).total.backward()
    step = method.tower.encoder.vectors.detach() - 0.01 * method.tower.encoder.vectors.grad

    def similar(rows, one, other):
        return float(nn.functional.cosine_similarity(rows[one].mean(dim=0), rows[other].mean(dim=0), dim=0))

    before = method.tower.encoder.vectors.detach()
    total = [of_words(rows.tolist(), [0, 1], [4, 5, 6, 7]) for rows in (before, step)]
    assert float(total[1]) < float(total[0])
    assert similar(step, [0], [4, 5]) - similar(step, [0], [1]) > similar(before, [0], [4, 5]) - similar(
        before, [0], [1]
    )


def test_an_embedding_is_the_mean_of_the_states_without_a_head():
    method = make_method("declutr").eval()
    batch = make_batch(method, 0)
    with torch.no_grad():
        hidden = method.tower.encoder.hidden(batch.anchors)
        row = hidden[3][batch.anchors.mask[3]].mean(dim=0)
        torch.testing.assert_close(method.embed(batch.anchors)[3], row)
    assert not list(method.tower.head.parameters())


def test_the_language_head_shares_the_embedding_of_words():
    method = make_method("declutr")
    words = method.tower.encoder.network.get_input_embeddings().weight
    twins = [name for name, p in method.named_parameters(remove_duplicate=False) if p is words]
    assert len(twins) == 2
    assert len([name for name in method.state_dict() if name in twins]) == 1
    before = make_method("declutr", objective="masked-lm")
    before.loss(make_batch(before, 0), generator(0)).total.backward()
    unseen = set(range(64)) - set(make_batch(before, 0).masked.tokens.ids.flatten().tolist())
    assert before.tower.encoder.network.get_input_embeddings().weight.grad[min(unseen)].abs().max() > 0


def test_the_needs_of_each_objective():
    config = make_config("declutr", masked=0.2, sampling="adjacent")
    assert config.needs == SpanNeeds(2, 2, "spans", 2, 8, "adjacent", 0.2)
    assert replace(config, objective="contrast").needs == SpanNeeds(2, 2, "spans", 2, 8, "adjacent", 0.0)
    assert replace(config, objective="masked-lm").needs == SpanNeeds(2, 0, "spans", 2, 8, "adjacent", 0.2)
    paper = DeCLUTRConfig()
    assert (paper.anchors, paper.positives, paper.min_length, paper.temperature, paper.masked) == (2, 2, 32, 0.05, 0.15)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"objective": "mlm"}, "mlm"),
        ({"temperature": -0.1}, r"-0\.1"),
        ({"positives": 0}, "positives=0"),
        ({"anchors": 0}, "anchors is 0"),
        ({"masked": 0.0}, r"masked is 0\.0"),
        ({"masked": 1.0}, r"masked is 1\.0"),
        ({"min_length": 9}, "min_length is 9 and max_length 8"),
        ({"sampling": "nearby"}, "nearby"),
    ],
)
def test_settings_out_of_range_are_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        make_config("declutr", **changes)
