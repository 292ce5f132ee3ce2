"""Shapes, parameter counts and the promises of every encoder."""

import copy
from itertools import pairwise

import pytest
import torch
from lived_towers import live
from oracles import backbones

from kinema.core.encoder import Encoder
from kinema.core.errors import ConfigError, ShapeError
from kinema.networks import EncoderConfig, build_encoder

NAMES = ("slim", "c3d", "r3d18", "r3d26", "r3d34", "r2plus1d18", "r2plus1d26", "s3d", "i3d")
# Feature maps of a clip of 8 frames of 64x64.
MAPS = {
    "slim": (128, 4, 4, 4),
    "c3d": (512, 1, 4, 4),
    "r3d18": (512, 1, 4, 4),
    "r3d26": (2048, 1, 2, 2),
    "r3d34": (512, 1, 2, 2),
    "r2plus1d18": (512, 1, 4, 4),
    "r2plus1d26": (2048, 1, 2, 2),
    "s3d": (1024, 1, 2, 2),
    "i3d": (1024, 1, 2, 2),
}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def drawn(name, channels=3):
    """A network that has shapes and no numbers, which is built at once."""
    with torch.device("meta"):
        return build_encoder(EncoderConfig(name=name), channels)


def clips(batch=2, channels=3, seed=0, size=64):
    return torch.randn(batch, channels, 8, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name):
    for channels, net in ((2, drawn(name, 2)), (3, build_encoder(EncoderConfig(name=name), 3))):
        assert isinstance(net, Encoder)
        assert (net.channels, net.dim) == (channels, MAPS[name][0])
        net.eval()
        with torch.no_grad():
            x = clips(channels=channels).to(next(net.parameters()).device)
            features = net.feature_map(x)
            assert features.shape == (2, *MAPS[name])
    with torch.no_grad():
        assert torch.allclose(net(x), features.flatten(2).mean(2), atol=1e-5)


def test_r3d18_has_the_papers_parameters():
    """torchvision's r3d_18 states 33,371,472 with its classifier of 512 x 400 + 400."""
    assert parameters(drawn("r3d18")) == 33_371_472 - (512 * 400 + 400)


def test_r2plus1d18_has_the_papers_parameters():
    """torchvision's r2plus1d_18 states 31,505,325 with its classifier of 512 x 400 + 400."""
    assert parameters(drawn("r2plus1d18")) == 31_505_325 - (512 * 400 + 400)


def test_s3d_has_the_papers_parameters():
    """torchvision's s3d states 8,320,048 with its classifier of 1024 x 400 + 400."""
    assert parameters(drawn("s3d")) == 8_320_048 - (1024 * 400 + 400)


def test_i3d_has_the_papers_parameters():
    """DeepMind's has 12,689,984 with its classifier of 1024 x 400 + 400 (in the zoo of OpenVINO: 12.69 million); its
    norms have no factor. PyTorch's ports, whose norms have one, have 12,697,264.
    """
    net = drawn("i3d")
    factors = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.BatchNorm3d))
    assert parameters(net) == 12_697_264 - (1024 * 400 + 400)
    assert parameters(net) - factors == 12_689_984 - (1024 * 400 + 400)


