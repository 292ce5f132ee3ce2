"""VideoMAE and V-JEPA 2 as encoders: the contract, and what is refused."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tiny_vits import CONFIGS, FRAMES, NAMES, SIDE, SIZES, as_rgb, library, pixels
from torch.nn import functional

from kinema.core.clips import ClipSpec
from kinema.core.encoder import Encoder
from kinema.core.errors import ConfigError, MissingExtraError, ShapeError
from kinema.networks import EncoderConfig, Tower, VitConfig, build_encoder
from kinema.networks.tower import HeadConfig
from kinema.networks.video.vit import positions

each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def built(config, channels=3, **options):
    library()
    return build_encoder(config, channels, **options).eval()


@each
@pytest.mark.parametrize("channels", [2, 3])
def test_the_feature_map_is_the_grid_of_patches_and_the_feature_its_mean(name, channels):
    net = built(CONFIGS[name], channels)
    assert isinstance(net, Encoder)
    assert (net.channels, net.dim) == (channels, 48)
    x = torch.randn(2, channels, 6, 16, 24)
    with torch.no_grad():
        found = net.feature_map(x)
        assert found.shape == (2, 48, 3, 2, 3)
        torch.testing.assert_close(net(x), found.flatten(2).mean(2))


@each
def test_a_cell_of_the_map_is_the_patch_that_lies_there(name):
    """Without blocks, what is changed in one patch changes one cell, and that cell is where the patch is."""
    net = built(CONFIGS[name])
    net.blocks = torch.nn.Sequential()
    x = torch.zeros(1, 3, 4, 16, 24)
    changed = x.clone()
    changed[:, :, 2:4, 0:8, 16:24] += 1
    with torch.no_grad():
        gap = (net.feature_map(changed) - net.feature_map(x)).abs().sum(1)[0]
    assert gap.nonzero().tolist() == [[1, 0, 2]]


@each
def test_an_embedding_does_not_depend_on_its_batch_mates(name):
    net, x = built(CONFIGS[name]), torch.randn(4, 3, FRAMES, SIDE, SIDE)
    others = 5 * torch.randn_like(x)
    others[2] = x[2]
    with torch.no_grad():
        z = net(x)
        torch.testing.assert_close(net(others)[2], z[2], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(net(x[2:3])[0], z[2], atol=1e-6, rtol=1e-5)
        assert not torch.allclose(z[0], z[2], atol=1e-3)
        flipped = net(x.flip(2))
    assert not torch.allclose(flipped, z, atol=1e-4), "the order of the frames is not told"


@each
def test_stages_are_patches_and_blocks_in_order_and_hold_every_parameter_once(name):
    net = built(CONFIGS[name])
    names = {id(p): key for key, p in net.named_parameters()}
    stages = [[names.pop(id(p)) for p in stage] for stage in net.stages()]
    assert not names
    assert [{key.split(".")[0] for key in stage} for stage in stages] == [{"patches"}, {"blocks"}, {"blocks", "norm"}]
    assert [{key.split(".")[1] for key in stage if key[0] == "b"} for stage in stages[1:]] == [{"0"}, {"1"}]


WEIGHTS = {
    "videomae": "attention.attention.query attention.attention.key attention.attention.value attention.output.dense "
    "intermediate.dense output.dense layernorm_before layernorm_after",
    "vjepa2": "norm1 attention.query attention.key attention.value attention.proj norm2 mlp.fc1 mlp.fc2",
}


@each
def test_the_names_that_runs_keep_their_weights_under(name):
    """They are the package's own, below a block: a release that changes them makes earlier runs unreadable."""
    modules = [f"blocks.{n}.{module}" for n in range(2) for module in WEIGHTS[name].split()]
    wanted = {f"{module}.{leaf}" for module in ["patches", *modules, "norm"] for leaf in ("weight", "bias")}
    wanted -= {f"blocks.{n}.attention.attention.key.bias" for n in range(2)}  # VideoMAE's keys have none
    assert set(built(CONFIGS[name]).state_dict()) == wanted


