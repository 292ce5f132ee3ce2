"""Serving: a table of embeddings, and steps of videos, as a page and an API on this machine.

It reads only what was indexed, segmented or named to be asked about, and writes nothing but the names that people give
to steps.

``archive`` is the table with its model, opened once; ``keeper`` keeps it in memory; ``guard`` controls access;
``footage`` gives bytes of indexed videos and of nothing else; ``queries`` encodes queries; ``uploads`` and ``checking``
receive and check clips; ``projection_map`` is the map; ``steps`` and ``step_routes`` are the steps of videos;
``questions`` and ``ask_routes`` are questions about videos; ``routes`` and ``shapes`` are the API; ``page/`` is the
page, which loads nothing from other sites.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinema.core.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kinema.data.clips.reader import Model
    from kinema.serving.settings import Settings


def app(
    run: str | Path | Model,
    *,
    table: str | Path | None = None,
    segments: str | Path | None = None,
    videos: str | Path | None = None,
    view: str | None = None,
    settings: Settings | None = None,
    device: str | None = None,
    features_run: str | Path | None = None,
) -> FastAPI:
    """The page and the API of a table, or of a run that is asked about videos; by itself or mounted in an application.

    Args:
        run: a run's folder, an exported folder, or the model that made the table; or a run of video-qa or its model.
        table: where it is; RUN/index by default. Where there is none, and there are segments, these are all that is
            shown.
        segments: the file that ``kinema segment`` wrote; RUN/segments/segments.json by default, if it is there.
        videos: the folder of the videos; by default the one that the table records, or that has moved with it. Of a run
            of video-qa the folder of the videos that it is asked about, which must be named.
        view: which view's encoder of a run; by default the one it is for.
        settings: access and limits (:class:`kinema.serving.settings.Settings`); by default for this machine
            alone.
        device: where queries are encoded; a GPU where there is one, by default.
        features_run: of a run of video-qa, the run that makes features of frames; see :func:`kinema.api.asking.ask`.

    Raises:
        MissingExtraError: fastapi or lancedb is not installed.
        UsageError: settings that would let strangers in, or there is no file ``segments``, or a run of
            video-qa has no ``videos``.
        DataError: there is neither a table nor segments, the table is another encoder's, or a folder is recorded that
            holds more than videos.
    """
    try:
        import fastapi  # noqa: F401 - to say in our words that it is missing
    except ImportError as error:
        raise MissingExtraError("fastapi", "serve") from error
    from kinema.core.devices import chosen_device
    from kinema.serving.application import build

    chosen_device(device)
    return build(
        run,
        table=table,
        segments=segments,
        videos=videos,
        view=view,
        settings=settings,
        device=device,
        features_run=features_run,
    )


__all__ = ["app"]
