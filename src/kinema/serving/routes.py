"""The API: a request in, a read of the table in a thread, JSON out."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from kinema.data.video.manifest import Video
from kinema.searching.hits import MAX_HITS
from kinema.serving import shapes
from kinema.serving.archive import Searched, Snapshot, video_id
from kinema.serving.failures import RefusedError
from kinema.serving.footage import media_type
from kinema.serving.projection_map import Chart, Charts
from kinema.serving.queries import NAME, EncodedQuery, QueryService
from kinema.serving.settings import Settings
from kinema.serving.step_routes import PAGE, VideoId, add_file, add_session, add_steps
from kinema.serving.steps import StepService
from kinema.serving.uploads import RECEIVING, UploadService

MANY_VALUES = 60
"""Values of a column that are offered for choice."""

_FRESH = "private, max-age=300"
Moment = Annotated[float | None, Query(ge=0, le=1e7, allow_inf_nan=False)]


def routes(
    queries: QueryService, charts: Charts, uploads: UploadService, steps: StepService, settings: Settings
) -> APIRouter:
    """All operations.

    Args:
        queries: encodes and holds queries.
        charts: the map.
        uploads: receives clips.
        steps: names and finds steps.
        settings: access and limits.
    """
    router = APIRouter(prefix="/api", responses=shapes.FAILURES)
    add_session(router, settings)
    _about(router, queries, steps, settings)
    _videos(router, queries)
    _footage(router, queries, steps)
    _queries(router, queries, uploads)
    _search(router, queries, charts)
    add_steps(router, steps, queries.archive)
    return router


def _about(router: APIRouter, queries: QueryService, steps: StepService, settings: Settings) -> None:
    archive = queries.archive

    @router.get("/archive")
    async def about() -> shapes.ArchiveShape:
        """What the table holds, and what it can be filtered by."""
        now = await queries.read(archive.snapshot)
        return shapes.ArchiveShape(
            videos=now.videos.num_rows,
            windows=now.windows,
            encoder=archive.model.name,
            view=archive.model.view,
            version=now.version,
            exact=now.exact,
            memory=shapes.MemoryShape.of(archive.keeper, now.version),
            pictures="rgb" in archive.model.views,
            sounds=archive.model.views == ("sound",),
            upload_bytes=settings.upload_mib * 1024 * 1024,
            columns=await queries.read(lambda: _columns(now)),
            clusters=await queries.read(lambda: _clusters(archive.table)),
            steps=steps.there(),
        )


def _videos(router: APIRouter, queries: QueryService) -> None:
    archive = queries.archive

    @router.get("/videos")
    async def videos(
        contains: Annotated[str, Query(max_length=200, description="what the name must hold")] = "",
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 60,
        spread: Annotated[
            bool, Query(description="evenly spaced ones in place of the first from the offset on")
        ] = False,
    ) -> shapes.VideosShape:
        """Some of the videos, in order of their names."""
        now = await queries.read(archive.snapshot)

        def listed() -> tuple[int, list[shapes.VideoShape]]:
            wanted = contains.casefold()
            rows = [at for at, path in enumerate(now.videos["video"].to_pylist()) if wanted in path.casefold()]
            chosen = rows[:: max(1, -(-len(rows) // limit))] if spread else rows[offset : offset + limit]
            some = now.videos.take(np.asarray(chosen, dtype=np.int64)).to_pylist()
            return len(rows), [_video(row, now) for row in some]

        total, found = await queries.read(listed)
        return shapes.VideosShape(total=total, videos=found)

    @router.get("/videos/all", response_class=StreamingResponse, responses={200: _lines("a video a line")})
    async def all_videos() -> StreamingResponse:
        """Every video, a line of JSON each, sent as it is read."""
        now = await queries.read(archive.snapshot)

        def lines() -> Iterator[str]:
            for batch in now.videos.to_batches(max_chunksize=PAGE):
                yield "".join(f"{_video(row, now).model_dump_json()}\n" for row in batch.to_pylist())

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @router.get("/videos/{video}")
    async def one_video(video: VideoId) -> shapes.VideoShape:
        """What is known of a video."""
        now = await queries.read(archive.snapshot)
        return _video(now.about(video), now)

    @router.get("/videos/{video}/timeline")
    async def timeline(
        video: VideoId, query: Annotated[str | None, Query(pattern=NAME, max_length=40)] = None
    ) -> shapes.TimelineShape:
        """A video's windows in order of time, with their likeness to a query and their clusters."""
        found = None if query is None else await queries.read(functools.partial(queries.find, query))
        values = await queries.read(lambda: archive.windows(video, None if found is None else found.vector))
        return shapes.TimelineShape(**({"score": None} | values))  # type: ignore[arg-type]


