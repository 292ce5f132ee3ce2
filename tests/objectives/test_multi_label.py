"""Losses of several labels, and the distance of soft codes, against slow loops."""

import math

import numpy as np
import pytest
import torch

from kinema.core.codes import hamming, pack
from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import positive_weights, present_cross_entropy, soft_hamming, weighted_bce

ROWS, LABELS = 6, 5


def made(seed=0):
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(ROWS, LABELS, generator=draw, dtype=torch.float64)
    labels = torch.rand(ROWS, LABELS, generator=draw) < 0.4
    labels[0], labels[1] = False, True  # a row of no label, and one of all
    labels[:, 4] = False  # a label of no row
    return logits.requires_grad_(), labels


def test_the_softmax_is_of_the_labels_present():
    logits, labels = made()
    z, each = logits.detach().numpy(), []
    for row in range(ROWS):
        present = [c for c in range(LABELS) if labels[row, c]]
        if present:
            below = math.log(sum(math.exp(value) for value in z[row]))
            each.append(sum(below - z[row, c] for c in present) / len(present))
    assert 2 < len(each) < ROWS
    got = present_cross_entropy(logits, labels)
    assert got.item() == pytest.approx(sum(each) / len(each))
    assert torch.autograd.gradcheck(lambda x: present_cross_entropy(x, labels), (logits,))
    none = present_cross_entropy(logits, torch.zeros_like(labels))
    assert none.item() == 0
    none.backward()
    assert not logits.grad.any()


def test_one_label_a_row_is_the_usual_cross_entropy():
    logits, _ = made()
    target = torch.arange(ROWS) % LABELS
    labels = torch.nn.functional.one_hot(target, LABELS).bool()
    torch.testing.assert_close(present_cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, target))


def test_positives_weigh_what_they_lack():
    logits, labels = made()
    rho = []
    for c in range(LABELS):
        ones = int(labels[:, c].sum())
        rho.append(min(3.0, (ROWS - ones) / ones) if ones else 3.0)
    assert len(set(rho)) > 2
    weights = positive_weights(labels, 3.0)
    assert weights.tolist() == pytest.approx(rho)
    assert positive_weights(torch.ones(2, 3, dtype=torch.bool), 10.0).tolist() == [0.0] * 3
    z, total = logits.detach().numpy(), 0.0
    for row in range(ROWS):
        for c in range(LABELS):
            p = 1 / (1 + math.exp(-z[row, c]))
            total -= rho[c] * math.log(p) if labels[row, c] else math.log(1 - p)
    assert weighted_bce(logits, labels, weights).item() == pytest.approx(total / ROWS / LABELS)
    assert torch.autograd.gradcheck(lambda x: weighted_bce(x, labels, weights), (logits,))


def test_the_distance_of_binary_values_is_the_share_of_bits_that_differ():
    draw = np.random.default_rng(0)
    a, b = (draw.random((7, 16)) < 0.5 for _ in range(2))
    counted = np.diag(hamming(pack(a), pack(b))).mean() / 16
    got = soft_hamming(torch.from_numpy(a).float(), torch.from_numpy(b).float())
    assert got.item() == pytest.approx(counted)


def test_the_distance_of_soft_values_is_that_of_drawn_bits():
    """a + b - 2ab is the chance that two coins differ, and least where both are sure."""
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.rand(3, 8, generator=draw, dtype=torch.float64) for _ in range(2))
    slow = [
        x * (1 - y) + (1 - x) * y for row, other in zip(a.tolist(), b.tolist(), strict=True)
        for x, y in zip(row, other, strict=True)
    ]  # fmt: skip
    assert soft_hamming(a, b).item() == pytest.approx(sum(slow) / len(slow))
    half = torch.full((2, 8), 0.5)
    assert soft_hamming(half, half).item() == 0.5
    assert soft_hamming(half.round(), half.round()).item() == 0


def test_what_does_not_fit_is_named():
    logits, labels = made()
    for loss in (present_cross_entropy, lambda x, y: weighted_bce(x, y, torch.ones(LABELS))):
        with pytest.raises(ShapeError, match=r"logits \(6, 5\) and labels torch.bool \(6, 4\)"):
            loss(logits, labels[:, :4])
        with pytest.raises(ShapeError, match=r"labels torch.int64"):
            loss(logits, labels.long())
    with pytest.raises(ShapeError, match=r"weights \(4,\); expected \[5\]"):
        weighted_bce(logits, labels, torch.ones(4))
    with pytest.raises(ConfigError, match="rho_cap is 0"):
        positive_weights(labels, 0)
    with pytest.raises(ShapeError, match=r"\(2, 8\) and \(2, 9\)"):
        soft_hamming(torch.zeros(2, 8), torch.zeros(2, 9))
