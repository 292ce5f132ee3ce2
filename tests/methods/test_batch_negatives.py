"""The batch's own keys: negatives for one another, unless they are of one recording."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_method
from torch import nn
from torch.nn.functional import normalize

from kinema.core.seeds import generator_at

CHANGED = 3
"""The clip whose key is changed; clip 2 is of the same recording."""

SETTINGS = {"moco": {}, "cpr": {"miner": "query", "drop_own": 0.0}}
"""Under which keys count in the loss alone, not in the mining."""


class Given(nn.Module):
    """A tower that gives what it was given."""

    def __init__(self, z):
        super().__init__()
        self.z = nn.Parameter(z)

    def forward(self, x):
        return self.z


def directions(address):
    return normalize(torch.randn(BATCH, 16, generator=generator_at(5, address)), dim=1)


def affected(name, *, alone=False, **changes):
    """Which clips' share of the loss changes with one clip's key: the gradient at a query tells its own terms only."""
    method = make_method(name, **SETTINGS[name], **changes)
    step = fill(method)
    batch = make_batch(method, step)
    if alone:
        batch = replace(batch, source=batch.source * 0 + 1000 + torch.arange(BATCH))
    method.f_q = Given(directions("queries"))
    gradients = []
    for key in (directions("keys")[CHANGED], directions("other")[CHANGED]):
        keys = directions("keys")
        keys[CHANGED] = key
        method.f_k = Given(keys)
        total = method.loss(batch, generator(step)).total
        gradients.append(torch.autograd.grad(total, method.f_q.z)[0])
    return {clip for clip in range(BATCH) if not torch.allclose(gradients[0][clip], gradients[1][clip], atol=1e-7)}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_key_is_a_negative_of_every_other_recording_in_the_batch(name):
    assert affected(name, alone=True) == set(range(BATCH))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_sibling_in_the_batch_is_neither_positive_nor_negative(name):
    assert affected(name) == set(range(BATCH)) - {CHANGED - 1}


@pytest.mark.parametrize("name", SETTINGS)
def test_without_batch_negatives_a_key_is_its_own_clips_alone(name):
    assert affected(name, negatives_from="queue") == {CHANGED}


def test_siblings_in_the_batch_are_negatives_of_moco_where_asked():
    assert affected("moco", siblings="negatives") == set(range(BATCH))


@pytest.mark.parametrize("name", SETTINGS)
def test_being_like_another_recordings_key_costs(name):
    method = make_method(name, **SETTINGS[name])
    step = fill(method)
    batch = make_batch(method, step)
    one, other = directions("queries")[:2]
    queries = one.repeat(BATCH, 1)
    queries[CHANGED] = normalize(other - (other @ one) * one, dim=0)  # its own key means nothing to it, either way
    method.f_q = Given(queries)
    totals = []
    for sign in (1, -1):
        keys = directions("keys")
        keys[CHANGED] = sign * one
        method.f_k = Given(keys)
        totals.append(float(method.loss(batch, generator(step)).total.detach()))
    assert totals[0] > totals[1] + 0.1
