"""Tokens that are to be predicted: which, how many, what stands in their place, and nothing drawn from elsewhere."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_texts import batch

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.spans import IGNORED, Tokens
from kinema.data.documents.masking import mask_tokens

MASK, ORDINARY = 4, torch.arange(5, 300)


def masked(tokens, share=0.15, seed=0, special=None, ordinary=ORDINARY):
    special = tokens.ids < 5 if special is None else special
    generator = torch.Generator().manual_seed(seed)
    return mask_tokens(tokens, special, share, mask_id=MASK, ordinary=ordinary, generator=generator)


def framed(rows=64, length=128):
    """Rows that begin with [CLS] and end with [SEP] and padding."""
    tokens = batch([length - n % 7 for n in range(rows)])
    ids = tokens.ids.clone()
    ids[:, 0] = 2
    ids[torch.arange(rows), tokens.mask.sum(1) - 1] = 3
    return Tokens(ids, tokens.mask)


def test_fifteen_in_a_hundred_and_eighty_ten_ten():
    tokens = framed(512)
    found = masked(tokens)
    chosen = found.targets != IGNORED
    allowed = (tokens.mask & (tokens.ids >= 5)).sum()
    assert chosen.sum() / allowed == pytest.approx(0.15, abs=0.006)
    seen, true = found.tokens.ids[chosen], found.targets[chosen]
    hidden, left = seen == MASK, seen == true
    assert hidden.float().mean() == pytest.approx(0.8, abs=0.015)
    assert left.float().mean() == pytest.approx(0.1, abs=0.015)
    replaced = seen[~hidden & ~left]
    assert len(replaced) / len(seen) == pytest.approx(0.1, abs=0.015)
    assert len(replaced.unique()) > 200, "the replacements are drawn from the whole vocabulary"


@given(st.integers(0, 2**31), st.floats(0.0, 0.95), st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_what_is_chosen_is_true_and_the_rest_untouched(seed, share, rows, length):
    tokens = framed(rows, length + 8)
    found = masked(tokens, share, seed)
    chosen = found.targets != IGNORED
    assert torch.equal(found.targets[chosen], tokens.ids[chosen])
    assert torch.equal(found.tokens.ids[~chosen], tokens.ids[~chosen])
    assert torch.equal(found.tokens.mask, tokens.mask)
    assert not (chosen & ((tokens.ids < 5) | ~tokens.mask)).any(), "special tokens and padding are never chosen"
    changed = found.tokens.ids[chosen & (found.tokens.ids != tokens.ids)]
    assert ((changed == MASK) | (changed >= 5)).all(), "no special token stands in for another"
    assert chosen.any() == (share > 0), "a batch has a token to predict, unless none is wanted"


def test_it_is_a_function_of_its_generator_alone():
    tokens = framed()
    ids = tokens.ids.clone()
    before = torch.get_rng_state()
    one, same, other = masked(tokens), masked(tokens), masked(tokens, seed=1)
    assert torch.equal(one.tokens.ids, same.tokens.ids)
    assert torch.equal(one.targets, same.targets)
    assert not torch.equal(one.targets, other.targets)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(tokens.ids, ids), "the batch was changed"


def test_a_larger_share_only_adds():
    """The draws are shared: what 15 % chose, 30 % chose too."""
    small, large = (masked(framed(), share).targets != IGNORED for share in (0.15, 0.3))
    assert (small & ~large).sum() == 0
    assert large.sum() > 1.7 * small.sum()


def test_a_batch_of_special_tokens_has_none_to_predict():
    tokens = Tokens(torch.tensor([[2, 3, 0]]), torch.tensor([[True, True, False]]))
    found = masked(tokens)
    assert (found.targets == IGNORED).all()
    assert torch.equal(found.tokens.ids, tokens.ids)
    empty = Tokens(torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool))
    assert masked(empty).targets.shape == (0, 0)


def test_the_one_that_is_chosen_in_a_small_batch_is_not_always_the_first():
    tokens = framed(1, 8)
    places = {int((masked(tokens, 1e-6, seed).targets != IGNORED).nonzero()[0, 1]) for seed in range(40)}
    assert places == set(range(1, 7))


def test_what_cannot_be_done_is_refused():
    tokens = framed(2, 8)
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="share"):
            masked(tokens, share)
    with pytest.raises(ShapeError, match="special"):
        masked(tokens, special=torch.zeros(2, 7, dtype=torch.bool))
    with pytest.raises(ShapeError, match="ordinary"):
        masked(tokens, ordinary=torch.zeros(0, dtype=torch.int64))
