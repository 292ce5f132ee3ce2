"""InfoNCE within a batch: against loops, where its value is known, and its one direction."""

import math

import pytest
import torch
from oracles import objectives as oracle
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import in_batch_nce


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_equals_the_oracle(temperature):
    q, k = unit(5, 3, seed=1), unit(5, 3, seed=2)
    expected = oracle.in_batch_nce(q.tolist(), k.tolist(), temperature)
    assert in_batch_nce(q, k, temperature).item() == pytest.approx(expected)


def test_uniform_similarities_give_log_of_the_batch():
    z = unit(1, 3).expand(6, 3)
    assert in_batch_nce(z, z, 0.1).item() == pytest.approx(math.log(6))


def test_orthogonal_pairs_in_closed_form():
    axes = torch.eye(4, dtype=torch.float64)
    assert in_batch_nce(axes, axes, 0.5).item() == pytest.approx(-math.log(math.e**2 / (math.e**2 + 3)))
    assert in_batch_nce(axes, axes.roll(1, 0), 0.5).item() == pytest.approx(-math.log(1 / (math.e**2 + 3)))


def test_queries_are_no_candidates_and_there_is_one_direction():
    q, k = unit(5, 3, seed=1), unit(5, 3, seed=2)
    one, other = in_batch_nce(q, k, 0.5).item(), in_batch_nce(k, q, 0.5).item()
    assert one != pytest.approx(other)
    closer = q.clone()
    closer[0] = q[1]
    difference = in_batch_nce(closer, k, 0.5) - in_batch_nce(q, k, 0.5)
    assert float(difference) == pytest.approx((term(closer, k, 0) - term(q, k, 0)) / 5)


def term(q, k, i):
    return float(-torch.log_softmax(q[i] @ k.T / 0.5, dim=0)[i])


def test_order_of_the_pairs_does_not_matter():
    q, k = unit(5, 3, seed=1), unit(5, 3, seed=2)
    assert in_batch_nce(q.flip(0), k.flip(0), 0.5).item() == pytest.approx(in_batch_nce(q, k, 0.5).item())
    assert in_batch_nce(q.flip(0), k, 0.5).item() != pytest.approx(in_batch_nce(q, k, 0.5).item())


def test_gradients():
    q, k = unit(4, 3, seed=1).requires_grad_(), unit(4, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: in_batch_nce(a, b, 0.4), (q, k))


def test_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="-1"):
        in_batch_nce(unit(3, 4), unit(3, 4), -1.0)
    with pytest.raises(ShapeError, match=r"\(2, 4\)"):
        in_batch_nce(unit(3, 4), unit(2, 4), 0.1)
    with pytest.raises(ShapeError, match=r"\(0, 4\)"):
        in_batch_nce(unit(0, 4), unit(0, 4), 0.1)
