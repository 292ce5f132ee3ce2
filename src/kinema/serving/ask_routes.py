"""The operations where a run of video-qa is asked about the videos of a folder."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from kinema.serving import shapes
from kinema.serving.footage import media_type
from kinema.serving.questions import AskService
from kinema.serving.settings import Settings
from kinema.serving.step_routes import PAGE, add_file, add_session


def routes_of_questions(service: AskService, settings: Settings) -> APIRouter:
    """All operations.

    Args:
        service: answers.
        settings: access and limits.
    """
    router = APIRouter(prefix="/api", responses=shapes.FAILURES)
    add_session(router, settings)

    @router.get("/archive")
    async def about() -> shapes.ArchiveShape:
        """How many videos there are, and which run answers."""
        now = await service.read(service.now)
        return shapes.ArchiveShape(
            videos=len(now.paths),
            windows=0,
            encoder=service.asker.model.name,
            view=service.asker.model.view,
            version=0,
            exact=True,
            pictures=False,
            sounds=False,
            upload_bytes=0,
            columns=[],
            clusters=[],
            searchable=False,
            asks=True,
        )

    @router.get("/videos")
    async def videos(
        contains: Annotated[str, Query(max_length=200, description="what the name must hold")] = "",
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 60,
    ) -> shapes.AskableVideosShape:
        """The videos that questions can be asked about, in order of their names."""

        def answer() -> shapes.AskableVideosShape:
            now, wanted = service.now(), contains.casefold()
            found = [(name, path) for name, path in now.by_name.items() if wanted in path.casefold()]
            shown = [
                shapes.AskableShape(id=name, name=path, type=media_type(path), beside=service.beside(path))
                for name, path in found[offset : offset + limit]
            ]
            return shapes.AskableVideosShape(total=len(found), videos=shown)

        return await service.read(answer)

    @router.post("/ask")
    async def ask(request: shapes.AskRequest) -> shapes.AskedShape:
        """The share of each option as the answer to a question, and the stretch that was looked at."""
        return shapes.AskedShape.of(await service.ask(request.video, request.question, request.options))

    add_file(router, service.locate, service.read)
    return router
