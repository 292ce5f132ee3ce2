"""Networks of pictures: two halves that are one network, files of weights, settings that do not fit."""

from types import SimpleNamespace

import pytest
import torch
from debug_size import generator
from safetensors.torch import save_file
from torch import nn

from kinema.core.errors import CheckpointError, ConfigError, MissingExtraError, ShapeError
from kinema.networks.images import ImageConfig, build_image_encoder, library


def crops(count=3, height=32, width=16):
    return torch.randn(count, 3, height, width, generator=generator(0))


class Holder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder, self.other = build_image_encoder(config), nn.Linear(2, 2)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_the_small_network_is_its_two_halves(norm):
    torch.manual_seed(0)
    net = build_image_encoder(ImageConfig(width=4, norm=norm)).eval()
    x = crops()
    middle = net.middle(x)
    assert middle.shape == (3, net.middle_channels, 8, 4)
    assert net(x).shape == (3, net.dim)
    assert torch.equal(net(x), net.rest(middle))
    staged = [id(p) for stage in net.stages() for p in stage]
    assert sorted(staged) == sorted(id(p) for p in net.parameters())
    assert build_image_encoder(ImageConfig(width=4))(crops(2, 128, 64)).shape == (2, 32)


def test_the_small_network_has_the_size_that_is_written():
    net = build_image_encoder(ImageConfig())
    assert sum(p.numel() for p in net.parameters()) == 322_080
    assert net.dim == 256


def test_features_are_given_out_as_they_are():
    net = build_image_encoder(ImageConfig("features", features=5))
    x = torch.randn(4, 5)
    assert torch.equal(net(x), x)
    with pytest.raises(ShapeError, match=r"7 features.* takes 5"):
        net(torch.randn(4, 7))
    with pytest.raises(ShapeError, match=r"\(3, 32, 16\)"):
        net(crops())
    with pytest.raises(ConfigError, match="no map"):
        net.middle(x)
    with pytest.raises(ConfigError, match="not known how many"):
        build_image_encoder(ImageConfig("features"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet"}, "name is 'resnet'"),
        ({"norm": "layer"}, "norm is 'layer'"),
        ({"width": 0}, "width is 0"),
        ({"name": "features", "width": 8}, "width is '8' with the encoder 'features'"),
        ({"name": "features", "norm": "group"}, "norm is 'group' with the encoder 'features'"),
        ({"model": "resnet50"}, "model is 'resnet50' with the encoder 'convnet'"),
        ({"features": 8}, "features is '8' with the encoder 'convnet'"),
        ({"name": "timm"}, "not said which"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        ImageConfig(**settings)


def test_data_that_do_not_fit_are_refused():
    config = ImageConfig()
    config.check(SimpleNamespace(unit="tracklets", features=""), ())
    with pytest.raises(ConfigError, match="the data are clips"):
        config.check(SimpleNamespace(unit="clips"), ())
    with pytest.raises(ConfigError, match=r"data\.features"):
        config.check(SimpleNamespace(unit="tracklets", features="osnet.onnx"), ())
    with pytest.raises(ConfigError, match="has no weights"):
        ImageConfig("features", features=3).with_sizes_of("a.pth")
    assert config.with_sizes_of("a.pth") == config.replaced_by("a.pth") == config


@pytest.mark.parametrize("whole", [True, False], ids=["tower", "encoder"])
def test_weights_are_loaded_strictly(whole, tmp_path):
    config = ImageConfig(width=4)
    theirs, ours = Holder(config), Holder(config)
    state = (theirs if whole else theirs.encoder).state_dict()
    save_file({key: x.contiguous() for key, x in state.items()}, tmp_path / "w.safetensors")
    assert config.load_weights("tracklet", ours, tmp_path / "w.safetensors")
    expected = theirs.encoder.state_dict()
    assert all(torch.equal(x, expected[key]) for key, x in ours.encoder.state_dict().items())
    first = next(key for key in state if key.endswith("stem.0.weight"))
    torch.save({**state, first: torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"stem\.0\.weight is \(1,\) and should be"):
        config.load_weights("tracklet", ours, tmp_path / "w.pth")
    del state[first]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"missing: stem\.0\.weight"):
        config.load_weights("tracklet", ours, tmp_path / "w.pth")


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingExtraError, match="'timm'") as caught:
        build_image_encoder(ImageConfig("timm", model="resnet18"))
    assert "kinema[images]" in caught.value.hint


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="the extra kinema[images] is not installed", exc_type=ImportError)


def test_a_resnet_of_timm_is_its_two_halves(timm):
    torch.manual_seed(0)
    net, x = build_image_encoder(ImageConfig("timm", model="resnet18")).eval(), crops(2, 64, 32)
    assert isinstance(net, library.TimmNet)
    middle = net.middle(x)
    assert middle.shape == (2, net.middle_channels, 8, 4)
    torch.testing.assert_close(net.rest(middle), net(x))
    torch.testing.assert_close(net(x), net.net(x))
    staged = [id(p) for stage in net.stages() for p in stage]
    assert sorted(staged) == sorted(id(p) for p in net.parameters())


def test_weights_of_timm_are_loaded_without_their_classifier(timm, tmp_path):
    theirs = timm.create_model("resnet18", pretrained=False, num_classes=7)
    config = ImageConfig("timm", model="resnet18")
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    ours = Holder(config)
    assert config.load_weights("tracklet", ours, tmp_path / "w.safetensors")
    x = crops(2, 64, 32)
    expected = theirs.eval().forward_head(theirs.forward_features(x), pre_logits=True)
    torch.testing.assert_close(ours.encoder.eval()(x), expected)
    state = theirs.state_dict()
    del state["layer1.0.conv1.weight"]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"missing: net\.layer1\.0\.conv1\.weight"):
        config.load_weights("tracklet", ours, tmp_path / "w.pth")


def test_networks_of_timm_that_do_not_fit_are_named(timm):
    with pytest.raises(ConfigError, match="no network of that name") as caught:
        build_image_encoder(ImageConfig("timm", model="resnet5O"))
    assert "resnet50" in caught.value.hint
    net = build_image_encoder(ImageConfig("timm", model="vit_tiny_patch16_224"))
    assert net.middle_channels == 0
    with pytest.raises(ConfigError, match="no map in its middle"):
        net.middle(crops())
    with pytest.raises(ShapeError, match="32x16 pixels"):
        net(crops())
