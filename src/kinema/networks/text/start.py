"""Where a network of texts starts from: a run of a text method, or a folder of ``transformers``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from kinema.core.config import from_plain, make_strict_converter
from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.reading import read_object
from kinema.networks.text.architecture import has_architecture
from kinema.networks.text.config import TextConfig, TextName, from_folder
from kinema.networks.text.tower import TextTower
from kinema.networks.text.weights import load_text_weights

RECIPE = "recipe.json"
TOWER = "phases/*/tower-text.safetensors"


@dataclass(frozen=True)
class TextStart:
    """A text network to start from.

    Args:
        config: its settings.
        weights: the file or folder with its weights.
    """

    config: TextConfig
    weights: Path


def start_of(folder: Path) -> TextStart:
    """The text network that a folder holds.

    Args:
        folder: a run of a text method, or a folder of ``transformers`` or sentence-transformers.

    Raises:
        ConfigError: it is neither, or a run of another kind or without a finished phase.
    """
    if (folder / RECIPE).is_file():
        return _of_run(folder)
    if has_architecture(folder):
        return TextStart(from_folder(folder), folder)
    what = "there is no such folder" if not folder.exists() else "it holds neither"
    raise ConfigError(
        f"Texts cannot start from '{folder}': {what}.",
        "Give the run of a text method (kinema pretrain --list), or a folder of transformers with its config.json.",
    )


def load_text_start(encoder: Any, config: TextConfig, folder: Path) -> None:
    """Loads the weights of a text network into an encoder, strictly.

    Args:
        encoder: a :class:`kinema.networks.text.TextEncoder` of these settings.
        config: the settings.
        folder: as :func:`start_of` takes it.

    Raises:
        ConfigError: the folder holds no text network.
        CheckpointError: its weights cannot be read, or are of another shape; they are named.
    """
    load_text_weights(TextTower(config, encoder, None, None), start_of(folder).weights)


def _of_run(folder: Path) -> TextStart:
    plain = read_object(folder / RECIPE, error=CheckpointError).get("encoder")
    if not isinstance(plain, dict) or plain.get("name") not in get_args(TextName):
        name = plain.get("name") if isinstance(plain, dict) else None
        raise ConfigError(
            f"Texts cannot start from the run '{folder}': its network is {repr(name) if name else 'of videos'}, "
            "and no text network.",
            "Give the run of a text method; kinema pretrain --list lists them.",
        )
    config = from_plain(plain, TextConfig, make_strict_converter(), f"'{folder / RECIPE}'")
    towers = sorted(folder.glob(TOWER))
    if not towers:
        raise ConfigError(
            f"The run '{folder}' has not finished a phase that trains 'text'.",
            "Go on with it: the command that began it, with --resume.",
        )
    return TextStart(config, towers[-1])
