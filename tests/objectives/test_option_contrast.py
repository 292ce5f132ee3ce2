"""The true option among all: values by hand, unknown answers, places that are none."""

import math

import pytest
import torch

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import option_contrast, option_cross_entropy, place_cross_entropy


def test_the_contrast_is_by_hand_what_the_formula_says():
    anchor = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    options = torch.tensor([[[5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    got = option_contrast(anchor, options, torch.tensor([0, 2]), 0.5)
    expected = -2 + math.log(math.exp(2) + 1 + math.exp(-2))
    torch.testing.assert_close(got, torch.tensor([expected, math.log(3)]))


def test_answers_that_are_not_known_count_for_nothing_and_wrong_ones_are_refused():
    anchor, options = torch.randn(2, 4), torch.randn(2, 3, 4, requires_grad=True)
    got = option_contrast(anchor, options, torch.tensor([-1, 1]), 0.1)
    assert float(got[0].detach()) == 0
    got.sum().backward()
    assert options.grad[0].abs().max() == 0
    assert options.grad[1].abs().max() > 0
    assert float(option_cross_entropy(torch.randn(1, 3), torch.tensor([-1]))) == 0
    with pytest.raises(ShapeError, match=r"from 0 to 3.* 3 options"):
        option_cross_entropy(torch.randn(2, 3), torch.tensor([0, 3]))
    with pytest.raises(ConfigError, match="temperature"):
        option_contrast(anchor, options, torch.tensor([0, 1]), 0.0)
    with pytest.raises(ShapeError, match=r"\[B, K, d\]"):
        option_contrast(anchor[:1], options, torch.tensor([0, 1]), 0.1)


def test_where_to_look_is_the_share_on_the_right_places():
    place = torch.tensor([[1.0, 2.0, -math.inf], [0.0, 0.0, 0.0], [-math.inf] * 3], requires_grad=True)
    right = torch.tensor([[False, True, True], [True, False, True], [True, True, True]])
    got = place_cross_entropy(place, right)
    torch.testing.assert_close(got, torch.tensor([math.log(1 + math.exp(-1)), math.log(1.5), 0.0]))
    got.sum().backward()
    assert torch.isfinite(place.grad).all()
    assert place.grad[2].abs().max() == 0
