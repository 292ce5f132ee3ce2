"""Serving: a table of embeddings as a page and an API on this machine; reads only, and only what was indexed.

``archive`` is the table with its model, opened once; ``guard`` controls access; ``footage`` gives bytes of indexed
videos and of nothing else; ``queries`` encodes queries; ``uploads`` and ``checking`` receive and check clips;
``projection_map`` is the map; ``routes`` and ``shapes`` are the API; ``page/`` is the page, which loads nothing from
other sites.
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
    videos: str | Path | None = None,
    view: str | None = None,
    settings: Settings | None = None,
    device: str | None = None,
) -> FastAPI:
    """The page and the API of a table, to be served by itself or mounted in an application.

    Args:
        run: a run's folder, an exported folder, or the model that made the table.
        table: where it is; RUN/index by default.
        videos: the folder of the videos; by default the one that the table records, or that has moved with it.
        view: which view's encoder of a run; by default the one it is for.
        settings: access and limits (:class:`kinema.serving.settings.Settings`); by default for this machine
            alone.
        device: where queries are encoded; a GPU where there is one, by default.

    Raises:
        MissingExtraError: fastapi or lancedb is not installed.
        UsageError: settings that would let strangers in.
        DataError: there is no table, it is another encoder's, or it records a folder that holds more than videos.
    """
    try:
        import fastapi  # noqa: F401 - to say in our words that it is missing
    except ImportError as error:
        raise MissingExtraError("fastapi", "serve") from error
    from kinema.core.devices import chosen_device
    from kinema.serving.application import build

    chosen_device(device)
    return build(run, table=table, videos=videos, view=view, settings=settings, device=device)


__all__ = ["app"]
