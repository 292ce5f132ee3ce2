"""An exported model as a folder: weights, settings and a card; ``kinema.load`` needs nothing else.

OUT/model.safetensors   the tower: encoder and projection head
OUT/model.json          view, clip, encoder and head settings, name, seed, versions, licence, origin
OUT/README.md           the card

Of several encoders side by side there is such a folder for each, OUT/VIEW, and OUT/model.json names them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kinema.core.clips import VIEWS
from kinema.core.errors import CheckpointError, RunError
from kinema.core.files import write_folder, write_json, write_text
from kinema.core.method import load_strictly
from kinema.core.reading import read_object
from kinema.core.version import RELEASE
from kinema.core.weights import read_notes, read_weights, write_weights
from kinema.data.clips.joined import PLUS, JoinedModel, views_of
from kinema.data.clips.reader import Model
from kinema.exporting.card import card, joined_card
from kinema.exporting.origin import origin_of
from kinema.exporting.settings import FORMAT, ModelSettings, settings_from_plain, settings_of, settings_to_plain
from kinema.networks import Tower

WEIGHTS, SETTINGS, CARD = "model.safetensors", "model.json", "README.md"
_CHECK = "kinema.settings.crc32"
"""In the weights' metadata: a checksum of the settings that they were trained under."""

JOINED = "kinema views"
"""The kind of a model.json that names several encoders."""

_AGAIN = "Copy the whole folder again, or export the run again."


def write_export(model: Model, licence: str, out: Path) -> None:
    """Writes the folder, whole or not at all.

    Args:
        model: what is written.
        licence: the licence of the weights.
        out: the folder.

    Raises:
        StorageError: there is something at ``out``, or it cannot be written.
    """
    write_folder(out, lambda folder: _fill_all(model, licence, folder))


def _fill_all(model: Model, licence: str, folder: Path) -> None:
    if not isinstance(model, JoinedModel):
        _fill(model, licence, folder)
        return
    for reader in model.readers:
        (folder / reader.view).mkdir()
        _fill(reader, licence, folder / reader.view)
    about = {"kind": JOINED, "format": FORMAT, "kinema": RELEASE}
    write_json(folder / SETTINGS, {**about, "views": list(model.views), "leading": model.leading.view})
    write_text(folder / CARD, joined_card(model.name, model.views, licence))


def _fill(model: Model, licence: str, folder: Path) -> None:
    settings = settings_of(model, licence=licence, origin=origin_of(model))
    write_weights(folder / WEIGHTS, model.tower.state_dict(), {_CHECK: _checksum(settings)})
    write_json(folder / SETTINGS, settings_to_plain(settings))
    write_text(folder / CARD, card(settings, sum(value.numel() for value in model.tower.encoder.parameters())))


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
    plain = _plain(path)
    if plain.get("kind") == JOINED:
        return _load_joined(path, plain, view)
    settings = settings_from_plain(plain, f"'{path / SETTINGS}'")
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


def views_in(path: Path) -> tuple[str, ...]:
    """The views of an exported model, in order.

    Raises:
        CheckpointError: its settings are missing or damaged.
    """
    plain = _plain(path)
    if plain.get("kind") == JOINED:
        return _views(path, plain)
    return (settings_from_plain(plain, f"'{path / SETTINGS}'").view,)


def _plain(path: Path) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = read_object(path / SETTINGS, error=CheckpointError, hint="Export the run again.")
    return plain


def _views(path: Path, plain: Mapping[str, Any]) -> tuple[str, ...]:
    """The views that a model.json of several encoders names."""
    views = plain.get("views")
    whole = isinstance(views, list) and len(views) > 1 and all(view in VIEWS for view in views)
    if not whole or plain.get("format") != FORMAT or plain.get("leading") not in (views or ()):
        raise CheckpointError(
            f"'{path / SETTINGS}' is of format {plain.get('format')} with the views {views}; kinema {RELEASE} reads "
            f"format {FORMAT} with two views or more.",
            "Export the run again.",
        )
    return views_of(PLUS.join(map(str, views or ())))


def _load_joined(path: Path, plain: Mapping[str, Any], view: str | None) -> Model:
    """The encoders of a folder side by side, or those of them that are asked for."""
    there = _views(path, plain)
    wanted = there if view is None else views_of(view)
    if lacking := [each for each in wanted if each not in there]:
        raise RunError(
            f"'{path}' is an exported encoder of '{PLUS.join(there)}', not of '{lacking[0]}'.",
            f"Export the other view from its run: kinema export RUN --view {view}",
        )
    readers = [load_export(path / each, view=each) for each in wanted]
    leading = next((reader for reader in readers if reader.view == plain["leading"]), None)
    return readers[0] if len(readers) == 1 else JoinedModel(readers, leading)


def _checksum(settings: ModelSettings) -> str:
    """Of what decides a vector; the licence, for one, may be changed by hand."""
    plain = settings_to_plain(settings)
    decisive = {name: plain.get(name) for name in ("view", "clip", "encoder", "head", "sound")}
    return f"{zlib.crc32(json.dumps(decisive, sort_keys=True).encode()):08x}"
