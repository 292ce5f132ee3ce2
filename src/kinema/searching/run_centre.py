"""The centre by which a model compares what it encodes: that of the table beside its run."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from kinema.data.clips.joined import PLUS
from kinema.data.clips.reader import Model
from kinema.data.documents.reader import TextReader
from kinema.searching import database
from kinema.searching.documents.schema import read_text_settings
from kinema.searching.embed import default_place
from kinema.searching.encode import encoder_digest, weights_digest
from kinema.searching.layout import DOCUMENTS, VIDEOS, layout_of
from kinema.searching.schema import centre_of, read_settings


def centre_for(model: Model | TextReader, home: Path) -> Tensor | None:
    """The centre of the table in a run's folder, float64 [dim]; None where it has no embeddings of this encoder.

    Args:
        model: the encoder; of a table of several side by side it may be one of them, and has its part of the centre.
        home: the folder of its run, or of the export.

    Raises:
        MissingExtraError: there is a table, and lancedb is not installed.
        StorageError: the table cannot be read.
    """
    uri = default_place(home)
    if not (Path(uri) / f"{database.TABLE}.lance").is_dir():
        return None
    table = database.require_table(uri)
    with database.storage_errors(uri):
        if layout_of(table) != (DOCUMENTS if isinstance(model, TextReader) else VIDEOS):
            return None
        if isinstance(model, TextReader):
            digest = read_text_settings(table, uri).digest
            return centre_of(table) if digest == weights_digest(model.tower.encoder) else None
        settings, centre = read_settings(table, uri), centre_of(table)
        if settings.space != "embedding" or centre is None:
            return None
        own, held = encoder_digest(model), settings.digest.split(PLUS)
        if own == settings.digest:
            return centre
        if own not in held or settings.dim % len(held):
            return None
        width = settings.dim // len(held)
        return centre[width * held.index(own) :][:width] if width == model.dim else None
