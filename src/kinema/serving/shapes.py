"""The schemas of requests and answers, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kinema.api.asking import MOST_OPTIONS, Asked
from kinema.data.pairs.table import stored_row
from kinema.data.questions.beside import Input
from kinema.searching.hits import MAX_HITS, Hit
from kinema.searching.pairs.find import PairHit
from kinema.serving.archive import video_id
from kinema.serving.keeper import Keeper
from kinema.serving.queries import NAME, EncodedQuery

VIDEO = r"^[0-9a-f]{20}$"
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Column = Annotated[str, Field(max_length=200)]
Value = Annotated[str, Field(max_length=1000)] | int | float | bool | None
Values = Annotated[list[Value], Field(max_length=200)]
Corner = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]


class Shape(BaseModel):
    """A record of JSON; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """What went wrong: a word for programs, and a sentence or two for people."""

    kind: str
    message: str
    hint: str


class Failure(Shape):
    """The answer to what cannot be done."""

    error: Problem


class SessionRequest(Shape):
    """The token, for a cookie that stands for it."""

    token: str = Field(min_length=1, max_length=1000)


class SessionShape(Shape):
    """Whether a token is needed, and whether this one was right."""

    needed: bool


class ColumnShape(Shape):
    """A column that a condition may name; with the values it has, where these are few."""

    name: str
    kind: Literal["text", "number", "truth"]
    values: list[str | None]
    counts: list[int]


class ClusterShape(Shape):
    """A cluster by its number, with the name that a person gave it."""

    cluster: int
    name: str | None
    size: int


class MemoryShape(Shape):
    """How the table is searched: in memory, or, until it has been read or where it does not fit, in the store."""

    state: Literal["off", "reading", "ready"]
    note: str = Field(default="", description="why it is off, or what was read")
    compared: float | None = Field(default=None, description="the share of the windows that a search compares")
    recall: float | None = Field(
        default=None, description="recall@10 of it, measured with rows of the table; null where all are compared"
    )
    bytes: int = 0
    seconds: float = Field(default=0, description="that reading took")

    @classmethod
    def of(cls, keeper: Keeper | None, version: int) -> MemoryShape:
        """The shape of what is held of a version of the table."""
        if keeper is None:
            return cls(state="off")
        held = keeper.held(version)
        if held is None:
            return cls(state="off" if keeper.note else "reading", note=keeper.note)
        facts = {name: getattr(held, name) for name in ("compared", "recall", "bytes", "seconds")}
        return cls(state="ready", note=keeper.note, **facts)


class ArchiveShape(Shape):
    """What the table holds."""

    videos: int
    windows: int
    encoder: str
    view: str
    version: int
    exact: bool
    memory: MemoryShape = Field(default_factory=lambda: MemoryShape(state="off"))
    pictures: bool = Field(description="whether a still picture can be asked with")
    sounds: bool = Field(description="whether the query is heard: it needs a sound, and a file of sound will do")
    upload_bytes: int
    columns: list[ColumnShape]
    clusters: list[ClusterShape]
    searchable: bool = Field(default=True, description="whether there is a table; without one there are steps alone")
    steps: bool = Field(default=False, description="whether the videos, or some, were divided into steps")
    words: bool = Field(default=False, description="whether the table is of pairs, and is asked in words")
    images: int = Field(default=0, description="pictures of a table of pairs")
    texts: int = Field(default=0, description="texts of a table of pairs")
    asks: bool = Field(default=False, description="whether questions are asked about the videos; nothing is searched")


class VideoShape(Shape):
    """One video."""

    id: str
    name: str
    label: str | None
    source: str | None
    split: str | None
    codec: str | None
    width: int | None
    height: int | None
    fps: float | None
    duration: float | None
    cluster: int | None
    cluster_name: str | None
    type: str = Field(description="the file's type by its name's ending")
    attributes: dict[str, str | None] = Field(description="further columns of labels.csv")


class VideosShape(Shape):
    """Some of the videos, in order of their names."""

    total: int
    videos: list[VideoShape]


