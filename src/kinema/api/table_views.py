"""Which view's encoder works on a table of videos where nobody named one."""

from __future__ import annotations

import logging
from os import PathLike
from typing import Any

from kinema.api.models import load, two_streams
from kinema.core.errors import RunError, UsageError
from kinema.data import Manifest
from kinema.data.clips.config import has_motion
from kinema.data.clips.reader import Model
from kinema.data.video.motion import exports_motion
from kinema.searching import database
from kinema.searching.layout import VIDEOS, layout_of
from kinema.searching.schema import read_settings

log = logging.getLogger(__name__)


def load_for(run: str | PathLike[str], table: Any, uri: str, view: str | None) -> Any:
    """The encoder to search a table with: of the view that is named, or else of the table's own.

    Args:
        run: a run's folder, or an exported one.
        table: of LanceDB, open.
        uri: where it is.
        view: that a user named; None for none.

    Returns:
        The encoder of the run's own view where the table is not of videos, holds projections, which encoders of several
        views may search, or is of a view that the run lacks.
    """
    if view is None and (found := _of_view(run, _view_of(table, uri))) is not None:
        return found
    return load(run, view=view)


def model_for(
    run: str | PathLike[str], model: Model, manifest: Manifest, uri: str, *, replace: bool, space: str | None
) -> Model:
    """The encoder to embed videos with where no view was named.

    An existing table keeps its own view. A new one is of 'rgb+motion' where the run has both encoders and every video
    has motion vectors.

    Args:
        run: a run's folder, or an exported one.
        model: the encoder of the run's own view.
        manifest: the videos.
        uri: where the table is, or will be.
        replace: whether a table that is there will be made again.
        space: what the rows are to hold; None for the usual.
    """
    table = None if replace else database.open_table(uri)
    if table is not None:
        wanted = _view_of(table, uri)
        return model if wanted == model.view else _of_view(run, wanted) or model
    both = None if space == "projection" or len(model.readers) > 1 else two_streams(run)
    if both is None:
        return model
    readable = Manifest(manifest.root, tuple(video for video in manifest.videos if video.health != "unreadable"))
    if has_motion(readable):
        found: Model = load(run, view=both)
        return found
    without = [video for video in readable.videos if not exports_motion(video.codec)]
    log.warning(
        "The table is of '%s' alone: %d of %d videos have no motion vectors ('%s' is %s). --view %s embeds the others "
        "by both.",
        model.view,
        len(without),
        len(readable),
        without[0].path,
        without[0].codec or "of no known codec",
        both,
    )
    return model


def _of_view(run: str | PathLike[str], view: str | None) -> Any:
    """The encoder of a view; None where the run has none, for whose table it is, is said where the two are compared."""
    try:
        return None if view is None else load(run, view=view)
    except (RunError, UsageError):
        return None


def _view_of(table: Any, uri: str) -> str | None:
    """The view of a table of embeddings of videos; None for other tables, and for projections."""
    with database.storage_errors(uri):
        if layout_of(table) != VIDEOS:
            return None
        settings = read_settings(table, uri)
    return None if settings.space == "projection" else settings.view