@each
def test_gradients_reach_every_parameter(name):
    net = built(CONFIGS[name]).train()
    (net(torch.randn(3, 3, FRAMES, SIDE, SIDE)) * torch.randn(3, 48)).sum().backward()
    assert [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


@each
def test_everything_moves_to_a_device_together(name):
    """The device 'meta' computes nothing and refuses what lies elsewhere."""
    for frames in (0, 8):
        if frames and name == "vjepa2":
            continue
        config = replace(CONFIGS[name], vit=replace(SIZES, frames=frames, size=4 * frames))
        net = built(config).to("meta")
        assert net(torch.randn(2, 3, FRAMES, SIDE, SIDE, device="meta")).shape == (2, 48)


@each
def test_mixed_precision_is_near_the_full_one(name):
    net, x = built(CONFIGS[name]), as_rgb(pixels())
    with torch.no_grad():
        z = net(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = net(x)
    assert functional.cosine_similarity(half.float(), z).min() > 0.99


@each
def test_training_draws_nothing(name):
    net, x = built(CONFIGS[name]).train(), torch.randn(2, 3, FRAMES, SIDE, SIDE)
    before = torch.random.get_rng_state()
    assert torch.equal(net(x), net(x))
    assert torch.equal(torch.random.get_rng_state(), before)


@each
def test_the_seed_decides_the_weights(name):
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([p.detach().flatten() for p in built(CONFIGS[name]).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@each
def test_only_colours_are_normalised_anew(name):
    """The view 'rgb' is given ImageNet's means; the residual, which has three channels too, is left alone."""
    library()
    rgb, residual = (Tower(view, CONFIGS[name], HeadConfig(out=8)).encoder.eval() for view in ("rgb", "residual"))
    residual.load_state_dict(rgb.state_dict())
    x = pixels()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        by_hand = residual((x - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1))
        torch.testing.assert_close(rgb(as_rgb(x)), by_hand, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(residual(as_rgb(x)), by_hand, atol=1e-3)


def test_the_table_of_positions_by_its_definition():
    table = positions((2, 3, 4), 10)
    assert table.shape == (10, 2, 3, 4)
    for j, (t, h, w) in ((0, (0, 0, 3)), (3, (1, 2, 1)), (8, (1, 0, 0)), (9, (1, 2, 3))):
        angle = ((t * 3 + h) * 4 + w) / 10000 ** (2 * (j // 2) / 10)
        assert float(table[j, t, h, w]) == pytest.approx((math.cos if j % 2 else math.sin)(angle), abs=1e-6)


def test_videomae_resamples_the_table_that_its_weights_know():
    """Clips of half the side stand between the places of the table: each has the mean of four."""
    known = built(replace(CONFIGS["videomae"], vit=replace(SIZES, frames=4, size=32)))
    given = []
    known.blocks.register_forward_pre_hook(lambda _, tokens: given.append(tokens[0]))
    torch.nn.init.zeros_(known.patches.weight)
    torch.nn.init.zeros_(known.patches.bias)
    table = positions((2, 4, 4), 48)
    with torch.no_grad():
        known(torch.randn(1, 3, 4, 32, 32))
        known(torch.randn(1, 3, 4, 16, 16))
    torch.testing.assert_close(given[0][0], table.flatten(1).T)
    torch.testing.assert_close(given[1][0], functional.avg_pool2d(table, 2).flatten(1).T)


def test_vjepa2_counts_places_by_the_clips_own_grid():
    """What is moved by a patch in the middle of nothing is told by distances alone: turning is relative."""
    net = built(CONFIGS["vjepa2"])
    x = torch.zeros(1, 3, 4, 16, 16)
    x[:, :, :, :8, :8] = torch.randn(1, 3, 4, 8, 8)
    with torch.no_grad():
        attended = net.feature_map(torch.cat([x, torch.zeros_like(x)], 4))
        transposed = net.feature_map(torch.cat([x, torch.zeros_like(x)], 3))
    assert attended.shape[3:] == (2, 4)
    assert transposed.shape[3:] == (4, 2)
    assert not torch.allclose(attended.transpose(3, 4), transposed, atol=1e-4), "rows and columns are told apart"


@each
def test_clips_that_patches_do_not_divide_are_refused(name):
    net = built(CONFIGS[name])
    for shape in ((5, 16, 16), (4, 20, 16), (4, 16, 4)):
        with pytest.raises(ShapeError, match=rf"{shape[0]} frames of {shape[1]} x {shape[2]} pixels; tubelets of 2"):
            net(torch.randn(1, 3, *shape))
    with pytest.raises(ShapeError, match="expected \\[B, 3, T, H, W\\]"):
        net(torch.randn(1, 2, 4, 16, 16))


def test_sizes_that_cannot_be():
    for changes, message in (
        ({"dim": 0}, "encoder.vit.dim is 0"),
        ({"dim": 50}, "heads is 4, which does not divide encoder.vit.dim 50"),
        ({"mlp_ratio": 0.001}, "mlp_ratio is 0.001"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio is nan"),
        ({"frames": 4}, "frames is 4 and encoder.vit.size is 0"),
        ({"frames": 5, "size": 16}, "tubelets of 2 frames and patches of 8 pixels do not divide"),
    ):
        with pytest.raises(ConfigError, match=message):
            replace(SIZES, **changes)
    for config, message in (
        ({"name": "slim", "vit": SIZES}, "encoder.vit is set with the encoder 'slim'"),
        ({"name": "vjepa2", "vit": replace(SIZES, heads=12)}, "leaves 4 of 48 dimensions a head"),
        ({"name": "vjepa2", "vit": replace(SIZES, frames=4, size=16)}, "no table of positions"),
        ({"name": "vjepa2", "vit": replace(SIZES, final_norm=False)}, "always a last norm"),
        ({"name": "videomae", "norm": "group"}, "encoder.norm is 'group' with the encoder 'videomae'"),
        ({"name": "videomae", "width": 8}, "encoder.width is 8 with the encoder 'videomae'"),
    ):
        with pytest.raises(ConfigError, match=message):
            EncoderConfig(**config)


def test_clips_are_refused_before_anything_is_built():
    config = EncoderConfig("videomae", vit=VitConfig())
    config.check_clip(ClipSpec(16, 1, 224, 224))
    with pytest.raises(ConfigError, match=r"clip\.size is 100, .* patches of 16 pixels") as refused:
        config.check_clip(ClipSpec(16, 1, 100, 100))
    assert refused.value.hint == "Set clip.size to 96 or 112."
    with pytest.raises(ConfigError, match=r"clip\.frames is 9, .* tubelets of 2 frames"):
        config.check_clip(ClipSpec(9, 1, 112, 112))
    EncoderConfig("slim").check_clip(ClipSpec(9, 1, 100, 100))


@each
def test_without_the_package_the_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError) as missing:
        build_encoder(CONFIGS[name])
    assert "kinema[transformers]" in missing.value.hint


def test_an_older_package_is_refused(monkeypatch):
    monkeypatch.setattr(library(), "__version__", "5.9.1")
    with pytest.raises(MissingExtraError, match=r"transformers>=5\.23"):
        build_encoder(CONFIGS["videomae"])
    monkeypatch.setattr(library(), "__version__", "6.0.0.dev0")
    build_encoder(CONFIGS["videomae"])


def test_the_package_is_imported_by_such_an_encoder_alone_and_opens_no_connection():
    library()
    code = """
import socket, sys
def refuse(*_, **__): raise RuntimeError("a connection")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import kinema
from kinema.networks import EncoderConfig, VitConfig, build_encoder
build_encoder(EncoderConfig())
print("transformers" in sys.modules)
vit = VitConfig(dim=48, depth=1, heads=4, patch=8)
for name in ("videomae", "vjepa2"):
    build_encoder(EncoderConfig(name, vit=vit))
print("transformers" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["False", "True"]
    assert run.stderr == ""