def test_bottleneck_networks_have_their_parameters():
    """Counted by hand: the stem, then for each stage two blocks of 1, 27 and 1 taps and one shortcut."""
    widths, taken = (64, 128, 256, 512), (64, 256, 512, 1024)
    norms = [64] + [size for width in widths for size in (2 * width, 4 * width, 4 * width, 2 * width, 4 * width)]
    ends = sum(
        before * width + 4 * width * width + 4 * before * width for before, width in zip(taken, widths, strict=True)
    )
    ends += sum(8 * width * width for width in widths)
    full = 3 * 64 * 3 * 49 + ends + sum(2 * 27 * width * width for width in widths) + 2 * sum(norms)
    assert parameters(drawn("r3d26")) == full == 26_498_752
    middle = {width: 27 * width * width // (12 * width) for width in widths}
    stem = 3 * 83 * 49 + 83 * 64 * 3
    pairs = sum(2 * (9 * width * m + 3 * m * width) for width, m in middle.items())
    split = stem + ends + pairs + 2 * (sum(norms) + 83 + 2 * sum(middle.values()))
    assert parameters(drawn("r2plus1d26")) == split == 26_507_471


def test_r3d34_has_its_parameters():
    """Hara et al. 2018, table 2: a stem of 7x7x7, and 3, 4, 6, 3 blocks of two convolutions of 27 taps."""
    stages = ((64, 64, 3), (64, 128, 4), (128, 256, 6), (256, 512, 3))
    count = 3 * 64 * 343 + 2 * 64
    for before, width, depth in stages:
        count += 27 * width * (before + (2 * depth - 1) * width) + 2 * depth * 2 * width
        count += before * width + 2 * width if before != width else 0
    assert parameters(drawn("r3d34")) == count == 63_513_536


@pytest.mark.parametrize("name", backbones.NETWORKS)
def test_networks_equal_their_restatement(name):
    net = live(build_encoder(EncoderConfig(name=name)), 3)
    x = clips(2, size=48)
    with torch.no_grad():
        expected, count = backbones.feature_map(name, net, x)
        found = net.feature_map(x)
    assert count == parameters(net)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.std() > 0.1


@pytest.mark.parametrize("name", ["r3d26", "r2plus1d26"])
def test_a_bottleneck_begins_as_its_shortcut(name):
    net = build_encoder(EncoderConfig(name=name)).eval()
    x = torch.rand(2, 256, 2, 4, 4)
    with torch.no_grad():
        assert torch.equal(net.blocks[1](x), x)


def test_c3d_has_the_papers_parameters():
    """Tran et al. 2015, figure 3: eight 3x3x3 convolutions with bias; and two for each channel of a BatchNorm."""
    widths = (3, 64, 128, 256, 256, 512, 512, 512, 512)
    convolutions = sum(a * b * 27 + b for a, b in pairwise(widths))
    assert convolutions == 27_655_936
    assert parameters(drawn("c3d")) == convolutions + 2 * sum(widths[1:])


def test_r3d18_has_the_papers_map_at_the_papers_size():
    """Tran et al. 2018, table 1: 8 x 112 x 112 in, conv5_x out L/8 x 7 x 7."""
    with torch.no_grad():
        assert drawn("r3d18").eval().feature_map(clips(1, size=112).to("meta")).shape == (1, 512, 1, 7, 7)


def test_width_is_the_slim_networks():
    assert build_encoder(EncoderConfig(width=4)).dim == 32
    with pytest.raises(ConfigError, match=r"width is 8.*'s3d'"):
        EncoderConfig(name="s3d", width=8)
    with pytest.raises(ConfigError, match="width is 0"):
        EncoderConfig(width=0)


@pytest.mark.parametrize(
    ("name", "width"), [("slim", 8), ("slim", 5), ("c3d", 16), ("r3d26", 16), ("r2plus1d26", 16), ("i3d", 16)]
)
def test_group_norm_hides_batch_mates(name, width):
    net = build_encoder(EncoderConfig(name=name, width=width, norm="group"))
    x = clips(3, size=32 if name in ("slim", "c3d") else 64)
    with torch.no_grad():
        assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-5)
        batch = build_encoder(EncoderConfig(name=name, width=width))
        assert not torch.allclose(batch(x)[:1], batch(x[:1]), atol=1e-3)


def test_in_evaluation_batch_mates_do_not_matter():
    net = build_encoder(EncoderConfig()).eval()
    x = clips(3)
    with torch.no_grad():
        assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-5)


def test_every_parameter_is_reached():
    net = build_encoder(EncoderConfig(width=8))
    net(clips(4)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_order_of_frames_matters():
    net = build_encoder(EncoderConfig()).eval()
    x = clips(1)
    with torch.no_grad():
        assert not torch.allclose(net(x), net(x.flip(2)), atol=1e-4)


@pytest.mark.parametrize("name", ["slim", "r3d26", "r2plus1d26", "i3d"])
def test_channels_lie_last_and_stay_so_in_a_copy(name):
    net = build_encoder(EncoderConfig(name, width=8 if name == "slim" else 16))
    for each in (net, copy.deepcopy(net)):
        convolutions = [m for m in each.modules() if isinstance(m, torch.nn.Conv3d)]
        assert all(m.weight.is_contiguous(memory_format=torch.channels_last_3d) for m in convolutions)
        # With one thread and fewer than 16 clips PyTorch leaves oneDNN, for a convolution that loses the layout.
        assert each.feature_map(clips(16, size=32)).is_contiguous(memory_format=torch.channels_last_3d)


def test_refuses_what_does_not_fit():
    net = build_encoder(EncoderConfig(width=8), channels=2)
    with pytest.raises(ShapeError, match=r"\(2, 3, 8, 64, 64\); expected \[B, 2, T, H, W\]"):
        net(clips())
    with pytest.raises(ShapeError, match="Slim"):
        net(clips()[0])
    with pytest.raises(ConfigError, match="0 channels"):
        build_encoder(EncoderConfig(), channels=0)
    with pytest.raises(ConfigError, match="'resnet'") as caught:
        EncoderConfig(name="resnet")
    assert "'s3d'" in caught.value.hint
    with pytest.raises(ConfigError, match="'layer'"):
        EncoderConfig(norm="layer")


@pytest.mark.parametrize("name", NAMES)
def test_stages_hold_every_parameter_once_in_the_order_of_the_data(name):
    net = drawn(name)
    stages = net.stages()
    assert [id(p) for stage in stages for p in stage] == [id(p) for p in net.parameters()]
    assert all(any(p.ndim > 1 for p in stage) for stage in stages)
    assert len(stages) >= 5
