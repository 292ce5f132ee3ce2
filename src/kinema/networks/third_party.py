"""Weights of others: torchvision's video networks into ours, key by key.

The names are those of torchvision's ``r3d_18``, ``r2plus1d_18`` and ``s3d`` (models/video/resnet.py and s3d.py);
torchvision itself is not needed. Every key and every shape must fit; the classifier, ``fc.*`` or ``classifier.*``, is
the only part that is left over.

With the same weights the features are equal, and these differences remain:

- The published weights were trained on colours normalised channel by channel (mean .43, .39, .38, standard deviation
  .23, .22, .22); the rgb view has .45 and .225 for all three.
- s3d: torchvision's last pooling drops what is over when its map has an odd number of frames, rows or columns; ours
  pools it. The features are equal where a clip has a multiple of 8 frames and of 32 pixels. Neither has the gating of
  S3D-G. BatchNorm's running statistics move by .001 a step there, by .1 here, which matters to training alone.
- The middle planes of R(2+1)D are torchvision's; see :mod:`kinema.networks.video.r2plus1d`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from kinema.core.errors import CheckpointError, ConfigError

TORCHVISION = {"r3d18": "r3d_18", "r2plus1d18": "r2plus1d_18", "s3d": "s3d"}
"""Our encoders by the name that torchvision gives them."""

LEFT_OVER = {
    "r3d18": {"fc.weight", "fc.bias"},
    "r2plus1d18": {"fc.weight", "fc.bias"},
    "s3d": {"classifier.1.weight", "classifier.1.bias"},
}
"""torchvision's classifiers, which an encoder has no use for."""

# The parts of a factorised convolution, and of our residual block: ours on the left, torchvision's on the right.
BLOCK = {"main.0": "conv1.0", "main.1": "conv1.1", "main.3": "conv2.0", "main.4": "conv2.1"}
BLOCK |= {"shortcut.0": "downsample.0", "shortcut.1": "downsample.1"}
SEPARABLE = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1"}


def is_torchvision(state: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of one of torchvision's video networks."""
    return (
        "layer1.0.conv1.0.weight" in state or "layer1.0.conv1.0.0.weight" in state or "features.0.0.0.weight" in state
    )


def from_torchvision(name: str, encoder: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the keys of our encoder.

    Args:
        name: the encoder's name in ``EncoderConfig``.
        encoder: says which keys there are.
        state: torchvision's state dict.

    Raises:
        ConfigError: torchvision has no such network, or the encoder has another norm than BatchNorm.
        CheckpointError: keys are missing or left over, other than the classifier's; they are named.
    """
    if name not in TORCHVISION:
        raise ConfigError(
            f"The weights are torchvision's, which has no network '{name}'.",
            f"Set encoder.name to one of: {', '.join(TORCHVISION)}.",
        )
    if any(isinstance(module, nn.GroupNorm) for module in encoder.modules()):
        raise ConfigError(
            "The weights are torchvision's, whose networks have BatchNorm; this encoder has GroupNorm.",
            "Set encoder.norm to batch.",
        )
    theirs = {key: torchvision_key(name, key) for key in encoder.state_dict()}
    missing = sorted(key for key in theirs.values() if key not in state)
    surplus = sorted(set(state) - set(theirs.values()) - LEFT_OVER[name])
    if missing or surplus:
        problems = [
            f"{title}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
            for title, keys in (("missing", missing), ("unexpected", surplus))
            if keys
        ]
        raise CheckpointError(
            f"The weights are not those of torchvision's {TORCHVISION[name]}: {'; '.join(problems)}.",
            "Give the file of that network, and set encoder.name to the one that it is of.",
        )
    return {ours: state[key] for ours, key in theirs.items()}


def torchvision_key(name: str, key: str) -> str:
    """What torchvision calls one of our keys."""
    path, _, leaf = key.rpartition(".")
    return f"{_s3d(path) if name == 's3d' else _resnet(path, factorised=name == 'r2plus1d18')}.{leaf}"


def _resnet(path: str, *, factorised: bool) -> str:
    """``stem.…`` is the same, but a factorised stem is one list; blocks are numbered through here, by layer there."""
    if path.startswith("stem."):
        inner = {"stem.0.0": "stem.0", "stem.0.1": "stem.1", "stem.0.3": "stem.3", "stem.1": "stem.4"}
        return inner[path] if factorised else path
    found = re.fullmatch(r"blocks\.(\d+)\.(main\.\d|shortcut\.\d)(\.\d)?", path)
    assert found, f"our networks have no module '{path}'"
    number = int(found.group(1))
    return f"layer{number // 2 + 1}.{number % 2}.{BLOCK[found.group(2)]}{found.group(3) or ''}"


def _s3d(path: str) -> str:
    """Layer numbers are the same; a separable convolution is one list here and two there, a branch has its own name."""
    _, layer, *rest = path.split(".")
    if rest[0] != "branches":
        return f"features.{layer}.{SEPARABLE[rest[0]] if layer in ('0', '3') else rest[0]}"
    branch, *inner = rest[1:]
    if len(inner) == 2 and branch in ("1", "2") and inner[0] == "1":
        inner = ["1", SEPARABLE[inner[1]]]
    return ".".join(["features", layer, f"branch{branch}", *inner])
