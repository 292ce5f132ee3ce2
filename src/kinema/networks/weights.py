"""An encoder's weights from a file: kinema's own, torchvision's, or those of transformers, known by their keys."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.method import load_strictly
from kinema.networks.build import EncoderConfig
from kinema.networks.hugging_face import family, from_hugging_face, with_sizes_of
from kinema.networks.third_party import from_torchvision, is_torchvision
from kinema.networks.video.layers import VideoEncoder


def load_weights(encoder: VideoEncoder, config: EncoderConfig, path: str | Path) -> None:
    """Loads weights into an encoder, strictly.

    Args:
        encoder: what :func:`build_encoder` gave.
        config: what it was built from.
        path: .safetensors or .pth with torchvision's keys (r3d_18, r2plus1d_18, s3d), with those of a tower of
            kinema's, whose head is left out, or with those of the encoder itself; with those that transformers gives
            VideoMAE and V-JEPA 2; or a folder with model.safetensors, exported or of transformers.

    Raises:
        ConfigError: torchvision has no such network, or a folder of transformers is of another one or other sizes.
        CheckpointError: the file cannot be read, or a key or shape does not fit; they are named.
    """
    load_strictly(encoder, encoder_state(encoder, config, Path(path)), f"the encoder '{config.name}'")


def encoder_state(encoder: VideoEncoder, config: EncoderConfig, path: Path) -> dict[str, Tensor]:
    """The weights in a file under the keys of the encoder; raises like :func:`load_weights`, but for shapes."""
    if with_sizes_of(config, path) != config:
        raise ConfigError(
            f"The encoder '{config.name}' does not have the sizes that '{path}' tells.",
            "Build it from with_sizes_of(config, folder), as a plan of kinema does.",
        )
    state = read_state(path)
    if family(state) is not None:
        return from_hugging_face(config, encoder, state)
    if is_torchvision(state):
        return from_torchvision(config.name, encoder, state)
    if any(key.startswith("encoder.") for key in state):
        inner = {key.removeprefix("encoder."): value for key, value in state.items() if key.startswith("encoder.")}
        return inner | {key: value for key, value in state.items() if not key.startswith(("encoder.", "head."))}
    return state


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; no code in the file is ever run.

    Raises:
        CheckpointError: it is missing, damaged, or holds something else than tensors by name.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    try:
        found = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"The weights '{file}' cannot be read: {first}.", "Give a .safetensors file or a .pth of plain tensors."
        ) from error
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(
            f"'{file}' does not hold tensors by name.", "Save the network's state_dict(), not the network."
        )
    return {str(key): value for key, value in found.items()}
