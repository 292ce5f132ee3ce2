"""What every method promises (kinema.core.method), held for each that a user can name."""

import json
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace

import pytest
import torch
from debug_size import (
    BATCH,
    CLASSES,
    CLIPS,
    ENCODERS,
    EVERY,
    PAIRS,
    QUESTIONS,
    SEQUENCES,
    TEXTS,
    TRACKLETS,
    VIDEOS,
    fill,
    generator,
    make_batch,
    make_method,
    make_plan,
    snapshot,
    train_step,
)
from torch import nn

from kinema.core.method import Method
from kinema.core.questions import QuestionBatch
from kinema.core.records import mapped
from kinema.core.spans import Tokens, joined
from kinema.recipes.json import recipe_from_plain, recipe_to_plain

every_method = pytest.mark.parametrize("name", EVERY)
NORMS = [(name, norm) for name in CLIPS for norm in ("group", "batch")]
NORMS_OF_CROPS = [(name, norm) for name in TRACKLETS for norm in ("group", "batch")]
NORMS_OF_PAIRS = [(name, norm) for name in PAIRS for norm in ("group", "batch")]
every_norm = pytest.mark.parametrize(
    ("name", "norm"),
    [
        *NORMS,
        *NORMS_OF_CROPS,
        *NORMS_OF_PAIRS,
        *((name, "layer") for name in TEXTS),
        *((name, "none") for name in SEQUENCES + QUESTIONS),
    ],
)

BESIDE_TOWERS = {
    "supervised": {"classifier"},
    "cmd": {"keyframe_net", "keyframe_head", "motion_net", "motion_head", "predictor", "predicted_head"},
    "elo": {"heads", "tower_grey"},
    "elo-sound": {"heads"},
    **{key: {"classifiers"} for key in TRACKLETS},
}
"""What a method learns outside of the towers that it trains; nothing, for those that are not named."""

UNUSED_IN_TOWERS = {"supervised": {"head"}, "be-regulariser": {"head"}}
"""Parts of trained towers that a method leaves alone."""

ZERO_AT_FIRST = {"trl", "trl-triplet"}
"""Methods with a layer that starts at 0: no gradient comes through it before the first step."""


def tensors(value):
    """All tensors of a batch, whatever its modality."""
    if isinstance(value, torch.Tensor):
        return [value]
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, dict):
        value = value.values()
    return [] if value is None else [x for each in value for x in tensors(each)]


@every_method
def test_the_loss_is_one_finite_number_with_a_gradient(name):
    method = make_method(name)
    step = fill(method)
    batch = make_batch(method, step)
    losses = method.loss(batch, generator(step))
    assert losses.ready
    assert losses.total.shape == ()
    assert losses.total.requires_grad
    assert torch.isfinite(losses.total)
    assert float(losses.total.detach()) > 0
    each = method.needs.frames if name in SEQUENCES else getattr(method.needs, "anchors", 1)
    assert losses.embeddings.shape[0] == BATCH * each
    assert losses.embeddings.dim() == 2
    carried = [losses.embeddings, *losses.terms.values(), *losses.pending.values()]
    assert not [value for value in carried if value.requires_grad]
    if losses.mined is not None:
        assert losses.mined.shape[0] == BATCH
        assert losses.mined.dtype == torch.int64
        assert int(losses.mined.min()) >= -1
        assert int(losses.mined.max()) < VIDEOS


