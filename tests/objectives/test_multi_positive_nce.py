import math

import pytest
import torch
from oracles import objectives as oracle
from torch.nn.functional import cross_entropy

from kinema.core.errors import ShapeError
from kinema.objectives import multi_positive_nce

LOGITS = torch.tensor([[0.3, -1.2, 2.0, 0.7], [1.5, 0.1, -0.4, -2.0], [-0.6, 0.9, 0.2, 1.1]], dtype=torch.float64)
POSITIVES = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0]], dtype=torch.bool)


def test_equals_the_oracle():
    expected = oracle.multi_positive_nce(LOGITS.tolist(), POSITIVES.tolist())
    assert multi_positive_nce(LOGITS, POSITIVES).item() == pytest.approx(expected)


def test_equals_the_oracle_with_fewer_candidates():
    candidates = torch.tensor([[0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=torch.bool)
    expected = oracle.multi_positive_nce(LOGITS.tolist(), POSITIVES.tolist(), candidates.tolist())
    assert multi_positive_nce(LOGITS, POSITIVES, candidates).item() == pytest.approx(expected)
    assert expected != pytest.approx(oracle.multi_positive_nce(LOGITS.tolist(), POSITIVES.tolist()))


def test_one_positive_is_cross_entropy():
    target = torch.tensor([2, 0, 3])
    positives = torch.zeros(3, 4, dtype=torch.bool).scatter(1, target.unsqueeze(1), True)
    assert multi_positive_nce(LOGITS, positives).item() == pytest.approx(cross_entropy(LOGITS, target).item())


def test_all_positive_is_zero_and_uniform_is_the_share():
    assert multi_positive_nce(LOGITS, torch.ones(3, 4, dtype=torch.bool)).item() == pytest.approx(0.0, abs=1e-12)
    flat = torch.full((2, 8), 3.0, dtype=torch.float64)
    positives = torch.arange(8).expand(2, 8) < 2
    assert multi_positive_nce(flat, positives).item() == pytest.approx(math.log(8 / 2))


def test_rows_without_positives_are_left_out():
    positives = POSITIVES.clone()
    positives[1] = False
    rest = multi_positive_nce(LOGITS[[0, 2]], POSITIVES[[0, 2]])
    logits = LOGITS.clone().requires_grad_()
    loss = multi_positive_nce(logits, positives, positives.clone())  # row 1 has no candidates either
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    loss = multi_positive_nce(logits, positives)
    assert loss.item() == pytest.approx(rest.item())
    loss.backward()
    assert (logits.grad[1] == 0).all()
    assert (logits.grad[[0, 2]] != 0).all()


def test_no_positive_at_all_is_zero_with_a_zero_gradient():
    logits = LOGITS.clone().requires_grad_()
    nothing = torch.zeros(3, 4, dtype=torch.bool)
    for candidates in (None, nothing):
        loss = multi_positive_nce(logits, nothing, candidates)
        assert loss.item() == 0.0
        (gradient,) = torch.autograd.grad(loss, logits)
        assert (gradient == 0).all()


def test_a_vanishing_share_keeps_its_gradient():
    logits = torch.tensor([[-300.0, 300.0]], requires_grad=True)
    loss = multi_positive_nce(logits, torch.tensor([[True, False]]))
    loss.backward()
    assert loss.item() == pytest.approx(600.0)
    assert torch.allclose(logits.grad, torch.tensor([[-1.0, 1.0]]))


def test_gradients():
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: multi_positive_nce(x, POSITIVES), (logits,))


def test_refuses_masks_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"positives is torch\.int64"):
        multi_positive_nce(LOGITS, POSITIVES.long())
    with pytest.raises(ShapeError, match=r"candidates is torch\.bool \(3, 3\)"):
        multi_positive_nce(LOGITS, POSITIVES, POSITIVES[:, :3])
