"""Negatives of a row's own, in every objective that takes them, and the triplet loss."""

import pytest
import torch
from oracles import objectives as oracle
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import multi_positive_nce, nt_xent, own_negatives, triplet


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


VALID = torch.tensor([[True, False], [True, True], [False, False], [True, True]])


def test_each_row_has_its_own():
    q, n = unit(4, 3), [unit(4, 3, seed=1), unit(4, 3, seed=2)]
    own = own_negatives(q, n, VALID)
    for row in range(4):
        for number in range(2):
            expected = oracle.dot(q[row].tolist(), n[number][row].tolist()) if VALID[row, number] else float("-inf")
            assert float(own[row, number]) == pytest.approx(expected)
    assert own_negatives(q, []).shape == (4, 0)


def test_none_changes_no_bit():
    q = unit(4, 3)
    logits, positives = q @ q.T, torch.eye(4, dtype=torch.bool)
    none = own_negatives(q, [])
    assert torch.equal(multi_positive_nce(logits, positives, own=none), multi_positive_nce(logits, positives))
    z1, z2 = unit(4, 3, seed=1), unit(4, 3, seed=2)
    assert torch.equal(nt_xent(z1, z2, 0.5, torch.cat([none, none])), nt_xent(z1, z2, 0.5))


@pytest.mark.parametrize("masked", [False, True])
def test_multi_positive_nce_with_negatives_of_a_rows_own(masked):
    q, keys, n = unit(4, 3), unit(4, 3, seed=3), [unit(4, 3, seed=1), unit(4, 3, seed=2)]
    candidates = ~torch.eye(4, dtype=torch.bool).roll(1, dims=1) if masked else None
    positives = torch.eye(4, dtype=torch.bool)
    got = multi_positive_nce(q @ keys.T / 0.3, positives, candidates, own_negatives(q, n, VALID) / 0.3)
    losses = []
    for row in range(4):
        kept = [j for j in range(4) if j != row and (candidates is None or candidates[row, j])]
        others = [keys[j].tolist() for j in kept] + [n[j][row].tolist() for j in range(2) if VALID[row, j]]
        losses.append(oracle.info_nce([q[row].tolist()], [keys[row].tolist()], others, 0.3))
    assert float(got) == pytest.approx(sum(losses) / 4)


def test_nt_xent_with_negatives_of_a_clips_own():
    z1, z2, n = unit(4, 3, seed=4), unit(4, 3, seed=5), [unit(4, 3, seed=1), unit(4, 3, seed=2)]
    own = torch.cat([own_negatives(z, n, VALID) for z in (z1, z2)])
    z = [*z1.tolist(), *z2.tolist()]
    losses = []
    for i in range(8):
        partner, clip = (i + 4) % 8, i % 4
        others = [z[j] for j in range(8) if j not in (i, partner)]
        others += [n[j][clip].tolist() for j in range(2) if VALID[clip, j]]
        losses.append(oracle.info_nce([z[i]], [z[partner]], others, 0.5))
    assert float(nt_xent(z1, z2, 0.5, own)) == pytest.approx(sum(losses) / 8)


def test_gradients_are_finite_where_rows_have_none():
    q = unit(4, 3).requires_grad_()
    n = [unit(4, 3, seed=1).requires_grad_(), unit(4, 3, seed=2).requires_grad_()]
    keys = unit(4, 3, seed=3)

    def loss(q, *n):
        own = own_negatives(q, n, VALID)
        first = multi_positive_nce(q @ keys.T, torch.eye(4, dtype=torch.bool), own=own)
        return first + nt_xent(q, keys, 0.5, torch.cat([own, own]))

    assert torch.autograd.gradcheck(loss, (q, *n))
    loss(q, *n).backward()
    assert [bool(n[number].grad[row].any()) for number in (0, 1) for row in range(4)] == VALID.T.flatten().tolist()


def test_the_triplet_against_loops():
    q, k, n = (unit(6, 3, seed=seed) for seed in (1, 2, 3))
    valid = torch.tensor([True, False, True, True, True, False])
    for margin in (0.0, 0.5):
        told = [
            max(0.0, float((q[i] - k[i]).norm() - (q[i] - n[i]).norm()) + margin) if valid[i] else None
            for i in range(6)
        ]
        counted = [loss for loss in told if loss is not None]
        assert sum(loss > 0 for loss in counted) > 0
        assert float(triplet(q, k, n, margin, valid)) == pytest.approx(sum(counted) / 4)
    assert float(triplet(q, q, -q, 0.5)) == 0, "the negative is as far as can be"
    assert float(triplet(q, -q, q, 0.5)) == pytest.approx(2.5)


def test_the_triplets_gradient():
    q, k, n = (unit(6, 3, seed=seed).requires_grad_() for seed in (1, 2, 3))
    assert torch.autograd.gradcheck(lambda *z: triplet(*z, 0.5), (q, k, n))
    none = torch.zeros(6, dtype=torch.bool)
    lost = triplet(q, q, n, 0.5, none)
    lost.backward()
    assert float(lost.detach()) == 0
    assert not n.grad.any()
    assert torch.isfinite(q.grad).all(), "also where two points are one"


def test_what_does_not_fit_is_refused():
    q = unit(4, 3)
    with pytest.raises(ShapeError, match=r"negatives \[\(3, 3\)\]"):
        own_negatives(q, [q[:3]])
    with pytest.raises(ShapeError, match=r"valid torch.bool \(4, 2\)"):
        own_negatives(q, [q], VALID)
    with pytest.raises(ShapeError, match=r"own is \(3, 1\)"):
        multi_positive_nce(q @ q.T, torch.eye(4, dtype=torch.bool), own=q[:3, :1])
    with pytest.raises(ShapeError, match=r"own is \(4, 1\); expected \[8"):
        nt_xent(q, q, 0.5, q[:, :1])
    with pytest.raises(ShapeError, match=r"n \(3, 3\)"):
        triplet(q, q, q[:3], 0.5)
    with pytest.raises(ConfigError, match="margin is -1"):
        triplet(q, q, q, -1)
