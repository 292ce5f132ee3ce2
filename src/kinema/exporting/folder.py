"""An exported model as a folder: weights, settings and a card; ``kinema.load`` needs nothing else.

OUT/model.safetensors   the tower: encoder and projection head
OUT/model.json          view, clip, encoder and head settings, name, seed, versions, licence, origin
OUT/README.md           the card
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import torch

from kinema.core.errors import CheckpointError, RunError
from kinema.core.files import write_folder, write_json, write_text
from kinema.core.method import load_strictly
from kinema.core.reading import read_object
from kinema.core.weights import read_notes, read_weights, write_weights
from kinema.data.clips.reader import Model
from kinema.exporting.card import card
from kinema.exporting.settings import ModelSettings, settings_from_plain, settings_to_plain
from kinema.networks import Tower

WEIGHTS, SETTINGS, CARD = "model.safetensors", "model.json", "README.md"
_CHECK = "kinema.settings.crc32"
"""In the weights' metadata: a checksum of the settings that they were trained under."""

_AGAIN = "Copy the whole folder again, or export the run again."


def write_export(model: Model, settings: ModelSettings, out: Path) -> None:
    """Writes the folder, whole or not at all.

    Raises:
        StorageError: there is something at ``out``, or it cannot be written.
    """

    def fill(folder: Path) -> None:
        write_weights(folder / WEIGHTS, model.tower.state_dict(), {_CHECK: _checksum(settings)})
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
    settings = settings_from_plain(
        read_object(path / SETTINGS, error=CheckpointError, hint="Export the run again."), f"'{path / SETTINGS}'"
    )
    if view not in (None, settings.view):
        raise RunError(
            f"'{path}' is an exported encoder of '{settings.view}', not of '{view}'.",
            f"Export the other view from its run: kinema export RUN --view {view}",
        )
    state = read_weights(path / WEIGHTS, _AGAIN)
    if read_notes(path / WEIGHTS).get(_CHECK, _checksum(settings)) != _checksum(settings):
        raise CheckpointError(f"'{path / SETTINGS}' was not written with the weights beside it.", _AGAIN)
    with torch.random.fork_rng(devices=[]):
        tower = Tower(settings.view, settings.encoder, settings.head)
    load_strictly(tower, state, f"the settings in '{path / SETTINGS}'")
    return Model(
        tower,
        settings.view,
        settings.clip,
        name=settings.name,
        seed=settings.seed,
        origin=dict(settings.origin),
        sound=settings.sound,
    )


def _checksum(settings: ModelSettings) -> str:
    """Of what decides a vector; the licence, for one, may be changed by hand."""
    plain = settings_to_plain(settings)
    decisive = {name: plain.get(name) for name in ("view", "clip", "encoder", "head", "sound")}
    return f"{zlib.crc32(json.dumps(decisive, sort_keys=True).encode()):08x}"