class TimelineShape(Shape):
    """The windows of a video in order of time, as columns of one length."""

    frame: list[int]
    start: list[float]
    end: list[float]
    cluster: list[int | None]
    score: list[float] | None


class QueryRequest(Shape):
    """An indexed video, a stretch of it, or the window that begins at a frame."""

    video: str = Field(pattern=VIDEO)
    start: Seconds | None = None
    end: Seconds | None = None
    frame: int | None = Field(default=None, ge=0, le=10**12)


class QueryShape(Shape):
    """A query that can be searched with by its name."""

    query: str
    about: str
    video: str | None
    start: float | None
    end: float | None
    note: str

    @classmethod
    def of(cls, query: EncodedQuery) -> QueryShape:
        """The shape of a query."""
        video = None if query.video is None else video_id(query.video)
        return cls(query=query.name, about=query.about, video=video, start=query.start, end=query.end, note=query.note)


class Lasso(Shape):
    """A line drawn round points of the map."""

    version: int = Field(ge=0, le=2**62, description="of the map on which it was drawn")
    polygon: list[tuple[Corner, Corner]] = Field(min_length=3, max_length=2000)


class SearchRequest(Shape):
    """What to search with, and what counts."""

    query: str = Field(pattern=NAME, max_length=40)
    k: int = Field(default=24, ge=1, le=MAX_HITS)
    over: Literal["windows", "videos"] = "windows"
    others: bool = Field(default=False, description="leave the query's own video out")
    where: str | None = Field(default=None, max_length=10_000, description="a condition on the columns, in SQL")
    fields: dict[Column, Values] = Field(
        default_factory=dict, max_length=50, description="columns with the values of which one must be there"
    )
    lasso: Lasso | None = None


class HitShape(Shape):
    """One find."""

    video: str
    name: str
    frame: int
    start: float
    end: float
    score: float
    label: str | None
    cluster: int | None
    cluster_name: str | None

    @classmethod
    def of(cls, hit: Hit) -> HitShape:
        """The shape of a hit."""
        names = ("frame", "start", "end", "score", "label", "cluster", "cluster_name")
        return cls(video=video_id(hit.video), name=hit.video, **{name: getattr(hit, name) for name in names})


class FoundShape(Shape):
    """The finds, the nearest first."""

    hits: list[HitShape]
    rows: int
    exact: bool
    notes: list[str]
    seconds: float


class WordsRequest(Shape):
    """Words, or an earlier hit, and what counts."""

    words: str | None = Field(default=None, max_length=5000)
    like: str | None = Field(default=None, pattern=VIDEO, description="a hit's name")
    k: int = Field(default=24, ge=1, le=MAX_HITS)
    over: Literal["images", "texts"] = "images"
    where: str | None = Field(default=None, max_length=10_000, description="a condition on the columns, in SQL")


class PairHitShape(Shape):
    """One find: a picture, or a text."""

    id: str
    name: str
    kind: Literal["image", "text"]
    score: float
    distance: int | None = Field(description="bits that differ, where codes were compared")
    text: str | None
    labels: list[str]
    picture: bool = Field(description="whether there is a picture to be seen")
    video: bool = Field(description="whether it is a frame of a video, which can be played")
    start: float | None
    end: float | None

    @classmethod
    def of(cls, name: str, hit: PairHit) -> PairHitShape:
        """The shape of a hit, by its name in requests."""
        stored = hit.image is not None and stored_row(hit.image) is not None
        return cls(
            id=name,
            name=hit.video or hit.image or hit.name,
            kind=hit.kind,
            score=hit.score,
            distance=hit.distance,
            text=hit.text,
            labels=list(hit.labels),
            picture=hit.kind == "image" and not stored,
            video=hit.video is not None,
            start=hit.at if hit.start is None else hit.start,
            end=hit.end,
        )


class PairsFoundShape(Shape):
    """The finds, the nearest first."""

    hits: list[PairHitShape]
    rows: int
    kept: Literal["vectors", "codes", "codes and vectors"] = Field(description="what was compared")
    seconds: float


class AskableShape(Shape):
    """A video that questions can be asked about."""

    id: str
    name: str
    type: str = Field(description="the file's type by its name's ending")
    beside: list[Input] = Field(
        description="what lies beside it: stored features of its frames, subtitles, labels of objects"
    )


