"""Weights for a text tower: kinema's own, or a folder of ``transformers`` or sentence-transformers."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.method import load_strictly
from kinema.core.reading import load_json
from kinema.networks.text.architecture import (
    has_architecture,
    import_transformers,
    quiet,
    settings_from,
    transformer_folder,
)
from kinema.networks.text.config import with_architecture_of
from kinema.networks.text.tower import TextTower

LENGTH = "sentence_bert_config.json"


def load_text_weights(tower: TextTower, path: str | Path) -> tuple[str, ...]:
    """Loads weights into a tower, strictly.

    Args:
        tower: what :func:`build_text_tower` gave, of the architecture that the weights have
            (:func:`with_architecture_of`).
        path: a folder with the config.json and weights of a masked language model, of its base model alone or of
            sentence-transformers; or a .safetensors or .pth file with the keys of a tower of kinema's, or a folder
            with such a model.safetensors.

    Returns:
        The parts of the tower for which there were no weights, and that are as they were initialised: of
        'language_head' and 'head'. The encoder is always loaded.

    Raises:
        ConfigError: the folder is of another architecture.
        CheckpointError: weights are missing, damaged or of other shapes; they are named.
    """
    path = Path(path)
    if has_architecture(path):
        return _load_transformers(tower, path)
    state = _read(path / "model.safetensors" if path.is_dir() else path)
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        part, _, rest = key.partition(".")
        parts.setdefault(part, {})[rest] = value
    if "encoder" not in parts:
        raise CheckpointError(
            f"'{path}' does not hold the weights of a text tower of kinema's.",
            "Of weights of transformers give the folder with their config.json.",
        )
    unknown = sorted(set(parts) - {"encoder", "language_head", "head"})
    if unknown:
        raise CheckpointError(f"'{path}' holds weights that no text tower has: {', '.join(unknown)}.")
    load_strictly(tower.encoder, parts["encoder"], "the text encoder")
    own = tower.state_dict()
    left = []
    for part in ("language_head", "head"):
        wanted = {key for key in own if key.startswith(f"{part}.")}
        given = {f"{part}.{key}": value for key, value in parts.get(part, {}).items()}
        if wanted and given:
            own_part = {key: value for key, value in own.items() if key not in wanted}
            load_strictly(tower, own_part | given, f"the {part} of the text tower")
        elif wanted:
            left.append(part)
    return tuple(left)


def published_length(folder: str | Path) -> int | None:
    """Most tokens of a sequence by a folder of sentence-transformers; None where it does not say."""
    file = Path(folder) / LENGTH
    if not file.is_file():
        return None
    try:
        found = load_json(file).get("max_seq_length")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"'{file}' cannot be read: {error}.", "Copy the whole folder again.") from error
    return found if isinstance(found, int) and found > 0 else None


def _load_transformers(tower: TextTower, path: Path) -> tuple[str, ...]:
    config = tower.encoder_config
    if config.name == "bert" or with_architecture_of(config, path) != config:
        raise ConfigError(
            f"The tower does not have the architecture of '{path}'.",
            "Build it from with_architecture_of(config, folder), as a plan of kinema does.",
        )
    library, folder = import_transformers(), transformer_folder(path)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            theirs, about = library.AutoModelForMaskedLM.from_pretrained(
                str(folder),
                config=settings_from(config.architecture, f"'{folder}'"),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except Exception as error:  # files can be missing or damaged in more ways than their reader has classes for
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"The weights in '{folder}' cannot be read: {first}.", "Give a folder with config.json and its weights."
        ) from error
    base = f"{theirs.base_model_prefix}."
    missing = sorted(about["missing_keys"])
    lacking = [key for key in missing if key.startswith(base)]
    if lacking or about["mismatched_keys"]:
        named = [*lacking, *map(str, about["mismatched_keys"])]
        raise CheckpointError(
            f"The weights in '{folder}' are not those of its config.json: {', '.join(named[:4])}"
            f"{f' and {len(named) - 4} more' if len(named) > 4 else ''} are missing or of another shape.",
            "Copy the whole folder again.",
        )
    state: Mapping[str, Tensor] = theirs.state_dict()
    load_strictly(tower.encoder.network, _below(state, base), f"the encoder of '{folder}'")
    if tower.language_head is not None and not missing:
        head = {key: value for key, value in state.items() if not key.startswith(base)}
        load_strictly(tower.language_head.network, head, f"the language head of '{folder}'")
    left = [*(["language_head"] if tower.language_head is not None and missing else [])]
    return (*left, *(["head"] if tower.head_config else []))


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _read(file: Path) -> dict[str, Tensor]:
    try:
        found = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"The weights '{file}' cannot be read: {first}.", "Give a .safetensors file or a .pth of plain tensors."
        ) from error
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"'{file}' does not hold tensors by name.", "Save the tower's state_dict().")
    return {str(key): value for key, value in found.items()}
