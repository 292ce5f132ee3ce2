"""Weights of others: equal features through the map of keys, or an error that names what does not fit."""

import copy
import sys

import pytest
import torch
from lived_towers import lived_tower
from oracles.torchvision import NETWORKS, features_of
from safetensors.torch import save_file
from torch import nn

from kinema.core.errors import CheckpointError, ConfigError
from kinema.networks import EncoderConfig, build_encoder, load_weights


def noise(batch, channels=3, frames=8, size=64, seed=1):
    return torch.randn(batch, channels, frames, size, size, generator=torch.Generator().manual_seed(seed))


def theirs(name):
    """A network of torchvision's with random weights and statistics that fit them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NETWORKS[name]()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm3d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.2)
                module.momentum = 1.0
    with torch.no_grad():
        features_of(net.train(), noise(3, seed=2))
    return net.eval()


@pytest.fixture(scope="module")
def networks():
    return {name: theirs(name) for name in NETWORKS}


def test_the_oracle_has_torchvisions_parameters(networks):
    """33,371,472, 31,505,325 and 8,320,048, as torchvision states them."""
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"r3d18": 33_371_472, "r2plus1d18": 31_505_325, "s3d": 8_320_048}


@pytest.mark.parametrize(("name", "suffix"), [*((name, ".pth") for name in NETWORKS), ("s3d", ".safetensors")])
def test_torchvisions_weights_give_equal_features(networks, name, suffix, tmp_path):
    net, file = networks[name], tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(net.state_dict(), file)
    else:
        save_file(net.state_dict(), file)
    ours = build_encoder(EncoderConfig(name)).eval()
    x = noise(1)
    with torch.no_grad():
        expected = features_of(copy.deepcopy(net).double(), x.double())  # where rounding hides nothing
        assert not torch.allclose(ours(x), expected.float(), atol=1e-2)
        load_weights(ours, EncoderConfig(name), file)
        torch.testing.assert_close(ours.double()(x.double()), expected, rtol=1e-9, atol=1e-9)
    assert "torchvision" not in sys.modules


def test_s3d_differs_only_where_a_map_is_odd(networks):
    """A clip of 48 pixels has 3 rows before the last pooling: torchvision drops the third, we pool it."""
    ours = build_encoder(EncoderConfig("s3d")).eval()
    weights = networks["s3d"].features.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    with torch.no_grad():
        even, odd = noise(1, size=64), noise(1, size=48)
        torch.testing.assert_close(ours.feature_map(even), networks["s3d"].features(even), rtol=1e-4, atol=1e-4)
        assert ours.feature_map(odd).shape[3:] == (2, 2)
        assert networks["s3d"].features(odd).shape[3:] == (1, 1)


def drawn(config, channels=3):
    """A network that has shapes and no numbers: for weights that are refused."""
    with torch.device("meta"):
        return build_encoder(config, channels)


def hollow(net):
    """Its weights, all of them one zero: a file of them is small."""
    return {key: torch.zeros(()).expand(value.shape) for key, value in net.state_dict().items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_does_not_fit_is_named(networks, name, tmp_path):
    file, config = tmp_path / "weights.pth", EncoderConfig(name)
    whole = hollow(networks[name])
    lost = next(key for key in whole if key.endswith("running_var"))
    torch.save({key: value for key, value in whole.items() if key != lost} | {"extra.bias": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=f"missing: {lost}; unexpected: extra.bias"):
        load_weights(drawn(config), config, file)
    first = next(iter(whole))
    torch.save({**whole, first: whole[first][:, :2]}, file)
    with pytest.raises(CheckpointError, match=r"of another shape: .* is \(\d+, 2, .* and should be \(\d+, 3, "):
        load_weights(drawn(config), config, file)
    torch.save(whole, file)
    with pytest.raises(CheckpointError, match=r"of another shape: .* should be \(\d+, 2, "):
        load_weights(drawn(config, channels=2), config, file)


def test_networks_that_torchvision_does_not_have(networks, tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(hollow(networks["r3d18"]), file)
    for config, message in (
        (EncoderConfig("c3d"), "torchvision's, which has no network 'c3d'"),
        (EncoderConfig("r3d18", norm="group"), "this encoder has GroupNorm"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_weights(drawn(config), config, file)
    config = EncoderConfig("r2plus1d18")
    with pytest.raises(CheckpointError, match=r"not those of torchvision's r2plus1d_18: missing: layer1\.0\.conv1\.0"):
        load_weights(drawn(config), config, file)


@pytest.mark.parametrize("form", ["tower", "encoder", "folder"])
def test_kinemas_own_weights(form, tmp_path):
    tower = lived_tower()
    state = tower.state_dict() if form != "encoder" else tower.encoder.state_dict()
    file = tmp_path / "model.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    ours = build_encoder(tower.encoder_config).eval()
    load_weights(ours, tower.encoder_config, tmp_path if form == "folder" else file)
    x = noise(2, size=32)
    with torch.no_grad():
        assert torch.equal(ours(x), tower.encoder(x))


class Evil:
    def __reduce__(self):
        return (print, ("this ran",))


def test_files_that_hold_something_else(tmp_path, capsys):
    file = tmp_path / "weights.pth"
    encoder, config = build_encoder(EncoderConfig(width=4)), EncoderConfig(width=4)
    for content in ([torch.zeros(2)], {"a": 3}, {}):
        torch.save(content, file)
        with pytest.raises(CheckpointError, match="does not hold tensors by name"):
            load_weights(encoder, config, file)
    torch.save({"a": Evil()}, file)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_weights(encoder, config, file)
    file.write_bytes(b"damaged")
    for path in (file, tmp_path / "none.pth", tmp_path / "none.safetensors"):
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_weights(encoder, config, path)
    assert capsys.readouterr().out == ""
