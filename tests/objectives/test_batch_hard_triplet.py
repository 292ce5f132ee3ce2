"""The hardest triplets of a batch: against loops, and where the loss is known."""

import pytest
import torch
from debug_size import generator

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import batch_hard_triplet


def slow(z, labels, margin):
    """The mean over anchors, pair by pair."""

    def distance(i, j):
        return sum((a - b) ** 2 for a, b in zip(z[i], z[j], strict=True)) ** 0.5

    losses = []
    for i, own in enumerate(labels):
        others = [j for j, label in enumerate(labels) if j != i and label >= 0]
        same = [distance(i, j) for j in others if labels[j] == own]
        different = [distance(i, j) for j in others if labels[j] != own]
        if own >= 0 and same and different:
            losses.append(max(0.0, max(same) - min(different) + margin))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize(
    "labels", [[0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 1, 2, 3, 3, 3], [0, -1, -1, 0, 1, 1, 4, -1]], ids=str
)
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_against_loops(labels, margin):
    z = torch.randn(8, 5, generator=generator(1), dtype=torch.float64)
    expected = slow(z.tolist(), labels, margin)
    assert expected > 0
    assert float(batch_hard_triplet(z, torch.tensor(labels), margin)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [5, 5, 5, 5], [-1, -1, -1, -1], [0, 0, -1, -1]], ids=str)
def test_without_an_anchor_it_is_0_and_so_is_its_gradient(labels):
    z = torch.randn(4, 3, generator=generator(0), requires_grad=True)
    loss = batch_hard_triplet(z, torch.tensor(labels), 0.3)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_rows_of_one_point_have_a_finite_gradient():
    z = torch.zeros(4, 3, requires_grad=True)
    loss = batch_hard_triplet(z, torch.tensor([0, 0, 1, 1]), 0.3)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.3)
    assert torch.isfinite(z.grad).all()


def test_what_does_not_fit_is_refused():
    z = torch.zeros(4, 3)
    with pytest.raises(ConfigError, match=r"margin is -0\.1"):
        batch_hard_triplet(z, torch.tensor([0, 0, 1, 1]), -0.1)
    with pytest.raises(ShapeError, match=r"labels \(3,\)"):
        batch_hard_triplet(z, torch.tensor([0, 0, 1]), 0.3)
