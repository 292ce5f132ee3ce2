"""The encoders of sound: shapes, sizes, and a clip's feature that is its own."""

import pytest
import torch
from torch import nn

from kinema.core.encoder import Encoder
from kinema.core.errors import ConfigError, ShapeError
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.networks.build import build_sound_encoder

BOTH = pytest.mark.parametrize(("name", "dim", "grid"), [("slim", 128, (3, 7)), ("resnet18", 512, (2, 4))])


@BOTH
def test_a_spectrogram_becomes_a_feature(name, dim, grid):
    encoder = build_sound_encoder(EncoderConfig(sound=name)).eval()
    assert isinstance(encoder, Encoder)
    x = torch.randn(2, 1, 40, 100, generator=torch.Generator().manual_seed(0))
    maps = encoder.feature_map(x)
    assert maps.shape == (2, dim, *grid)
    torch.testing.assert_close(encoder(x), maps.mean(dim=(2, 3)))
    assert (encoder.channels, encoder.dim) == (1, dim)
    before, last = encoder.levels(x)
    assert torch.equal(last, maps)
    assert before.shape[2:] > maps.shape[2:]


@BOTH
def test_stages_hold_every_parameter_once(name, dim, grid):
    encoder = build_sound_encoder(EncoderConfig(sound=name))
    staged = [p for stage in encoder.stages() for p in stage]
    assert len(staged) == len({id(p) for p in staged}) == len(list(encoder.parameters()))
    assert staged[0] is encoder.stem[0].weight


def test_the_residual_network_is_the_papers():
    """11,689,512 parameters with three channels in and a thousand classes (torchvision's resnet18)."""
    net = build_sound_encoder(EncoderConfig(sound="resnet18"))
    mine = sum(p.numel() for p in net.parameters())
    assert mine == 11_689_512 - 2 * 64 * 49 - (512 * 1000 + 1000)
    assert [type(m) for m in net.modules()].count(nn.Conv2d) == 20


def test_under_group_norm_a_feature_ignores_its_batch_mates():
    encoder = build_sound_encoder(EncoderConfig(norm="group", sound="slim")).train()
    x = torch.randn(3, 1, 40, 100, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]), atol=1e-5, rtol=1e-4)


def test_a_tower_of_sound():
    tower = Tower("sound", EncoderConfig(width=4), HeadConfig(out=8)).eval()
    assert tower(torch.randn(2, 1, 16, 24)).shape == (2, 8)
    with pytest.raises(ShapeError, match=r"SlimSound was given \(2, 1, 4, 16, 16\); expected \[B, 1, bands, times\]"):
        tower(torch.randn(2, 1, 4, 16, 16))
    with pytest.raises(ConfigError, match=r"encoder\.sound is 'vggish'"):
        EncoderConfig(sound="vggish")
