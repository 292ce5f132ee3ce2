"""Puts the server together: the archive, the queries, the guard before them, the API and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from kinema.api import load
from kinema.api.asking import Asker, answers_questions
from kinema.api.table_views import load_for
from kinema.core.errors import DataError, UsageError
from kinema.core.printing import make_console
from kinema.core.version import RELEASE
from kinema.data.clips.reader import Model
from kinema.searching import database
from kinema.searching.embed import default_place
from kinema.searching.layout import PAIRS, VIDEOS, check_layout, layout_of
from kinema.segmenting.segmentation import PLACE
from kinema.serving import failures
from kinema.serving.archive import Archive
from kinema.serving.ask_routes import routes_of_questions
from kinema.serving.guard import Guard
from kinema.serving.pair_routes import routes_of_pairs
from kinema.serving.pairs import PairArchive, check_words
from kinema.serving.projection_map import Charts
from kinema.serving.queries import QueryService
from kinema.serving.questions import AskService
from kinema.serving.routes import routes
from kinema.serving.settings import Settings
from kinema.serving.step_routes import routes_of_steps
from kinema.serving.steps import StepService
from kinema.serving.uploads import UploadService

PAGE = Path(__file__).parent / "page"
_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


def build(
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
    """See :func:`kinema.serving.app`."""
    settings = settings or Settings()
    if answers_questions(run):
        _refuse(table=table, segments=segments)
        return _of_questions(Asker(run, features_run=features_run, device=device), videos, settings)
    if features_run is not None:
        raise UsageError("features_run is for a run of video-qa, and this is another.", "Leave it out.")
    home = Path(run) if isinstance(run, str | Path) else run.run
    file = _segments(home, segments)
    if table is None and _steps_alone(home, file):
        return _of_steps(StepService(file, None, videos=videos, read_only=settings.read_only), settings)
    uri = _uri(home, table)
    opened = database.require_table(uri)
    if layout_of(opened) == PAIRS:
        model = load(run, view=view) if isinstance(run, str | Path) else run
        return _of_pairs(model, uri, videos, settings, device)
    check_layout(opened, VIDEOS, uri, "kinema serve")
    model = load_for(run, opened, uri, view) if isinstance(run, str | Path) else run
    if model.unit != "clips":
        raise DataError(
            f"kinema serve is for videos, and {model.name} reads {model.unit}.",
            'Documents are searched with: kinema search RUN "a text"',
        )
    archive = Archive(model, uri, videos)
    queries, charts = QueryService(archive, settings, device), Charts(archive)
    uploads = UploadService(queries)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        charts.prepare()
        archive.keep_in_memory(settings, make_console(stderr=True))
        yield
        archive.close()
        queries.close()
        uploads.close()

    steps = StepService(file, archive, videos=videos, read_only=settings.read_only)
    made = _application("An archive of videos that is searched with videos.", lifespan)
    made.state.archive, made.state.queries, made.state.uploads, made.state.steps = archive, queries, uploads, steps
    made.include_router(routes(queries, charts, uploads, steps, settings))
    return _with_page(made, settings)


def _of_pairs(model: Any, uri: str, videos: str | Path | None, settings: Settings, device: str | None) -> FastAPI:
    """The page and the API of a table of pairs, which is asked in words."""
    if model.modality != "pair":
        raise DataError(
            f"The table in '{uri}' holds pairs, and {model.name} reads {model.unit}.",
            "Name the run that made it, or another table with --table.",
        )
    check_words(model)
    archive = PairArchive(model, uri, videos, settings, device)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        archive.close()

    made = _application("An archive of pictures that is asked in words.", lifespan)
    made.state.archive, made.state.steps = archive, None
    made.include_router(routes_of_pairs(archive, settings))
    return _with_page(made, settings)


def _of_questions(asker: Asker, videos: str | Path | None, settings: Settings) -> FastAPI:
    """The page and the API of a folder of videos, about which questions are asked."""
    if videos is None:
        raise UsageError(
            "kinema serve asks a run of video-qa about a folder of videos, and none is named.",
            "Name it: kinema serve RUN --videos DIR",
        )
    service = AskService(asker, Path(videos), settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    made = _application("Videos that questions are asked about.", lifespan)
    made.state.questions = service
    made.include_router(routes_of_questions(service, settings))
    return _with_page(made, settings)


def _refuse(**given: object) -> None:
    """Refuses what is of tables, where a run answers questions.

    Raises:
        UsageError: something is given.
    """
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"--{name} is '{value}', and this run answers questions about videos.",
                f"Leave --{name} out: kinema serve RUN --videos DIR",
            )


def _of_steps(steps: StepService, settings: Settings) -> FastAPI:
    """The page and the API of steps alone."""
    steps.now()
    made = _application("Videos that were divided into steps.", None)
    made.state.archive, made.state.steps = None, steps
    made.include_router(routes_of_steps(steps, settings))
    return _with_page(made, settings)


def _application(description: str, lifespan: Any) -> FastAPI:
    made = FastAPI(
        title="kinema serve",
        description=description,
        version=RELEASE,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    made.state.archive = made.state.steps = made.state.questions = None
    return made


def _with_page(made: FastAPI, settings: Settings) -> FastAPI:
    failures.install(made)
    _add_page(made)
    made.add_middleware(Guard, settings=settings)
    return made


def _segments(home: Path | None, segments: str | Path | None) -> Path | None:
    """The file of segments: the one that is named, which must be there, or the run's, which may come later."""
    if segments is not None:
        if not Path(segments).is_file():
            raise UsageError(f"There is no file '{segments}'.", "Name the segments.json that kinema segment wrote.")
        return Path(segments)
    return None if home is None else home / PLACE


def _steps_alone(home: Path | None, file: Path | None) -> bool:
    """Whether there are steps, and no table."""
    if file is None or not file.is_file():
        return False
    return home is None or database.open_table(default_place(home)) is None


def _uri(home: Path | None, table: str | Path | None) -> str:
    if table is not None:
        return str(table)
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