def _footage(router: APIRouter, queries: QueryService, steps: StepService) -> None:
    archive = queries.archive

    @router.get("/videos/{video}/thumbnail", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
    async def thumbnail(video: VideoId, frame: Annotated[int | None, Query(ge=0, le=10**12)] = None) -> Response:
        """A small picture of a video, or of the window that begins at a frame."""
        found = await queries.read(lambda: archive.thumbnail(video, frame))
        return Response(found, media_type="image/jpeg", headers={"Cache-Control": _FRESH})

    def find(name: str) -> tuple[Path, Video, bool]:
        root = archive.snapshot().root
        try:
            return root, archive.known(name), True
        except RefusedError:
            return *steps.locate(name), False

    add_file(router, find, queries.read)


def _queries(router: APIRouter, queries: QueryService, uploads: UploadService) -> None:
    @router.post("/queries")
    async def query(request: shapes.QueryRequest) -> shapes.QueryShape:
        """Makes a query of an indexed video, of a stretch in seconds, or of the window that begins at a frame."""
        stretch = _stretch(request.start, request.end)
        if stretch is not None and request.frame is not None:
            raise RefusedError(400, "usage", "A stretch and a frame were both given.", "Give one of them.")
        return shapes.QueryShape.of(await queries.of_archive(request.video, stretch, request.frame))

    body = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    slow = {status: shapes.FAILURES[400] | {"description": text} for status, text in _UPLOAD_FAILURES.items()}

    @router.post("/uploads", openapi_extra={"requestBody": body | {"required": True}}, responses=slow)
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=300, description="the file's name, for its ending")] = "clip",
        start: Moment = None,
        end: Moment = None,
    ) -> shapes.QueryShape:
        """Makes a query of a clip, which is the body of the request; the file is deleted when it has been encoded."""
        return shapes.QueryShape.of(await uploads.take(request, name, _stretch(start, end)))


_UPLOAD_FAILURES: dict[int | str, str] = {
    408: f"the clip took more than {RECEIVING:g} s to come, or paused for long",
    415: "the clip cannot be read as video",
    507: "the server's disk is full",
}


def _search(router: APIRouter, queries: QueryService, charts: Charts) -> None:
    archive = queries.archive

    async def found(request: shapes.SearchRequest) -> tuple[EncodedQuery, Snapshot, Searched]:
        def search() -> tuple[EncodedQuery, Snapshot, Searched]:
            query, lasso = queries.find(request.query), request.lasso
            near = archive.search(
                query.vector,
                k=request.k,
                over=request.over,
                where=request.where or None,
                fields=request.fields,
                only=None if lasso is None else charts.within(lasso.version, lasso.polygon, request.over),
                without=query.video if request.others else None,
            )
            like = tuple(hit for hit in near.hits if hit.score >= 0)
            return query, archive.snapshot(), replace(near, hits=like)

        return await queries.read(search)

    @router.post("/search")
    async def search(request: shapes.SearchRequest) -> shapes.FoundShape:
        """The nearest to a query."""
        began = time.monotonic()
        query, now, near = await found(request)
        notes = [query.note] if query.note else []
        if not near.all_seen:
            notes.append(f"The nearest {MAX_HITS} windows are {len(near.hits)} stretches; whole videos would be more.")
        shown = [shapes.HitShape.of(hit) for hit in near.hits]
        seconds = time.monotonic() - began
        rows = now.windows if request.over == "windows" else now.rows - now.windows
        return shapes.FoundShape(hits=shown, rows=rows, exact=near.exact, notes=notes, seconds=seconds)

    @router.post("/search/lines", response_class=StreamingResponse, responses={200: _lines("a find a line")})
    async def search_lines(request: shapes.SearchRequest) -> StreamingResponse:
        """The nearest to a query, a line of JSON each: for many thousands of them."""
        _, _, near = await found(request)
        lines = (f"{shapes.HitShape.of(hit).model_dump_json()}\n" for hit in near.hits)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @router.get("/map", response_model=shapes.MapShape)
    async def chart() -> Response:
        """The archive as points of a plane."""
        return await queries.read(lambda: JSONResponse(_drawn(charts.now())))

    @router.post("/map/lasso")
    async def lasso(request: shapes.Lasso) -> shapes.Chosen:
        """How many points lie within a line that is drawn round them."""
        over, inside = await queries.read(lambda: charts.inside(request.version, request.polygon))
        return shapes.Chosen(over=over, count=len(inside))


