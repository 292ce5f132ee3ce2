"""The operations that need no table: the cookie, the bytes of videos, their steps, and the names of steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path as Root
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from kinema.data.video.manifest import Video
from kinema.segmenting.segmentation import Step
from kinema.serving import shapes
from kinema.serving.archive import Archive
from kinema.serving.failures import RefusedError
from kinema.serving.footage import media_type, send_file
from kinema.serving.guard import COOKIE, admits, session_of
from kinema.serving.settings import Settings
from kinema.serving.steps import Steps, StepService

PAGE = 500
"""Videos that one answer lists."""

VideoId = Annotated[str, Path(pattern=shapes.VIDEO, description="a video's name in requests")]
Read = Callable[[Callable[[], Any]], Awaitable[Any]]
StepNumber = Annotated[int, Path(ge=1, le=10**6, description="a step's number, from 1")]


def routes_of_steps(steps: StepService, settings: Settings) -> APIRouter:
    """The operations where there are steps and no table.

    Args:
        steps: names and finds steps.
        settings: access and limits.
    """
    router = APIRouter(prefix="/api", responses=shapes.FAILURES)
    add_session(router, settings)
    _add_archive(router)

    def find(name: str) -> tuple[Root, Video, bool]:
        return *steps.locate(name), False

    add_file(router, find, anyio.to_thread.run_sync)
    add_steps(router, steps, None)
    return router


def add_session(router: APIRouter, settings: Settings) -> None:
    """Adds how a browser gets its cookie."""

    @router.post("/session")
    async def session(body: shapes.SessionRequest, request: Request, response: Response) -> shapes.SessionShape:
        """Gives a cookie for the token, which a browser's video element can bring."""
        if settings.token is None:
            return shapes.SessionShape(needed=False)
        headers = request.headers.mutablecopy()
        headers["authorization"] = f"Bearer {body.token.encode('ascii', 'replace').decode()}"
        if not admits(settings, headers):
            raise RefusedError(
                401, "token", "That is not the token.", "Give the token that the server was started with."
            )
        response.set_cookie(COOKIE, session_of(settings.token), httponly=True, samesite="strict", path="/")
        return shapes.SessionShape(needed=True)


def _add_archive(router: APIRouter) -> None:
    """Adds what is told of an archive where there is no table."""

    @router.get("/archive")
    async def about() -> shapes.ArchiveShape:
        """That there is no table, and that there are steps."""
        return shapes.ArchiveShape(
            videos=0,
            windows=0,
            encoder="",
            view="",
            version=0,
            exact=True,
            pictures=False,
            sounds=False,
            upload_bytes=0,
            columns=[],
            clusters=[],
            searchable=False,
            steps=True,
        )


def add_file(router: APIRouter, find: Callable[[str], tuple[Root, Video, bool]], read: Read) -> None:
    """Adds how videos are sent.

    Args:
        router: gets the operation.
        find: a video's folder, what is known of it, and whether that is the table's knowledge, by its name.
        read: runs a function in a thread.
    """
    whole: dict[int | str, dict[str, Any]] = {
        200: {"content": {"video/*": {}, "image/gif": {}, "application/octet-stream": {}}, "description": "all of it"},
        206: {"content": {"video/*": {}, "image/gif": {}, "application/octet-stream": {}}, "description": "a range"},
        416: shapes.FAILURES[404] | {"description": "the range lies behind the end"},
    }

    @router.get("/videos/{video}/file", response_class=Response, responses=whole)
    @router.head("/videos/{video}/file", response_class=Response, responses=whole, include_in_schema=False)
    async def file(video: VideoId, request: Request) -> Response:
        """The video itself, or the range of bytes that is asked for."""
        wanted, unless = request.headers.get("range"), request.headers.get("if-range")

        def sent() -> Response:
            root, known, indexed = find(video)
            head = request.method == "HEAD"
            return send_file(root, known, wanted=wanted, unless=unless, head=head, indexed=indexed)

        answer: Response = await read(sent)
        return answer


def add_steps(router: APIRouter, steps: StepService, archive: Archive | None) -> None:
    """Adds the operations of steps.

    Args:
        router: gets them.
        steps: reads and names them.
        archive: the table beside them, if there is one.
    """

    @router.get("/steps")
    async def all_steps() -> shapes.StepsShape:
        """The steps, each with its most typical clips."""

        def answer() -> shapes.StepsShape:
            now = steps.now()
            found = now.segmentation
            left = [shapes.LeftOutShape(name=name, reason=reason) for name, reason in found.left_out.items()]
            shown = [_step(each, now) for each in found.steps]
            return shapes.StepsShape(steps=shown, videos=len(found.videos), left_out=left, writable=not steps.read_only)

        return await anyio.to_thread.run_sync(answer)

    @router.patch("/steps/{number}")
    async def name_step(number: StepNumber, body: shapes.NameRequest) -> shapes.StepShape:
        """Names a step, or takes its name away."""

        def named() -> shapes.StepShape:
            now = steps.rename(number, body.name)
            return next(_step(each, now) for each in now.segmentation.steps if each.number == number)

        return await anyio.to_thread.run_sync(named)

    @router.get("/segments")
    async def segments(
        video: Annotated[
            str | None, Query(pattern=shapes.VIDEO, description="this one alone; none where it has no segments")
        ] = None,
        contains: Annotated[str, Query(max_length=200, description="what the name must hold")] = "",
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 60,
    ) -> shapes.SegmentsShape:
        """The segments of a video, or of some of the videos, in order of their names."""

        def answer() -> shapes.SegmentsShape:
            now = steps.now()
            if video is not None and video not in now.place:
                if archive is None:
                    raise RefusedError(404, "missing", "There is no such video.", "Load the page again.")
                archive.snapshot().about(video)
                return shapes.SegmentsShape(total=0, videos=[])
            wanted = contains.casefold()
            rows = [
                (each.path, at)
                for at, (each, name) in enumerate(zip(now.segmentation.videos, now.ids, strict=True))
                if (video is None or name == video) and wanted in each.path.casefold()
            ]
            chosen = sorted(rows)[offset : offset + limit]
            return shapes.SegmentsShape(total=len(rows), videos=[_video(at, now) for _, at in chosen])

        return await anyio.to_thread.run_sync(answer)


def _step(step: Step, now: Steps) -> shapes.StepShape:
    clips = []
    for clip in step.typical:
        name = now.by_path[clip.video]
        facts = {"start": clip.start, "end": clip.end, "share": clip.share}
        clips.append(shapes.ClipShape(video=name, name=clip.video, indexed=name in now.indexed, **facts))
    return shapes.StepShape(
        number=step.number,
        name=step.name,
        title=step.title,
        seconds=step.seconds,
        segments=now.stretches.get(step.number, 0),
        typical=clips,
    )


def _video(at: int, now: Steps) -> shapes.SegmentedShape:
    video, name = now.segmentation.videos[at], now.ids[at]
    return shapes.SegmentedShape(
        id=name,
        name=video.path,
        type=media_type(video.path),
        indexed=name in now.indexed,
        duration=video.duration,
        start=[each.start for each in video.segments],
        end=[each.end for each in video.segments],
        step=[each.step for each in video.segments],
    )