@every_norm
def test_the_loss_is_pure(name, norm):
    method = make_method(name, norm=norm)
    step = fill(method)
    statistics = {
        f"{path}.{key}"
        for path, module in method.named_modules(remove_duplicate=False)
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for key in module.state_dict()
        if key in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert bool(statistics) == (norm == "batch" or name in PAIRS)  # the layer of codes normalises over the batch
    before, batch = snapshot(method), make_batch(method, step)
    content = deepcopy(batch)
    global_state = torch.random.get_rng_state()
    first, second = (method.loss(batch, generator(step)) for _ in range(2))
    assert torch.equal(first.total, second.total)
    assert first.terms.keys() == second.terms.keys()
    assert all(torch.equal(first.terms[key], second.terms[key]) for key in first.terms)
    assert first.pending.keys() == second.pending.keys()
    assert all(torch.equal(first.pending[key], second.pending[key]) for key in first.pending)
    after = snapshot(method)
    assert not [key for key in before if key not in statistics and not torch.equal(before[key], after[key])]
    assert all(torch.equal(x, y) for x, y in zip(tensors(content), tensors(batch), strict=True))
    assert torch.equal(torch.random.get_rng_state(), global_state)


@every_method
def test_gradients_reach_exactly_what_is_declared(name):
    method = make_method(name)
    step = fill(method)
    if name in ZERO_AT_FIRST:
        train_step(method, torch.optim.SGD(method.parameters(), lr=0.1), step)
        method.zero_grad()
    method.loss(make_batch(method, step), generator(step)).total.backward()
    towers = method.towers()
    assert set(method.trains) <= set(towers)
    unused = UNUSED_IN_TOWERS.get(name, set())
    declared = {
        id(p) for view in method.trains for key, p in towers[view].named_parameters() if key.split(".")[0] not in unused
    }
    beside = BESIDE_TOWERS.get(name, ())
    declared |= {id(p) for key, p in method.named_parameters() if key.split(".")[0] in beside}
    for key, parameter in method.named_parameters():
        if id(parameter) in declared:
            assert parameter.requires_grad, key
            assert parameter.grad is not None, f"no gradient reaches {key}"
            assert torch.isfinite(parameter.grad).all(), key
            assert parameter.grad.abs().max() > 0, f"the gradient of {key} is zero"
        else:
            assert not parameter.requires_grad, f"{key} is learnt but not declared"
            assert parameter.grad is None, key


@every_method
def test_all_state_is_in_the_state_dict(name):
    """A tensor that is neither a parameter nor a persistent buffer would be lost with the process.

    Buffers that are not persistent may hold what is the same in every network of that shape, such as positions.
    """
    method, other = make_method(name), make_method(name, seed=1)
    fill(method)
    held = {id(p) for p in method.parameters()} | {id(b) for b in method.buffers()}
    loose = [
        f"{path}.{key}"
        for path, module in method.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, torch.Tensor) and id(value) not in held
    ]
    assert loose == []
    state, constants = method.state_dict(), dict(other.named_buffers())
    assert not [key for key, x in method.named_buffers() if key not in state and not torch.equal(x, constants[key])]