def _stretch(start: float | None, end: float | None) -> tuple[float, float] | None:
    if start is None and end is None:
        return None
    if start is None or end is None or end <= start:
        raise RefusedError(400, "usage", f"{start} to {end} s is no stretch.", "Give a start, and an end after it.")
    return start, end


def _video(row: dict[str, Any], now: Snapshot) -> shapes.VideoShape:
    names = ("label", "source", "split", "codec", "width", "height", "fps", "duration", "cluster", "cluster_name")
    extra = {name: row[name] for name in row if name in now.columns and name not in _KNOWN}
    facts = {name: row[name] for name in names}
    path = row["video"]
    return shapes.VideoShape(id=video_id(path), name=path, type=media_type(path), attributes=extra, **facts)


_KNOWN = {"video", "kind", "start", "end", "frame", "label", "source", "split", "health", "codec", "width", "height"}
_KNOWN |= {"fps", "duration", "frames", "size", "audio", "cluster", "cluster_name"}


def _columns(now: Snapshot) -> list[shapes.ColumnShape]:
    found = []
    for name, kind in now.columns.items():
        counted: Counter[str | None] = Counter()
        if kind == "text" and name in now.videos.column_names and name not in ("video", "health", "cluster_name"):
            counted = Counter(now.videos[name].to_pylist())
        few = 1 < len(counted) <= MANY_VALUES
        values = sorted(counted, key=lambda value: (value is None, value or "")) if few else []
        counts = [counted[value] for value in values]
        found.append(shapes.ColumnShape(name=name, kind=kind, values=values, counts=counts))  # type: ignore[arg-type]
    return found


def _clusters(table: Any) -> list[shapes.ClusterShape]:
    """The clusters, counted over what was clustered: videos, or windows where these were clustered alone."""
    columns = ["kind", "cluster", "cluster_name"]
    rows = table.search().where("cluster IS NOT NULL AND cluster >= 0").select(columns).to_arrow().to_pydict()
    kind = "video" if "video" in rows["kind"] else "window"
    counted: Counter[int] = Counter()
    names: dict[int, str | None] = {}
    for each, number, name in zip(rows["kind"], rows["cluster"], rows["cluster_name"], strict=True):
        counted[number] += each == kind
        names[number] = name
    return [shapes.ClusterShape(cluster=n, name=names[n], size=counted[n]) for n in sorted(counted)]


def _drawn(chart: Chart) -> dict[str, Any]:
    """A chart as JSON values; each video's name is there once."""
    videos = {name: at for at, name in enumerate(dict.fromkeys(chart.columns["video"]))}
    paths = {video_id(path): path for path in {each.rpartition("#")[0] for each in chart.ids}}
    return {
        "version": chart.version,
        "over": chart.over,
        "explained": chart.explained,
        "total": chart.total,
        "x": chart.place[:, 0].round(5).tolist(),
        "y": chart.place[:, 1].round(5).tolist(),
        "video": [videos[name] for name in chart.columns["video"]],
        "videos": list(videos),
        "names": [paths[name] for name in videos],
        **{name: chart.columns[name] for name in ("frame", "start", "cluster", "label")},
    }


def _lines(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
