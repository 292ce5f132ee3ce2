import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import kinema.data.documents.module as home
from kinema.core.errors import ConfigError, DataError
from kinema.core.seeds import generator_at
from kinema.core.spans import IGNORED, SpanNeeds
from kinema.data.documents.config import DocumentsConfig
from kinema.data.documents.corpus import tokenize

SPANS = SpanNeeds(2, 2, min_length=4, max_length=16, masked=0.15)
SENTENCES = SpanNeeds(2, cut="sentences", min_length=4, max_length=6)


@pytest.fixture(scope="module")
def loaded(table):
    return DocumentsConfig(vocabulary=128).load(table, [SPANS, SENTENCES])


@pytest.fixture
def module(loaded):
    return loaded.module(SPANS, batch_size=4, seed=7)


def same(a, b):
    tokens = [(a.anchors, b.anchors)] + ([(a.positives, b.positives)] if a.positives is not None else [])
    return all(torch.equal(x.ids, y.ids) and torch.equal(x.mask, y.mask) for x, y in tokens) and all(
        torch.equal(getattr(a, name), getattr(b, name)) for name in ("special", "index", "source", "label")
    )


def unpadded(tokens, row):
    return tokens.ids[row][tokens.mask[row]].tolist()


def test_an_epoch_shows_every_document_in_batches_of_one_size(module, table):
    assert module.batches == 3
    batches = list(module.loader(0))
    assert [len(batch) for batch in batches] == [4, 4, 4]
    order = torch.cat([batch.index for batch in batches]).tolist()
    assert sorted(order[:10]) == list(range(10))
    assert order[10:] == order[:2]
    assert order != torch.cat([batch.index for batch in module.loader(1)]).tolist()
    for batch in batches:
        assert [table.label_ids()[row] for row in batch.index] == batch.label.tolist()
        assert [table.source_ids()[row] for row in batch.index] == batch.source.tolist()


def test_a_loader_goes_on_at_any_batch(module):
    whole = list(module.loader(3))
    for first in range(4):
        rest = list(module.loader(3, first))
        assert len(rest) == 3 - first
        assert all(same(a, b) for a, b in zip(whole[first:], rest, strict=True))


def test_spans_depend_on_seed_and_epoch_and_not_on_the_size_of_a_batch(loaded, module):
    one = {int(raw.index): unpadded(raw.anchors, 0) for raw in loaded.module(SPANS, batch_size=1, seed=7).loader(2)}
    for raw in module.loader(2):
        for place, row in enumerate(raw.index.tolist()):
            assert unpadded(raw.anchors, 2 * place) == one[row]
    other = {int(raw.index): unpadded(raw.anchors, 0) for raw in loaded.module(SPANS, batch_size=1, seed=8).loader(2)}
    later = {int(raw.index): unpadded(raw.anchors, 0) for raw in loaded.module(SPANS, batch_size=1, seed=7).loader(3)}
    assert one not in (other, later)


def test_spans_are_those_of_their_documents_with_special_tokens_around_them(module, table, tokenizer):
    texts = list(table.texts())
    for raw in module.loader(0):
        assert len(raw.anchors) == 8
        assert len(raw.positives) == 16
        for place, row in enumerate(raw.index.tolist()):
            document = tokenizer.encode([texts[row]])[0]
            spans = [unpadded(raw.anchors, 2 * place + a) for a in range(2)]
            spans += [unpadded(raw.positives, 4 * place + p) for p in range(4)]
            for span in spans:
                assert (span[0], span[-1]) == (tokenizer.prefix[0], tokenizer.suffix[0])
                inner = span[1:-1]
                assert 1 <= len(inner) <= 16
                assert any(document[at : at + len(inner)] == inner for at in range(len(document)))
        assert torch.equal(
            raw.special, ~raw.anchors.mask | torch.isin(raw.anchors.ids, torch.tensor(tokenizer.special_ids))
        )


def test_repeats_show_other_spans_of_each_document(table):
    twice = DocumentsConfig(vocabulary=128, repeats=2).load(table, SPANS).module(SPANS, batch_size=5, seed=7)
    assert twice.batches == 4
    seen = {}
    for raw in twice.loader(0):
        for place, row in enumerate(raw.index.tolist()):
            seen.setdefault(row, []).append(unpadded(raw.anchors, 2 * place))
    assert all(len(spans) == 2 for spans in seen.values())
    assert sum(first != second for first, second in seen.values()) > 7


