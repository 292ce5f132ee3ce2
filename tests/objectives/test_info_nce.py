import math

import pytest
import torch
from oracles import objectives as oracle
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import info_nce


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_equals_the_oracle():
    q, k, negatives = unit(5, 4, seed=1), unit(5, 4, seed=2), unit(7, 4, seed=3)
    ours = info_nce(q, k, negatives, 0.07)
    assert ours.item() == pytest.approx(oracle.info_nce(q.tolist(), k.tolist(), negatives.tolist(), 0.07), abs=1e-9)


def test_uniform_similarities_give_log_n():
    q = unit(1, 4).expand(3, 4)
    assert info_nce(q, q, q[:1].expand(9, 4), 0.2).item() == pytest.approx(math.log(10))


def test_order_of_negatives_does_not_matter():
    q, k, negatives = unit(5, 4, seed=1), unit(5, 4, seed=2), unit(7, 4, seed=3)
    assert info_nce(q, k, negatives.flip(0), 0.1).item() == pytest.approx(info_nce(q, k, negatives, 0.1).item())


def test_a_nearer_key_lowers_and_a_nearer_negative_raises_the_loss():
    q, k, negatives = unit(1, 4, seed=1), unit(1, 4, seed=2), unit(3, 4, seed=3)
    before = info_nce(q, k, negatives, 0.5)
    assert info_nce(q, normalize(k + q, dim=1), negatives, 0.5) < before
    assert info_nce(q, k, normalize(negatives + q, dim=1), 0.5) > before


def test_valid_leaves_negatives_out():
    q, k, negatives = unit(5, 4, seed=1), unit(5, 4, seed=2), unit(7, 4, seed=3)
    valid = torch.tensor([True, False, True, True, False, True, False])
    masked = info_nce(q, k, negatives, 0.1, valid)
    assert masked.item() == pytest.approx(info_nce(q, k, negatives[valid], 0.1).item())
    assert info_nce(q, k, negatives, 0.1, valid.expand(5, 7)).item() == pytest.approx(masked.item())
    assert info_nce(q, k, negatives, 0.1, torch.zeros(7, dtype=torch.bool)).item() == pytest.approx(0.0, abs=1e-12)


def test_gradients():
    q, k, negatives = (unit(3, 4, seed=s).requires_grad_() for s in (1, 2, 3))
    assert torch.autograd.gradcheck(lambda a, b, c: info_nce(a, b, c, 0.3), (q, k, negatives))


def test_refuses_what_does_not_fit():
    q = unit(3, 4)
    with pytest.raises(ConfigError, match="temperature is 0"):
        info_nce(q, q, q, 0.0)
    with pytest.raises(ShapeError, match=r"\(3, 4\).*\(2, 4\)"):
        info_nce(q, q[:2], q, 0.1)
    with pytest.raises(ShapeError, match=r"negatives \(4, 3\)"):
        info_nce(q, q, unit(4, 3), 0.1)
    with pytest.raises(ShapeError, match="valid"):
        info_nce(q, q, q, 0.1, torch.ones(3))
