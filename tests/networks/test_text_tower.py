"""A text tower: pooling, independence of batch and padding, tied weights, positions, and the language head."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from tiny_texts import TINY, batch, library_model, tower
from torch import nn

from kinema.core.errors import CheckpointError, ConfigError, ShapeError
from kinema.core.method import load_strictly
from kinema.core.spans import IGNORED, Tokens
from kinema.networks.text import TextTower, build_text_tower, from_folder, masked_mean
from kinema.objectives import masked_lm

KINDS = ("bert", "roberta", "distilbert", "mpnet", "modernbert", "electra")


@pytest.fixture(scope="module")
def net():
    return tower()


def slow_mean(hidden, mask):
    """Row by row, token by token."""
    rows = []
    for states, there in zip(hidden, mask, strict=True):
        own = [state for state, yes in zip(states, there, strict=True) if yes]
        rows.append(sum(own) / len(own) if own else torch.zeros_like(states[0]))
    return torch.stack(rows)


def test_an_embedding_is_the_mean_of_its_tokens(net):
    tokens = batch((9, 4, 1))
    hidden = net.encoder.hidden(tokens)
    assert hidden.shape == (3, 9, 32)
    torch.testing.assert_close(net.embed(tokens), slow_mean(hidden, tokens.mask))
    assert net.embed(tokens).shape == (3, net.encoder.dim)
    torch.testing.assert_close(net(tokens).norm(dim=1), torch.ones(3))


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_the_masked_mean_sees_nothing_behind_the_mask(rows):
    mask = torch.tensor(rows)
    hidden = torch.arange(mask.numel() * 2.0).reshape(*mask.shape, 2).sin()
    expected = slow_mean(hidden, mask)
    torch.testing.assert_close(masked_mean(hidden.masked_fill(~mask.unsqueeze(-1), float("nan")), mask), expected)


@pytest.fixture(scope="module", params=KINDS)
def of_library(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    library_model(request.param).save_pretrained(folder)
    return tower(from_folder(folder))


@torch.no_grad()
def test_an_embedding_ignores_its_neighbours_and_the_padding(of_library):
    net, tokens = of_library, batch((9, 4, 1))
    batched = net.embed(tokens)
    longer = Tokens(*(nn.functional.pad(x, (0, 7)) for x in (tokens.ids, tokens.mask)))
    garbage = Tokens(longer.ids.masked_fill(~longer.mask, 77), longer.mask)
    for other in (longer, garbage):
        torch.testing.assert_close(net.embed(other), batched, atol=1e-5, rtol=0)
    for row, length in enumerate((9, 4, 1)):
        alone = Tokens(tokens.ids[row : row + 1, :length], tokens.mask[row : row + 1, :length])
        torch.testing.assert_close(net.embed(alone)[0], batched[row], atol=1e-5, rtol=0)
    assert (batched[0] - batched[1]).abs().max() > 1e-2


@torch.no_grad()
def test_the_positions_are_all_there_are(of_library):
    """So many tokens pass and change the embedding to the last; one more is refused by us, not by an index error."""
    net, length = of_library, of_library.positions
    assert length == of_library.encoder_config.positions
    full = batch((length,))
    changed = Tokens(full.ids.clone(), full.mask)
    changed.ids[0, -1] = (changed.ids[0, -1] - 5 + 1) % 295 + 5
    assert (net.embed(full) - net.embed(changed)).abs().max() > 1e-4
    with pytest.raises(ShapeError, match=f"{length + 1} tokens.*{length} positions"):
        net.embed(batch((length + 1,)))


def test_ids_outside_of_the_vocabulary_are_refused(net):
    with pytest.raises(ShapeError, match="300 rows"):
        net.embed(Tokens(torch.tensor([[5, 300]]), torch.ones(1, 2, dtype=torch.bool)))


def test_no_sequences_are_no_embeddings(net):
    nothing = Tokens(torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool))
    assert net.embed(nothing).shape == (0, 32)


@torch.no_grad()
def test_the_language_head_can_answer_for_a_few_tokens_alone(of_library):
    """It is the whole model's answer, computed at a few tokens."""
    net, tokens = of_library, batch((9, 4))
    targets = torch.full((2, 9), IGNORED)
    targets[0, 2], targets[0, 7], targets[1, 0] = 11, 12, 13
    hidden = net.encoder.hidden(tokens)
    few = net.masked_logits(hidden, targets)
    assert few.shape == (3, 300)
    torch.testing.assert_close(few, net.language_head(hidden)[targets != IGNORED], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(masked_lm(few, targets), masked_lm(net.language_head(hidden), targets))
    with pytest.raises(ShapeError, match=r"\(2, 8\)"):
        net.masked_logits(hidden, targets[:, :8])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_taken_apart_it_is_still_the_model_of_the_library(kind, tmp_path):
    theirs = library_model(kind)
    theirs.save_pretrained(tmp_path)
    ours, tokens = tower(from_folder(tmp_path)), batch((9, 9))
    base = f"{theirs.base_model_prefix}."
    for key, value in theirs.state_dict().items():
        own = key.replace(base, "encoder.network.", 1) if key.startswith(base) else f"language_head.network.{key}"
        ours.get_parameter(own).copy_(value)
    found = ours.language_head(ours.encoder.hidden(tokens))
    torch.testing.assert_close(found, theirs(input_ids=tokens.ids).logits, atol=1e-5, rtol=1e-5)


def test_attention_is_pytorchs(net):
    assert net.encoder.network.config._attn_implementation == "sdpa"


def test_shared_weights_are_one_parameter_and_stand_once_in_the_state(net):
    table = net.encoder.network.embeddings.word_embeddings.weight
    assert net.language_head.network.cls.predictions.decoder.weight is table
    state = net.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    assert set(state) == {name for name, _ in net.named_parameters()}


def test_a_state_comes_back_through_safetensors():
    one, two = tower(head="tanh", seed=0), tower(head="tanh", seed=1)
    state = load(save({key: value.contiguous() for key, value in one.state_dict().items()}))
    load_strictly(two, state, "the tower")
    tokens = batch()
    assert torch.equal(one(tokens), two(tokens))
    hidden = one.encoder.hidden(tokens)
    assert torch.equal(one.language_head(hidden), two.language_head(hidden))
    for wrong in ({k: v for k, v in state.items() if "word_embeddings" not in k}, state | {"more": torch.zeros(1)}):
        with pytest.raises(CheckpointError):
            load_strictly(two, wrong, "the tower")
        with pytest.raises(RuntimeError):
            two.load_state_dict(wrong, strict=True)


def test_a_state_comes_back_as_a_part_of_a_method():
    class Whole(nn.Module):
        def __init__(self, seed):
            super().__init__()
            self.tower = tower(seed=seed)

    one, two = Whole(0), Whole(1)
    state = one.state_dict()
    assert not any("decoder" in key for key in state)
    two.load_state_dict(state, strict=True)
    assert torch.equal(one.tower(batch()), two.tower(batch()))
    assert state.keys() == one.state_dict().keys(), "loading changed what it was given"


def test_a_step_and_a_copy_leave_them_shared():
    net = deepcopy(tower())
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    tokens, targets = batch((6,)), torch.tensor([[7, IGNORED, 9, IGNORED, IGNORED, IGNORED]])
    before = net.encoder.network.embeddings.word_embeddings.weight.clone()
    masked_lm(net.masked_logits(net.encoder.hidden(tokens), targets), targets).backward()
    optimiser.step()
    table = net.encoder.network.embeddings.word_embeddings.weight
    assert net.language_head.network.cls.predictions.decoder.weight is table
    assert not torch.equal(table, before)
    frozen = net.frozen_copy()
    assert isinstance(frozen, TextTower)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert torch.equal(frozen(tokens), net(tokens))


def test_heads_do_not_change_where_an_encoder_starts():
    plain = tower(language=False).encoder.state_dict()
    for options in ({}, {"head": "tanh"}, {"head": "tanh", "language": False}):
        other = tower(**options).encoder.state_dict()
        assert all(torch.equal(value, other[key]) for key, value in plain.items())
    assert not torch.equal(plain["network.embeddings.word_embeddings.weight"], next(tower(seed=1).parameters()))


def test_simcses_head_is_left_behind():
    net, tokens = tower(head="tanh"), batch()
    z = net.head(net.embed(tokens))
    torch.testing.assert_close(z, torch.tanh(net.embed(tokens) @ net.head.dense.weight.T + net.head.dense.bias))
    assert torch.equal(net.embed(tokens), tower().embed(tokens))
    with pytest.raises(ConfigError, match="tanh"):
        build_text_tower(TINY, "mlp")


def test_without_a_language_head_nothing_can_be_predicted():
    net = tower(language=False)
    assert not any(name.startswith("language_head") for name in net.state_dict())
    with pytest.raises(ConfigError, match="language=True"):
        net.masked_logits(torch.zeros(1, 2, 32), torch.zeros(1, 2, dtype=torch.int64))


def test_dropout_is_drawn_in_training_only():
    net = build_text_tower(TINY)
    tokens = batch()
    assert all(module.training for module in net.modules())
    assert not torch.equal(net(tokens), net(tokens)), "SimCSE's two views are these"
    net.eval()
    assert torch.equal(net(tokens), net(tokens))


def test_the_stages_hold_every_parameter_of_the_encoder_once(of_library):
    stages = of_library.encoder.stages()
    held = [id(p) for stage in stages for p in stage]
    assert sorted(held) == sorted(id(p) for p in of_library.encoder.parameters())
    assert len(stages) == 3
    names = {id(p): name for name, p in of_library.encoder.named_parameters()}
    assert any("embeddings" in names[id(p)] for p in stages[0])
    assert all(".0." in names[id(p)] for p in stages[1])
