"""Puts the server together: the archive, the queries, the guard before them, the API and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

from kinema.api import load
from kinema.core.errors import DataError, UsageError
from kinema.core.version import RELEASE
from kinema.data.clips.reader import Model
from kinema.searching import database
from kinema.searching.embed import default_place
from kinema.searching.layout import VIDEOS, check_layout
from kinema.serving import failures
from kinema.serving.archive import Archive
from kinema.serving.guard import Guard
from kinema.serving.projection_map import Charts
from kinema.serving.queries import QueryService
from kinema.serving.routes import routes
from kinema.serving.settings import Settings
from kinema.serving.uploads import UploadService

PAGE = Path(__file__).parent / "page"
_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


def build(
    run: str | Path | Model,
    *,
    table: str | Path | None = None,
    videos: str | Path | None = None,
    view: str | None = None,
    settings: Settings | None = None,
    device: str | None = None,
) -> FastAPI:
    """See :func:`kinema.serving.app`."""
    settings = settings or Settings()
    uri = _uri(run, table)
    check_layout(database.require_table(uri), VIDEOS, uri, "kinema serve")
    model = run if isinstance(run, Model) else load(run, view=view)
    if model.unit != "clips":
        raise DataError(
            f"kinema serve is for videos, and {model.name} reads {model.unit}.",
            'Documents are searched with: kinema search RUN "a text"',
        )
    archive = Archive(model, uri, videos)
    queries = QueryService(archive, settings, device)
    uploads = UploadService(queries)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        queries.close()
        uploads.close()

    made = FastAPI(
        title="kinema serve",
        description="An archive of videos that is searched with videos.",
        version=RELEASE,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    made.state.archive, made.state.queries, made.state.uploads = archive, queries, uploads
    failures.install(made)
    made.include_router(routes(queries, Charts(archive), uploads, settings))
    _add_page(made)
    made.add_middleware(Guard, settings=settings)
    return made


def _uri(run: str | Path | Model, table: str | Path | None) -> str:
    if table is not None:
        return str(table)
    home = run.run if isinstance(run, Model) else Path(run)
    if home is None:
        raise UsageError("The model has no run, so its table has no place of its own.", "Name one: table=….")
    return default_place(home)


def _add_page(made: FastAPI) -> None:
    """Serves the page's files, from a list that is made once: nothing else of the disk can be requested."""
    files = {file.name: file.read_bytes() for file in sorted(PAGE.iterdir()) if file.suffix in _KINDS}

    def answer(name: str) -> Response:
        if name not in files:
            raise failures.missing("page")
        headers = {"Cache-Control": "no-cache"}
        return Response(files[name], media_type=_KINDS[Path(name).suffix], headers=headers)

    @made.get("/", include_in_schema=False)
    async def page() -> Response:
        """The page."""
        return answer("index.html")

    @made.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """The operations, read from the OpenAPI document."""
        return answer("docs.html")

    @made.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        """A file of the page."""
        return answer(name)
