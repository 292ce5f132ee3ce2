"""Folders of transformers: equal features with the same weights, sizes from config.json, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_vits import CONFIGS, NAMES, SIZES, as_rgb, as_theirs, library, pixels, their_model

from kinema.core.errors import CheckpointError, ConfigError
from kinema.networks import EncoderConfig, VitConfig, build_encoder, load_weights, with_sizes_of

each = pytest.mark.parametrize("name", NAMES)
TOLD = {"videomae": replace(SIZES, frames=4, size=16), "vjepa2": SIZES}
KINDS = [(name, kind) for name in NAMES for kind in ("Model", "ForVideoClassification")]
KINDS.append(("videomae", "ForPreTraining"))


def tokens(net, x):
    """What the base model of theirs gives for each patch, [B, t h w, dim]."""
    base = getattr(net, net.base_model_prefix, net)
    with torch.no_grad():
        more = {"skip_predictor": True} if net.config.model_type == "vjepa2" else {}
        return base(as_theirs(x), **more).last_hidden_state


def renamed(state, pairs):
    """The same tensors with the last parts of their keys changed."""
    changed = {}
    for key, value in state.items():
        theirs = next((theirs for theirs in pairs if key.endswith(theirs)), "")
        changed[key.removesuffix(theirs) + pairs.get(theirs, "")] = value
    return changed


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_folder_of_theirs_gives_equal_features(name, kind, tmp_path):
    net = their_model(name, kind)
    net.save_pretrained(tmp_path)
    config = with_sizes_of(EncoderConfig(name), str(tmp_path))
    assert config == EncoderConfig(name, vit=TOLD[name])
    ours, x = build_encoder(config).eval(), pixels()
    load_weights(ours, config, tmp_path)
    expected = tokens(net, x)
    with torch.no_grad():
        found = ours.feature_map(as_rgb(x))
        torch.testing.assert_close(found.flatten(2).transpose(1, 2), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours(as_rgb(x)), expected.mean(1), atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.1


@each
def test_every_weight_counts(name, tmp_path):
    """Each tensor of ours comes from the file: none is left as it was drawn."""
    their_model(name).save_pretrained(tmp_path)
    config = with_sizes_of(EncoderConfig(name), str(tmp_path))
    ours = build_encoder(config)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    load_weights(ours, config, tmp_path)
    assert [key for key, value in ours.state_dict().items() if torch.equal(value, before[key])] == []


OLD = {".attention.query.bias": ".attention.q_bias", ".attention.value.bias": ".attention.v_bias"}


@pytest.mark.parametrize("pairs", [OLD, {old: new for new, old in OLD.items()}], ids=["as-published", "as-of-now"])
@pytest.mark.parametrize("kind", ["ForPreTraining", "ForVideoClassification"])
def test_both_names_of_videomaes_biases_are_read(kind, pairs, tmp_path):
    """The published files name them as earlier releases of transformers did."""
    net, file = their_model("videomae", kind), tmp_path / "model.safetensors"
    net.save_pretrained(tmp_path)
    save_file(renamed(load_file(file), pairs), file)
    assert sum(key.endswith(tuple(pairs.values())) for key in load_file(file)) >= 4
    config = with_sizes_of(EncoderConfig("videomae"), str(tmp_path))
    ours, x = build_encoder(config).eval(), pixels()
    load_weights(ours, config, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(ours(as_rgb(x)), tokens(net, x).mean(1), atol=1e-4, rtol=1e-4)


def test_videomae_without_a_last_norm(tmp_path):
    """Its fine-tuned weights: the norm belongs to the classifier and is left out with it."""
    net = their_model("videomae", "ForVideoClassification", use_mean_pooling=True)
    net.save_pretrained(tmp_path)
    assert {"fc_norm.weight", "classifier.weight"} <= load_file(tmp_path / "model.safetensors").keys()
    config = with_sizes_of(EncoderConfig("videomae"), str(tmp_path))
    assert config.vit == replace(TOLD["videomae"], final_norm=False)
    ours, x = build_encoder(config).eval(), pixels()
    load_weights(ours, config, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(ours(as_rgb(x)), tokens(net, x).mean(1), atol=1e-4, rtol=1e-4)


def test_vjepa2_on_clips_of_another_grid(tmp_path):
    """Theirs is built for the grid it is shown; the weights are the same."""
    net = their_model("vjepa2")
    net.save_pretrained(tmp_path)
    config = with_sizes_of(EncoderConfig("vjepa2"), str(tmp_path))
    ours, x = build_encoder(config).eval(), pixels(frames=6, side=32)
    load_weights(ours, config, tmp_path)
    larger = their_model("vjepa2", crop_size=32, frames_per_clip=6)
    larger.load_state_dict(net.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(as_rgb(x)), tokens(larger, x).mean(1), atol=1e-4, rtol=1e-4)


@each
def test_a_bare_file_loads_where_the_sizes_are_set(name, tmp_path):
    net, x = their_model(name), pixels()
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    config = EncoderConfig(name, vit=TOLD[name])
    assert with_sizes_of(config, str(tmp_path / "w.safetensors")) == config
    ours = build_encoder(config).eval()
    load_weights(ours, config, tmp_path / "w.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(ours(as_rgb(x)), tokens(net, x).mean(1), atol=1e-4, rtol=1e-4)


def test_a_bare_file_does_not_tell_the_table_of_positions(tmp_path):
    save_file(their_model("videomae").state_dict(), tmp_path / "w.safetensors")
    config = CONFIGS["videomae"]
    with pytest.raises(ConfigError, match="does not tell which clips their table of positions is of"):
        load_weights(build_encoder(config), config, tmp_path / "w.safetensors")


@each
def test_what_does_not_fit_is_named(name, tmp_path):
    whole, file, config = (
        their_model(name).state_dict(),
        tmp_path / "w.safetensors",
        EncoderConfig(name, vit=TOLD[name]),
    )
    lost = next(key for key in whole if "layer.1.attention." in key and key.endswith("query.weight"))
    save_file({key: value for key, value in whole.items() if key != lost} | {"extra.bias": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"missing: blocks\.1\.attention.*query\.weight; unexpected: extra\.bias"):
        load_weights(build_encoder(config), config, file)
    save_file(whole, file)
    deeper = replace(config, vit=replace(config.vit, depth=3))
    with pytest.raises(CheckpointError, match=r"missing: blocks\.2\..* and \d+ more"):
        load_weights(build_encoder(deeper), deeper, file)
    flatter = replace(config, vit=replace(config.vit, depth=1))
    with pytest.raises(CheckpointError, match=r"unexpected: blocks\.1\."):
        load_weights(build_encoder(flatter), flatter, file)
    wider = replace(config, vit=replace(config.vit, dim=96))
    with pytest.raises(CheckpointError, match=r"of another shape: patches\.weight is \(48, 3, 2, 8, 8\) and should be"):
        load_weights(build_encoder(wider), wider, file)
    other = CONFIGS[NAMES[1 - NAMES.index(name)]]
    for encoder in (other, EncoderConfig(width=4)):
        with pytest.raises(ConfigError, match=f"The weights are those of '{name}', the encoder is '{encoder.name}'"):
            load_weights(build_encoder(encoder), encoder, file)


@each
def test_a_folder_of_another_network_or_size(name, tmp_path):
    their_model(name).save_pretrained(tmp_path)
    other = NAMES[1 - NAMES.index(name)]
    for config in (EncoderConfig(other), EncoderConfig()):
        with pytest.raises(ConfigError, match=f"are of '{name}', the encoder is '{config.name}'"):
            with_sizes_of(config, str(tmp_path))
    asked = EncoderConfig(name, vit=replace(TOLD[name], heads=2))
    with pytest.raises(ConfigError, match=r"of other sizes than the encoder: encoder\.vit\.heads is 2 and theirs 4\."):
        with_sizes_of(asked, str(tmp_path))
    with pytest.raises(ConfigError, match=r"encoder\.vit\.heads is 2 and theirs 4"):
        load_weights(build_encoder(asked), asked, tmp_path)
    small = EncoderConfig(name, vit=VitConfig())
    assert with_sizes_of(small, str(tmp_path)).vit == TOLD[name]
    with pytest.raises(ConfigError, match="does not have the sizes"):
        load_weights(torch.nn.Identity(), small, tmp_path)


def test_what_a_config_leaves_out_is_what_transformers_means_by_it(tmp_path):
    """Files of earlier releases hold only what differs from the defaults."""
    theirs = {"videomae": library().VideoMAEConfig(), "vjepa2": library().VJEPA2Config()}
    for name, config in theirs.items():
        (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
        found = with_sizes_of(EncoderConfig(name), str(tmp_path)).vit
        wanted = VitConfig(config.hidden_size, config.num_hidden_layers, config.num_attention_heads)
        wanted = replace(wanted, patch=config.patch_size, tubelet=config.tubelet_size)
        if name == "videomae":
            wanted = replace(wanted, mlp_ratio=config.intermediate_size / config.hidden_size)
            wanted = replace(wanted, frames=config.num_frames, size=config.image_size)
            wanted = replace(wanted, final_norm=not config.use_mean_pooling)
        else:
            wanted = replace(wanted, mlp_ratio=float(config.mlp_ratio))
        assert found == wanted


@pytest.mark.parametrize(
    ("told", "kind", "message"),
    [
        ({"model_type": "vjepa2", "hidden_act": "relu"}, ConfigError, "says hidden_act = 'relu'; .* has 'gelu'"),
        ({"model_type": "videomae", "qkv_bias": False}, ConfigError, "says qv_bias = False; .* has True"),
        ({"model_type": "vjepa2", "layer_norm_eps": 1e-12}, ConfigError, "says layer_norm_eps = 1e-12"),
        ({"model_type": "videomae", "patch_size": [16, 8]}, ConfigError, r"says patch_size = \[16, 8\]"),
        ({"model_type": "vjepa2", "hidden_size": 100}, ConfigError, "heads is 16, which does not divide"),
        ("{", CheckpointError, "cannot be read"),
    ],
)
def test_configs_that_cannot_be_built(told, kind, message, tmp_path):
    (tmp_path / "config.json").write_text(told if isinstance(told, str) else json.dumps(told))
    name = told["model_type"] if isinstance(told, dict) else "videomae"
    with pytest.raises(kind, match=message):
        with_sizes_of(EncoderConfig(name), str(tmp_path))


def test_other_folders_change_nothing(tmp_path):
    for told in ([1], {"model_type": "bert"}, {}):
        (tmp_path / "config.json").write_text(json.dumps(told))
        assert with_sizes_of(EncoderConfig(), str(tmp_path)) == EncoderConfig()
    assert with_sizes_of(EncoderConfig(), str(tmp_path / "none")) == EncoderConfig()
    assert with_sizes_of(EncoderConfig(), "") == EncoderConfig()