class AskableVideosShape(Shape):
    """Some of the videos, in order of their names."""

    total: int
    videos: list[AskableShape]


class AskRequest(Shape):
    """A question about a video, and what may be the answer."""

    video: str = Field(pattern=VIDEO)
    question: str = Field(min_length=1, max_length=2000)
    options: list[Annotated[str, Field(max_length=1000)]] = Field(min_length=2, max_length=MOST_OPTIONS)


class SaidShape(Shape):
    """A line of the subtitles, or labels of objects, with its time in seconds."""

    start: float
    end: float
    text: str
    kind: Literal["subtitle", "object"]


class AskedShape(Shape):
    """The share of each option; start and end are the stretch that was looked at most, null where there was nothing."""

    options: list[str]
    shares: list[float] = Field(description="of the options, in their order; together 1")
    chosen: int = Field(description="the place of the option with the largest share, from 0")
    start: float | None
    end: float | None
    said: list[SaidShape] = Field(description="the lines of that stretch")
    missing: list[Input] = Field(
        description="what the run learnt with and this video lacks: the answer was given without"
    )
    notes: list[str]
    seconds: float

    @classmethod
    def of(cls, asked: Asked) -> AskedShape:
        """The shape of an answer."""
        said = [SaidShape(start=x.start, end=x.end, text=x.text, kind=x.kind) for x in asked.said]
        return cls(
            options=list(asked.options),
            shares=list(asked.shares),
            chosen=asked.chosen,
            start=asked.start,
            end=asked.end,
            said=said,
            missing=list(asked.missing),
            notes=list(asked.notes),
            seconds=asked.seconds,
        )


class MapShape(Shape):
    """The archive as points, as columns of one length; x and y from 0 to 1."""

    version: int
    over: Literal["windows", "videos"]
    explained: float
    total: int
    x: list[float]
    y: list[float]
    video: list[int] = Field(description="places in 'videos'")
    videos: list[str]
    names: list[str]
    frame: list[int]
    start: list[float]
    cluster: list[int | None]
    label: list[str | None]


class ClipShape(Shape):
    """A clip that shows a step well."""

    video: str
    name: str
    indexed: bool = Field(description="whether it is a video of the table too")
    start: float
    end: float
    share: float


class StepShape(Shape):
    """One step, from 1, with the name that a person gave it; without one, the name is empty."""

    number: int
    name: str
    title: str = Field(description="the name, or 'step 3'")
    seconds: float
    segments: int
    typical: list[ClipShape]


class LeftOutShape(Shape):
    """A video that was not segmented, and why."""

    name: str
    reason: str


class StepsShape(Shape):
    """The steps, and how many videos were divided into them."""

    steps: list[StepShape]
    videos: int
    left_out: list[LeftOutShape]
    writable: bool = Field(description="whether the steps can be named here")


class SegmentedShape(Shape):
    """A video and its segments in order of time, as columns of one length; times are seconds on its own clock."""

    id: str
    name: str
    type: str = Field(description="the file's type by its name's ending")
    indexed: bool = Field(description="whether it is a video of the table too")
    duration: float
    start: list[float]
    end: list[float]
    step: list[int]


class SegmentsShape(Shape):
    """Some of the segmented videos, in order of their names."""

    total: int
    videos: list[SegmentedShape]


class NameRequest(Shape):
    """What a step is called; empty to take its name away."""

    name: str = Field(max_length=1000)


class Chosen(Shape):
    """How much a lasso holds."""

    over: Literal["windows", "videos"]
    count: int


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": text}
    for status, text in {
        400: "the request cannot be understood",
        401: "the token is missing or wrong",
        403: "another site asks, or a link leads out of the indexed folder",
        404: "there is no such thing",
        409: "the archive has changed meanwhile",
        413: "too much was brought or asked for",
        421: "the server is not called so",
        422: "the request or the clip is not as it must be",
        503: "too many are waiting, or the table cannot be read",
    }.items()
}
"""The answers that any operation may give beside its own."""
