"""An exported model as a folder: weights, settings and a card; ``kinema.load`` needs nothing else.

OUT/model.safetensors   the tower: encoder and projection head
OUT/model.json          view, clip, encoder and head settings, name, seed, versions, licence, origin
OUT/README.md           the card
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from kinema.core.errors import CheckpointError, RunError
from kinema.core.files import write_atomic, write_folder, write_json, write_text
from kinema.core.method import load_strictly
from kinema.data.clips.reader import Model
from kinema.exporting.card import card
from kinema.exporting.settings import ModelSettings, settings_from_plain, settings_to_plain
from kinema.networks import Tower

WEIGHTS, SETTINGS, CARD = "model.safetensors", "model.json", "README.md"


def write_export(model: Model, settings: ModelSettings, out: Path) -> None:
    """Writes the folder, whole or not at all.

    Raises:
        StorageError: there is something at ``out``, or it cannot be written.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.tower.state_dict().items()}

    def fill(folder: Path) -> None:
        write_atomic(folder / WEIGHTS, lambda file: file.write(save(state)))
        write_json(folder / SETTINGS, settings_to_plain(settings))
        write_text(folder / CARD, card(settings, sum(value.numel() for value in model.tower.encoder.parameters())))

    write_folder(out, fill)


def is_export(path: Path) -> bool:
    """Whether a folder is an exported model: model.json alone decides."""
    return (path / SETTINGS).is_file()


def load_export(path: Path, *, view: str | None = None) -> Model:
    """The model that :func:`write_export` wrote; nothing outside of the folder is read.

    Args:
        path: the folder.
        view: the view that is expected; None for whichever it is.

    Raises:
        RunError: it is a model of another view.
        CheckpointError: a file is missing or damaged, or the weights do not fit the settings; keys are named.
    """
    settings = settings_from_plain(_read_json(path / SETTINGS), f"'{path / SETTINGS}'")
    if view not in (None, settings.view):
        raise RunError(
            f"'{path}' is an exported encoder of '{settings.view}', not of '{view}'.",
            f"Export the other view from its run: kinema export RUN --view {view}",
        )
    with torch.random.fork_rng(devices=[]):
        tower = Tower(settings.view, settings.encoder, settings.head)
    load_strictly(tower, _read_weights(path / WEIGHTS), f"the settings in '{path / SETTINGS}'")
    return Model(
        tower,
        settings.view,
        settings.clip,
        name=settings.name,
        seed=settings.seed,
        origin=dict(settings.origin),
        sound=settings.sound,
    )


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"'{file}' cannot be read: {error}.", "Export the run again.") from error


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The weights '{file}' cannot be read: {error}.", "Copy the whole folder again, or export the run again."
        ) from error
