"""The operations over a table of pairs: words in, pictures out."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from kinema.core.codes import pack
from kinema.serving import shapes
from kinema.serving.failures import RefusedError
from kinema.serving.pairs import Asked, PairArchive
from kinema.serving.settings import Settings
from kinema.serving.step_routes import add_file, add_session

_FRESH = {"Cache-Control": "private, max-age=300"}
HitId = Annotated[str, Path(pattern=shapes.VIDEO, description="a hit's name in requests")]
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}


def routes_of_pairs(archive: PairArchive, settings: Settings) -> APIRouter:
    """All operations.

    Args:
        archive: the table.
        settings: access and limits.
    """
    router = APIRouter(prefix="/api", responses=shapes.FAILURES)
    add_session(router, settings)

    @router.get("/archive")
    async def about() -> shapes.ArchiveShape:
        """What the table holds."""
        now = await archive.read(archive.snapshot)
        columns = [shapes.ColumnShape(name=name, kind="text", values=[], counts=[]) for name in now.columns]
        return shapes.ArchiveShape(
            videos=0,
            windows=0,
            encoder=archive.model.name,
            view=archive.made.views,
            version=now.version,
            exact=now.exact,
            pictures=False,
            sounds=False,
            upload_bytes=0,
            columns=columns,
            clusters=[],
            words=True,
            images=now.images,
            texts=now.texts,
        )

    @router.post("/words")
    async def words(request: shapes.WordsRequest) -> shapes.PairsFoundShape:
        """The pictures, or the texts, that are nearest to words, or to an earlier hit."""
        began = time.monotonic()
        if (request.words is None) == (request.like is None):
            raise RefusedError(400, "usage", "Words or a hit are asked with, one of them.", "Give 'words' or 'like'.")
        if request.words is not None:
            if not request.words.strip():
                raise RefusedError(400, "usage", "There is no word to search for.", "Write some.")
            vector = await archive.encode(request.words)
            asked: Asked = (vector, pack(vector[None])[0])
        else:
            name = request.like or ""
            asked = await archive.read(lambda: archive.like(name))
        options = {"k": request.k, "over": request.over, "where": request.where or None}
        found = await archive.read(lambda: archive.search(asked, **options))  # type: ignore[arg-type]
        now = await archive.read(archive.snapshot)
        hits = [shapes.PairHitShape.of(name, hit) for name, hit in found]
        rows = now.images if request.over == "images" else now.texts
        return shapes.PairsFoundShape(hits=hits, rows=rows, kept=archive.made.kept, seconds=time.monotonic() - began)

    @router.get("/pictures/{hit}/thumbnail", response_class=Response, responses=_JPEG)
    async def thumbnail(hit: HitId) -> Response:
        """A small picture of a hit."""
        return Response(await archive.read(lambda: archive.thumbnail(hit)), media_type="image/jpeg", headers=_FRESH)

    @router.get("/pictures/{hit}/file", response_class=Response, responses=_JPEG)
    async def picture(hit: HitId) -> Response:
        """The whole picture of a hit, if its file is the one that was embedded."""
        content, kind = await archive.read(lambda: archive.picture(hit))
        return Response(content, media_type=kind, headers=_FRESH)

    add_file(router, archive.video, archive.read)
    return router
