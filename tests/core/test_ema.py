import copy

import pytest
import torch
from torch import nn

from kinema.core.ops import update_ema


def test_parameters_move_by_the_momentum_and_buffers_stay():
    """MoCo's eq. 2, written out number by number."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = copy.deepcopy(model)
    for value in model.parameters():
        value.data.normal_()
    model(torch.randn(8, 3))
    before = copy.deepcopy(average)
    update_ema(average, model, 0.9)
    for name, value in average.named_parameters():
        was, now = before.get_parameter(name).flatten().tolist(), model.get_parameter(name).flatten().tolist()
        assert value.flatten().tolist() == pytest.approx([0.9 * a + 0.1 * b for a, b in zip(was, now, strict=True)])
        assert value.requires_grad
        assert value.grad_fn is None
    assert torch.equal(average[1].running_mean, torch.zeros(4))
    assert not torch.equal(model[1].running_mean, torch.zeros(4))