def test_two_ranks_see_together_what_one_alone_would(loaded, monkeypatch):
    alone = list(loaded.module(SPANS, batch_size=4, seed=7).loader(1))
    halves = []
    for rank in range(2):
        monkeypatch.setattr(home, "world_size", lambda: 2)
        monkeypatch.setattr(home, "rank_slice", lambda rows, rank=rank: slice(rank * rows, (rank + 1) * rows))
        module = loaded.module(SPANS, batch_size=2, seed=7)
        assert module.batches == 3
        halves.append(list(module.loader(1)))
    for whole, first, second in zip(alone, *halves, strict=True):
        assert torch.equal(whole.index, torch.cat([first.index, second.index]))
        assert unpadded(whole.anchors, 5) == unpadded(second.anchors, 1)


def test_a_batch_masks_the_anchors_alone_and_hides_labels_unless_they_are_asked_for(module, tokenizer):
    raw = next(iter(module.loader(0)))
    batch = module.batch(raw, generator_at(0, "augment", 1))
    again = module.batch(raw, generator_at(0, "augment", 1), labels=True)
    other = module.batch(raw, generator_at(0, "augment", 2))
    assert batch.label is None
    assert torch.equal(again.label, raw.label)
    asked = batch.masked.targets != IGNORED
    assert asked.any()
    assert not (asked & raw.special).any()
    assert torch.equal(batch.masked.targets[asked], raw.anchors.ids[asked])
    assert torch.equal(batch.masked.tokens.ids[~asked], raw.anchors.ids[~asked])
    assert (batch.masked.tokens.ids == tokenizer.mask_id).any()
    assert torch.equal(again.masked.targets, batch.masked.targets)
    assert not torch.equal(other.masked.targets, batch.masked.targets)
    assert len(batch) == 4


def test_without_masking_and_positives_a_batch_has_none(loaded):
    module = loaded.module(replace(SPANS, masked=0.0, positives=0), batch_size=4, seed=7)
    batch = module.batch(next(iter(module.loader(0))), generator_at(0))
    assert batch.masked is None
    assert batch.positives is None


def test_sentences_are_whole_and_different_ones(loaded, table, tokenizer):
    from kinema.data.documents import sentences

    module = loaded.module(SENTENCES, batch_size=4, seed=7)
    texts = list(table.texts())
    assert module.scaled == 0
    for raw in module.loader(0):
        assert raw.positives is None
        for place, row in enumerate(raw.index.tolist()):
            known = [ids[:6] for ids in tokenizer.encode(sentences(texts[row]))]
            first, second = (unpadded(raw.anchors, 2 * place + a)[1:-1] for a in range(2))
            assert first in known
            assert second in known
            assert first != second


def test_scaled_documents_are_counted_and_not_refused(loaded, table, tokenizer, caplog):
    lengths = tokenize(table, tokenizer, "spans").lengths()
    with caplog.at_level(logging.INFO):
        module = loaded.module(SPANS, batch_size=4, seed=7)
    assert 0 < module.scaled == (lengths < 64).sum() < 10
    assert f"{module.scaled} of 10 documents have fewer than 64 tokens" in caplog.text
    assert loaded.module(replace(SPANS, max_length=4), batch_size=4, seed=7).scaled == 0


def test_documents_without_a_token_are_left_out_and_too_few_are_refused(table, tokenizer):
    whole = tokenize(table, tokenizer, "spans")
    bounds = whole.bounds.copy()
    bounds[3:] -= bounds[3] - bounds[2]
    module = home.SpanModule(replace(whole, bounds=bounds), table, tokenizer, SPANS, batch_size=3, seed=0)
    assert module.left_out == [table.rows[2].id]
    assert 2 not in torch.cat([raw.index for raw in module.loader(0)])
    bounds = whole.bounds.copy()
    bounds[2:] = bounds[1]
    with pytest.raises(DataError, match="1 of 10 documents have a token"):
        home.SpanModule(replace(whole, bounds=bounds), table, tokenizer, SPANS, batch_size=3, seed=0)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        home.SpanModule(whole, table, tokenizer, SPANS, batch_size=0, seed=0)


def test_features_are_those_of_whole_documents(module, tower, table, tokenizer):
    tower.train()
    features = module.features(SimpleNamespace(towers=lambda: {"text": tower}))
    assert tower.training
    assert features["text"].shape == (10, 8)
    ids = tokenizer.encode([table.text(3)])[0]
    vectors = tower.encoder.vectors.weight.detach()
    around = vectors[[*tokenizer.prefix, *tokenizer.suffix]].sum(dim=0)
    windows = [ids[at : at + 16] for at in range(0, len(ids), 16)]
    means = [(vectors[window].sum(dim=0) + around) / (len(window) + 2) for window in windows]
    expected = sum(mean * len(window) for mean, window in zip(means, windows, strict=True)) / len(ids)
    torch.testing.assert_close(features["text"][3], expected)
