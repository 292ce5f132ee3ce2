"""The levels of an encoder, the networks that guide CMD, and the transformer that predicts."""

import pytest
import torch
from torch import nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.networks import EncoderConfig, Predictor, PredictorConfig, ResNet10, build_encoder, fuse
from kinema.networks.predictor import place_codes
from kinema.networks.video.layers import norm_factory

# The level before the last of a clip of 8 frames of 64x64, and what the two are fused to.
LEVELS = {
    "slim": ((64, 8, 8, 8), (128, 4, 8, 8)),
    "c3d": ((512, 2, 8, 8), (512, 1, 4, 4)),
    "r3d18": ((256, 2, 8, 8), (512, 1, 8, 8)),
    "r2plus1d18": ((256, 2, 8, 8), (512, 1, 8, 8)),
    "s3d": ((832, 2, 4, 4), (1024, 1, 2, 2)),
}
NORM = norm_factory("group")


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def clips(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", LEVELS)
def test_the_last_level_is_the_feature_map_and_the_one_before_is_finer(name):
    net = build_encoder(EncoderConfig(name=name)).eval()
    x = clips(1, 3, 8, 64, 64)
    with torch.no_grad():
        before, last = net.levels(x)
        assert torch.equal(last, net.feature_map(x))
        assert before.shape[1:] == LEVELS[name][0]
        assert fuse(before, last).shape[1:] == LEVELS[name][1]
    with pytest.raises(ShapeError, match=r"expected \[B, 3, T, H, W\]"):
        net.levels(x[:, :2])


def test_the_levels_of_the_papers_residual_networks_at_the_papers_size():
    """16 x 112 x 112 gives 7 x 7 cells of the last level, twice as many of the one before."""
    with torch.no_grad():
        before, last = build_encoder(EncoderConfig(name="r3d18")).eval().levels(clips(1, 3, 16, 112, 112))
    assert (before.shape[1:], last.shape[1:]) == ((256, 4, 14, 14), (512, 2, 7, 7))
    assert fuse(before, last).shape[1:] == (512, 2, 14, 14)


def test_a_fused_cell_holds_its_even_and_its_odd_frame_and_the_level_above():
    before, last = clips(2, 3, 4, 4, 4), clips(2, 6, 2, 2, 2)
    fused = fuse(before, torch.zeros_like(last))
    assert torch.equal(fused[:, :3], before[:, :, [0, 2]])
    assert torch.equal(fused[:, 3:], before[:, :, [1, 3]])
    flat = last.mean(dim=(2, 3, 4), keepdim=True).expand_as(last)
    torch.testing.assert_close(fuse(before, flat) - fused, flat[:, :, :, :1, :1].expand_as(fused))
    corner = fuse(before, last)[:, :, :, 0, 0] - fused[:, :, :, 0, 0]
    torch.testing.assert_close(corner, last[:, :, :, 0, 0])  # beyond the centres of the outer cells nothing is mixed in
    odd = fuse(before[:, :, :3], torch.zeros_like(last))
    assert torch.equal(odd[:, :, 1], torch.cat([before[:, :, 2], before[:, :, 2]], dim=1))


def test_the_motion_network_has_the_papers_map_and_the_picture_network_its_feature():
    with torch.no_grad():
        motion = ResNet10(2, 64, norm_factory("batch")).eval()
        assert motion.feature_map(clips(1, 2, 8, 112, 112)).shape == (1, 512, 1, 7, 7)
        still = ResNet10(3, 64, norm_factory("batch"), time=1).eval()
        assert still.feature_map(clips(2, 3, 1, 112, 112)).shape == (2, 512, 1, 4, 4)
    assert {next(iter(m.kernel_size)) for m in still.modules() if isinstance(m, nn.Conv3d)} == {1}
    # He et al. 2016: 7x7 stem, in each stage two convolutions and, but for the first, a shortcut; two for each norm.
    widths = ((64, 64), (64, 128), (128, 256), (256, 512))
    convolutions = 3 * 49 * 64 + sum(9 * (a * b + b * b) + (a * b if a != b else 0) for a, b in widths)
    norms = 2 * (64 + sum(2 * b + (b if a != b else 0) for a, b in widths))
    assert sum(p.numel() for p in still.parameters()) == convolutions + norms
    with pytest.raises(ConfigError, match="width 0"):
        ResNet10(2, 0, NORM)


def small(**changes):
    return Predictor(6, 5, PredictorConfig(**{"width": 24, "heads": 2, "encoder": 1, "decoder": 2} | changes))


def test_answers_depend_on_their_query_on_the_places_of_tokens_and_on_no_other_clip():
    net, x = small(), clips(2, 6, 2, 3, 3)
    with torch.no_grad():
        answers = net(x, seeded())
        assert answers.shape == (2, 5, 24)
        torch.testing.assert_close(net(x[:1], seeded()), answers[:1], atol=1e-5, rtol=1e-5)
        assert (answers[0, 0] - answers[0, 1]).abs().max() > 0.1
        for axis in (2, 3, 4):
            assert (net(x.flip(axis), seeded()) - answers).abs().max() > 1e-3
        assert net(clips(1, 6, 1, 7, 2), seeded()).shape == (1, 5, 24)


def test_no_two_places_have_one_code():
    codes = place_codes((4, 8, 8), 32, torch.device("cpu"))
    assert codes.shape == (256, 32)
    assert (codes[:, 30:] == 0).all()
    distance = torch.cdist(codes, codes) + torch.eye(256) * 9
    assert distance.min() > 0.05


def test_what_is_dropped_comes_from_the_generator_alone_and_only_in_training():
    net, x = small(dropout=0.5), clips(2, 6, 2, 3, 3)
    before = torch.random.get_rng_state()
    with torch.no_grad():
        first, again, other = net(x, seeded(1)), net(x, seeded(1)), net(x, seeded(2))
        assert torch.equal(first, again)
        assert (first - other).abs().mean() > 0.01
        assert torch.equal(net.eval()(x, seeded(1)), net(x, seeded(2)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_parameter_is_reached():
    net = small()
    net(clips(2, 6, 2, 3, 3), seeded()).square().mul(torch.arange(24)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    "settings", [{"width": 5}, {"heads": 0}, {"heads": 5}, {"decoder": 0}, {"encoder": -1}, {"dropout": 1.0}], ids=str
)
def test_a_predictor_that_cannot_be_is_refused(settings):
    name, value = next(iter(settings.items()))
    with pytest.raises(ConfigError, match=rf"predictor.{name} {'is ' if (name, value) != ('heads', 5) else ''}{value}"):
        PredictorConfig(**settings)
