"""``kinema search`` of a small table with a new query: by the table's copy, so that LanceDB is not loaded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kinema.api.models import load
from kinema.core.errors import KinemaError, RunError
from kinema.core.reading import shaped
from kinema.data.clips.reader import Model
from kinema.data.video.files import on_disk
from kinema.searching.hits import MAX_HITS, Found, Hit
from kinema.searching.query import read_query
from kinema.searching.schema import TableSettings
from kinema.searching.spaces import check_same_space
from kinema.searching.stored import found_in, read_copy


def find_quickly(
    run: Path, uri: str, query: str, *, k: int, over: str | None, others: bool, device: str | None
) -> Found[Hit] | None:
    """Searches a small table with a video, a stretch of one or a picture; None where it has to be asked of the table.

    Args:
        run: the run's folder.
        uri: of the table.
        query: see :func:`kinema.searching.query.read_query`.
        k: hits.
        over: 'windows', the usual, or 'videos'.
        others: leaves the query's own video out.
        device: where to compute.

    Raises:
        UsageError: the query is invalid.
        DataError: the query cannot be read, or the table is another encoder's.
        StorageError: the table's files are damaged.
    """
    began = time.monotonic()
    copy = read_copy(uri)
    if copy is None or not 1 <= k <= MAX_HITS or over not in (None, "windows", "videos"):
        return None
    settings = _settings(copy.settings, uri)
    model = _model(run, settings)
    if settings is None or model is None:
        return None
    check_same_space(settings, model, uri)
    centre = None if copy.centre is None else torch.tensor(copy.centre, dtype=torch.float64)
    parsed = read_query(model, query, centre=centre, space=settings.space, device=device)
    home, there = copy.home()
    real = on_disk(parsed.file).resolve()
    if others and not there:
        return None
    own = real.relative_to(home).as_posix() if others and real.is_relative_to(home) else None
    notes = [parsed.note]
    return found_in(copy, str(parsed), parsed.vector, k=k, over=over, without=own, notes=notes, began=began)


def _settings(plain: Mapping[str, Any], uri: str) -> TableSettings | None:
    try:
        return shaped(dict(plain), TableSettings, f"The table in '{uri}'")
    except KinemaError:
        return None


def _model(run: Path, settings: TableSettings | None) -> Model | None:
    """The encoder of the table's view; None where that is not for this to say."""
    if settings is None or settings.space != "embedding":
        return None
    try:
        found = load(run, view=settings.view)
    except RunError:
        return None
    return found if isinstance(found, Model) else None
