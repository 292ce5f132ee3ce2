"""The block of maps of two axes, where it has few channels."""

import pytest
import torch
from debug_size import generator

from kinema.networks.flat import NARROW, FlatBlock, flat_norm_factory


@pytest.mark.parametrize("channels", [1, 4, NARROW - 1, NARROW])
def test_a_narrow_shortcut_steps_as_a_convolution_does(channels):
    torch.manual_seed(0)
    block = FlatBlock(channels, 6, 2, flat_norm_factory("group"))
    x = torch.randn(8, channels, 9, 8, generator=generator(0)).contiguous(memory_format=torch.channels_last)
    conv, norm = block.shortcut
    stepped = torch.nn.functional.conv2d(x, conv.weight, stride=2)
    torch.testing.assert_close(block(x), torch.relu(block.main(x) + norm(stepped)))
    assert (conv.stride == (1, 1)) == (channels < NARROW)
    block(x).square().sum().backward()
    assert torch.isfinite(conv.weight.grad).all()
