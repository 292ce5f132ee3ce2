"""The masked language model's loss beside the sum that it is."""

import math

import pytest
import torch

from kinema.core.errors import ShapeError
from kinema.core.spans import IGNORED
from kinema.objectives import masked_lm


def data(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, 7, generator=generator)
    targets = torch.tensor([[1, IGNORED, 6, IGNORED], [IGNORED, 0, IGNORED, IGNORED]])
    return logits, targets


def slow(logits, targets):
    found = []
    for n, row in enumerate(targets.tolist()):
        for place, target in enumerate(row):
            if target != IGNORED:
                scores = logits[n, place].tolist()
                found.append(math.log(sum(map(math.exp, scores))) - scores[target])
    return sum(found) / len(found)


def test_it_is_the_mean_over_the_hidden_tokens():
    logits, targets = data()
    assert masked_lm(logits, targets).item() == pytest.approx(slow(logits, targets), rel=1e-5)
    assert torch.equal(masked_lm(logits[targets != IGNORED], targets), masked_lm(logits, targets))


def test_equal_logits_give_the_logarithm_of_the_vocabulary():
    logits, targets = data()
    assert masked_lm(torch.zeros_like(logits), targets).item() == pytest.approx(math.log(7), rel=1e-6)


def test_where_nothing_is_hidden_there_is_no_loss_and_no_gradient():
    logits, targets = data()
    logits.requires_grad_()
    loss = masked_lm(logits, torch.full_like(targets, IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
    assert masked_lm(torch.zeros(0, 7), torch.full_like(targets, IGNORED)).item() == 0


def test_no_gradient_reaches_what_is_not_to_be_predicted():
    logits, targets = data()
    logits.requires_grad_()
    masked_lm(logits, targets).backward()
    assert torch.equal(logits.grad.abs().sum(-1) > 0, targets != IGNORED)


def test_shapes_that_do_not_fit_are_named():
    logits, targets = data()
    for wrong in (logits[:, :3], logits[0, :2], logits[0, 0]):
        with pytest.raises(ShapeError, match="masked_lm"):
            masked_lm(wrong, targets)
