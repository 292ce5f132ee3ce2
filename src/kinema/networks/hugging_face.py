"""Loads weights of ``transformers`` into our video transformers, and reads their sizes from config.json.

A folder of ``save_pretrained``, config.json and model.safetensors, is read here, without ``transformers`` and without
any download. The encoder of the published networks is loaded. What else their files hold is listed in ``LEFT_OVER``;
any other key, and any that is missing, is an error that names it.

The published files of VideoMAE name the biases of queries and values as earlier releases of ``transformers`` did; both
names are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.reading import load_json, reason_of
from kinema.networks.video.vit_config import VITS, VitConfig

if TYPE_CHECKING:
    from kinema.networks.build import EncoderConfig

CONFIG = "config.json"

FIRST = {"videomae": "embeddings.patch_embeddings.projection.", "vjepa2": "encoder.embeddings.patch_embeddings.proj."}
"""The convolution that makes the patches, by which their files are known; the whole model puts its name before it."""

KEYS = {
    "videomae": {FIRST["videomae"]: "patches.", "encoder.layer.": "blocks.", "layernorm.": "norm."},
    "vjepa2": {FIRST["vjepa2"]: "patches.", "encoder.layer.": "blocks.", "encoder.layernorm.": "norm."},
}
"""Prefixes of their keys, and of ours; the rest of a key is the same."""

RENAMED = {".attention.attention.q_bias": ".attention.attention.query.bias"}
RENAMED |= {".attention.attention.v_bias": ".attention.attention.value.bias"}
"""The biases of VideoMAE by the names that its published files have."""

LEFT_OVER = {
    "videomae": ("decoder.", "encoder_to_decoder.", "mask_token", "position_embeddings", "fc_norm.", "classifier."),
    "vjepa2": ("predictor.", "vjepa2.predictor.", "pooler.", "classifier."),
}
"""How the keys begin of what an encoder has no use for: decoder, predictor, pooler, classifier."""

# Ours by theirs, with the value that they mean where they leave it out.
SIZES: dict[str, dict[str, tuple[str, Any]]] = {
    "videomae": {
        "dim": ("hidden_size", 768),
        "depth": ("num_hidden_layers", 12),
        "heads": ("num_attention_heads", 12),
        "patch": ("patch_size", 16),
        "tubelet": ("tubelet_size", 2),
        "frames": ("num_frames", 16),
        "size": ("image_size", 224),
    },
    "vjepa2": {
        "dim": ("hidden_size", 1024),
        "depth": ("num_hidden_layers", 24),
        "heads": ("num_attention_heads", 16),
        "mlp_ratio": ("mlp_ratio", 4.0),
        "patch": ("patch_size", 16),
        "tubelet": ("tubelet_size", 2),
    },
}

# What is not a setting here, and what it has to be; the first of several names that is there counts.
FIXED: dict[str, dict[tuple[str, ...], Any]] = {
    "videomae": {("hidden_act",): "gelu", ("qv_bias", "qkv_bias"): True, ("layer_norm_eps",): 1e-12},
    "vjepa2": {("hidden_act",): "gelu", ("qkv_bias",): True, ("layer_norm_eps",): 1e-6},
}


def with_sizes_of(config: EncoderConfig, weights: str | Path) -> EncoderConfig:
    """The settings of an encoder that starts from weights, with the sizes from a folder of transformers.

    Args:
        config: the user's settings; sizes left at their defaults are taken from the folder.
        weights: the file or folder; anything but a folder with the config.json of such a network changes nothing.

    Raises:
        ConfigError: the folder is of another network or of other sizes than were asked for, or of one that cannot be
            built here.
        CheckpointError: its config.json cannot be read.
    """
    sizes = read_sizes(Path(weights)) if weights else None
    if sizes is None:
        return config
    name, vit = sizes
    if config.name != name:
        raise ConfigError(
            f"The weights '{weights}' are of '{name}', the encoder is '{config.name}'.", f"Set encoder.name to {name}."
        )
    if config.vit not in (vit, VitConfig()):
        differing = [f.name for f in fields(vit) if getattr(vit, f.name) != getattr(config.vit, f.name)]
        pairs = [f"encoder.vit.{f} is {getattr(config.vit, f)} and theirs {getattr(vit, f)}" for f in differing]
        raise ConfigError(
            f"The weights '{weights}' are of other sizes than the encoder: {'; '.join(pairs)}.",
            "Leave encoder.vit out: the folder tells the sizes.",
        )
    return replace(config, vit=vit)


def read_sizes(folder: Path) -> tuple[str, VitConfig] | None:
    """The encoder's name and sizes in a folder's config.json; None where it is no such folder.

    Raises:
        ConfigError: a network that cannot be built here; the message names the setting.
        CheckpointError: config.json cannot be read.
    """
    file = folder / CONFIG
    if not file.is_file():
        return None
    try:
        values = load_json(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"'{file}' cannot be read: {reason_of(error)}.", "Copy the whole folder again."
        ) from error
    name = values.get("model_type") if isinstance(values, dict) else None
    if name not in VITS:
        return None
    for names, expected in FIXED[name].items():
        found = next((values[key] for key in names if key in values), expected)
        if found != expected:
            raise ConfigError(f"'{file}' says {names[0]} = {found!r}; the encoder '{name}' has {expected!r}.")
    sizes = {ours: values.get(theirs, default) for ours, (theirs, default) in SIZES[name].items()}
    wrong = [f"{SIZES[name][key][0]} = {value!r}" for key, value in sizes.items() if not _is_number(value)]
    if wrong:
        raise ConfigError(f"'{file}' says {', '.join(wrong)}; the encoder '{name}' needs one number for each.")
    if name == "videomae":
        sizes["mlp_ratio"] = values.get("intermediate_size", 3072) / sizes["dim"]
        sizes["final_norm"] = not values.get("use_mean_pooling", True)
    sizes["mlp_ratio"] = float(sizes["mlp_ratio"])
    return name, VitConfig(**sizes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def family(state: Mapping[str, Tensor]) -> str | None:
    """The encoder whose weights the keys are those of, as transformers names them; None for others."""
    keys = {f"{start}{first}weight": name for name, first in FIRST.items() for start in ("", f"{name}.")}
    return next((name for key, name in keys.items() if key in state), None)


def from_hugging_face(config: EncoderConfig, encoder: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the keys of our encoder.

    Args:
        config: what the encoder was built from.
        encoder: says which keys there are.
        state: theirs, of the encoder alone, with a decoder or predictor, or with a classifier.

    Raises:
        ConfigError: they are of another network, or of VideoMAE and no table of positions is set.
        CheckpointError: keys are missing or left over, other than those of ``LEFT_OVER``; they are named.
    """
    name = family(state)
    assert name is not None, "asked before"
    if config.name != name:
        raise ConfigError(
            f"The weights are those of '{name}', the encoder is '{config.name}'.", f"Set encoder.name to {name}."
        )
    if name == "videomae" and not config.vit.frames:
        raise ConfigError(
            "The weights are VideoMAE's, and the file does not tell which clips their table of positions is of.",
            "Give the folder with its config.json, or set encoder.vit.frames and encoder.vit.size, 16 and 224 for the "
            "published weights.",
        )
    ours, surplus = {}, []
    for key, value in state.items():
        if key.startswith(LEFT_OVER[name]):
            continue
        own = our_key(name, key)
        if own is None:
            surplus.append(key)
        else:
            ours[own] = value
    expected = encoder.state_dict()
    missing = [key for key in expected if key not in ours]
    surplus += [key for key in ours if key not in expected]
    if missing or surplus:
        problems = [
            f"{title}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
            for title, keys in (("missing", missing), ("unexpected", surplus))
            if keys
        ]
        raise CheckpointError(
            f"The weights are not those of this '{name}': {'; '.join(problems)}.",
            "Give the folder with its config.json, which tells the sizes, or set encoder.vit to them.",
        )
    return ours


def our_key(name: str, key: str) -> str | None:
    """What our encoder calls one of their keys; None where it has nothing of the kind."""
    key = key.removeprefix(f"{name}.")
    for theirs, ours in RENAMED.items() if name == "videomae" else ():
        key = re.sub(re.escape(theirs) + "$", ours, key)
    return next((own + key.removeprefix(start) for start, own in KEYS[name].items() if key.startswith(start)), None)