@pytest.mark.parametrize(("name", "norm"), NORMS)
def test_an_embedding_does_not_depend_on_its_batch_mates(name, norm):
    method = make_method(name, norm=norm)
    fill(method)
    method.eval()
    x = make_batch(method, 0).view(0, method.view)
    others = torch.randn(x.shape, generator=generator(99)) * 5
    others[3] = x[3]
    with torch.no_grad():
        z, beside_others, alone = method.embed(x), method.embed(others), method.embed(x[3:4])
    assert z.shape == (BATCH, ENCODERS["clips"].width * 8)
    torch.testing.assert_close(beside_others[3], z[3], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(alone[0], z[3], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(z[0], z[3], atol=1e-3)


@pytest.mark.parametrize("name", TEXTS)
def test_an_embedding_depends_neither_on_its_batch_mates_nor_on_padding(name):
    method = make_method(name).eval()
    x = make_batch(method, 0).anchors
    row, length = next((n, int(mask.sum())) for n, mask in enumerate(x.mask) if not mask.all())
    alone = Tokens(x.ids[row : row + 1, :length], x.mask[row : row + 1, :length])
    longest = Tokens(torch.full((1, 16), 9), torch.ones(1, 16, dtype=torch.bool))
    with torch.no_grad():
        z, unpadded, padded = method.embed(x), method.embed(alone), method.embed(joined([longest, alone]))
    assert z.shape == (len(x), ENCODERS["documents"].width)
    torch.testing.assert_close(unpadded[0], z[row], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(padded[1], z[row], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(z[row], z[row - 1], atol=1e-3)


@pytest.mark.parametrize(("name", "norm"), NORMS_OF_CROPS)
def test_a_descriptor_depends_neither_on_its_batch_mates_nor_on_padding(name, norm):
    method = make_method(name, norm=norm)
    train_step(method, torch.optim.SGD(method.parameters(), lr=0.1), 0)
    method.eval()
    batch = make_batch(method, 0)
    row = next(n for n, mask in enumerate(batch.mask) if not mask.all())
    length = int(batch.mask[row].sum())
    others = torch.randn(batch.frames.shape, generator=generator(99)) * 5  # and in the place of padding
    others[row, :length] = batch.frames[row, :length]
    with torch.no_grad():
        z, beside = method.embed(batch.frames, batch.mask), method.embed(others, batch.mask)
        alone = method.embed(batch.frames[row : row + 1, :length])
    assert z.shape == (BATCH, method.towers()[method.view].dim)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(BATCH))
    torch.testing.assert_close(beside[row], z[row], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(alone[0], z[row], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(z[row], z[row - 1], atol=1e-3)


@pytest.mark.parametrize(("name", "norm"), NORMS_OF_PAIRS)
def test_a_code_does_not_depend_on_its_batch_mates(name, norm):
    method = make_method(name, norm=norm)
    train_step(method, torch.optim.SGD(method.parameters(), lr=0.1), 0)
    method.eval()
    batch = make_batch(method, 0)
    for view, tower in method.towers().items():
        x = batch.view(view)
        others = torch.randn(x.shape, generator=generator(99)) * 5
        others[3] = x[3]
        with torch.no_grad():
            z, beside, alone = tower.embed(x), tower.embed(others), tower.embed(x[3:4])
        assert z.shape == (BATCH, tower.dim)
        torch.testing.assert_close(beside[3], z[3], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(alone[0], z[3], atol=1e-6, rtol=1e-5)
        assert not torch.allclose(z[0], z[3], atol=1e-3)


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_does_not_depend_on_its_batch_mates(name):
    method = make_method(name)
    train_step(method, torch.optim.SGD(method.parameters(), lr=0.1), 0)
    method.eval()
    batch, other = make_batch(method, 0), make_batch(method, 1)
    inputs = torch.arange(3 * batch.count, 4 * batch.count)
    rows = {"index": slice(3, 4), "lines": slice(3, 4), "frames": slice(3, 4), "options": inputs}
    alone = {key: mapped(getattr(batch, key), lambda x, at=at: x[at]) for key, at in rows.items()}
    beside = deepcopy(other)
    for key, at in rows.items():
        for x, mine in zip(tensors(getattr(beside, key)), tensors(alone[key]), strict=True):
            x[at] = mine
    with torch.no_grad():
        z, mixed, by_itself = method.embed(batch), method.embed(beside), method.embed(QuestionBatch(**alone))
    assert z.shape == (BATCH, batch.count, method.towers()["question"].dim)
    torch.testing.assert_close(mixed[3], z[3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(by_itself[0], z[3], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(z[0], z[3], atol=1e-3)


@every_method
def test_the_recipe_survives_json(name):
    plan = make_plan(name, epochs=3, seed=5, view="residual", guide="rgb")
    recipe = plan.recipe()
    plain = recipe_to_plain(recipe)
    again = recipe_from_plain(json.loads(json.dumps(plain)))
    assert again == recipe
    assert recipe_to_plain(again) == plain
    assert again != replace(plan, seed=6).recipe()
    assert [type(phase.method) for phase in again.phases] == [type(phase.method) for phase in recipe.phases]
    assert (type(again.data), type(again.encoder)) == (type(plan.data), type(plan.encoder))


@every_method
def test_a_method_reads_labels_only_where_it_says_so(name):
    method = make_method(name)
    step = fill(method)
    assert isinstance(method, Method)
    batch = make_batch(method, step)
    key = "labels" if name in TRACKLETS + PAIRS else "answer" if name in QUESTIONS else "label"
    label = getattr(batch, key, None)
    assert (label is not None) == method.needs.labels
    if label is not None:
        told = replace(batch, **{key: ~label if name in PAIRS else (label + 1) % (3 if name in QUESTIONS else CLASSES)})
        assert not torch.equal(method.loss(batch, generator(step)).total, method.loss(told, generator(step)).total)
