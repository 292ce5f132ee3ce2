"""Finds the pictures, or the texts, that are nearest to words or to a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinema.core.codes import Codes, pack
from kinema.core.errors import DataError, UsageError
from kinema.core.pairs import IMAGE, PairView
from kinema.searching.database import storage_errors
from kinema.searching.find import OpenTable, SearchOptions
from kinema.searching.hits import MAX_HITS, Found
from kinema.searching.index import nearest
from kinema.searching.layout import PAIRS, quoted
from kinema.searching.pairs.codes import TableCodes
from kinema.searching.pairs.pictures import thumbnails
from kinema.searching.pairs.query import PairQuery, read_pair_query
from kinema.searching.pairs.schema import PairTableSettings, read_pair_settings
from kinema.searching.roots import Home, home_of
from kinema.searching.schema import vectors_in
from kinema.searching.table_settings import check_settings

SECOND_LOOK, PER_HIT = 256, 4
"""Rows that codes propose and vectors compare again: the fewest, and how many a hit."""

COLUMNS = [
    *("pair", "kind", "image", "text", "label", "video", "at", "start", "end", "source", "split", "file", "thumbnail"),
    *("id", "size", "mtime_ns"),
]
_RENAMED = ("pair", "label", "thumbnail", "source", "file", "id", "size", "mtime_ns")
_PLAIN = ("name", "kind", "image", "video", "at", "start", "end", "text", "labels", "score", "distance")


@dataclass(frozen=True)
class PairHit:
    """One hit: a picture, or a text.

    Args:
        name: of its pair.
        kind: 'image' or 'text'.
        score: the cosine to the query; where there are codes alone, the share of bits that are equal.
        image: the path of the picture, or a stored vector; None where it is a frame, or where there is none.
        text: that belongs to it; None for none.
        labels: of the pair.
        video: the video that the picture is a frame of; None otherwise.
        at: seconds from the video's first frame to the picture.
        start: seconds at which the text begins in the video.
        end: seconds at which it ends.
        distance: bits that differ from the query's code; None where vectors were compared.
        source: where the pair comes from.
        split: for instance 'train' or 'test', or None.
        file: the picture, the video or the array on the disk, relative to the folder that was embedded, or absolute.
        thumbnail: JPEG file of the picture; empty where the table keeps none.
    """

    name: str
    kind: PairView
    score: float
    image: str | None = None
    text: str | None = None
    labels: tuple[str, ...] = ()
    video: str | None = None
    at: float | None = None
    start: float | None = None
    end: float | None = None
    distance: int | None = None
    source: str = ""
    split: str | None = None
    file: str = ""
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def when(self) -> str:
        """Its time in a video, in words; empty where it is of none."""
        if self.start is not None and self.end is not None:
            return f"{self.start:.2f} to {self.end:.2f} s"
        return "" if self.at is None else f"{self.at:.2f} s"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in _PLAIN} | {"labels": list(self.labels)}


def find_pairs(model: Any, uri: str, query: str | Path, options: SearchOptions) -> Found[PairHit]:
    """Searches a table of pairs.

    Where the table keeps vectors, all are compared by cosine; where it keeps codes, by the bits that differ; where it
    keeps both, codes propose rows, and vectors put these in order, unless ``exact`` asks for all vectors. Of a picture
    that several pairs have, and of texts that are equal, there is one hit.

    Args:
        model: the ``kinema.data.pairs.reader.PairReader`` that made it.
        uri: where it is.
        query: see :func:`kinema.searching.pairs.query.read_pair_query`.
        options: of the search; ``over`` is 'images' where the run has pictures.

    Raises:
        UsageError: k, the condition or the query is invalid.
        DataError: there is no table, it is another run's or of something else, or the query cannot be read.
        StorageError: the table cannot be read.
    """
    began = time.monotonic()
    over = options.over or ("images" if IMAGE in model.views else "texts")
    PAIRS.kind(over)
    asked = read_pair_query(model, query, options.view)
    if options.others and asked.file is None:
        raise UsageError(
            "The query's own pair is to be left out, and words are of no pair.",
            "Ask with a picture or a .txt file, or without --others.",
        )

    def check(table: Any) -> None:
        made = read_pair_settings(table, uri)
        check_settings(made, PairTableSettings.of(model, made.kept), uri)

    opened = OpenTable.open(uri, check, replace(options, over=over))
    made = read_pair_settings(opened.table, uri)
    vector = encoded(model, asked, options.device)
    with storage_errors(uri):
        home = home_of(opened.table, uri, options.videos)
        where, note = _without(opened.where, asked, home, opened.table) if options.others else (opened.where, "")
        opened = replace(opened, where=where, exact=_is_exact(made, opened, options.exact))
        every = made.kept == "codes and vectors" and bool(options.exact)
        asked_with = (vector, pack(vector[None])[0])
        rows = nearest_rows(opened.table, made, asked_with, opened.where, exact=opened.exact, every=every)
        found = distinct(rows, options.k, over)
    hits = tuple(hit_of(row) for row in found)
    notes = tuple(filter(None, [note]))
    return Found(str(asked), hits, opened.exact, opened.rows, home.root, notes, time.monotonic() - began)


def encoded(model: Any, asked: PairQuery, device: str | None = None) -> NDArray[np.float32]:
    """The embedding of a query, float32 [d], of unit length.

    Raises:
        DataError: it cannot be read, holds no word that the run knows, or has no direction.
    """
    vector: NDArray[np.float32] = model.encode(asked.given, view=asked.view, device=device)
    if not np.isfinite(vector).all() or not vector.any():
        raise DataError(f"The encoder gives no direction to the query '{asked}'.", "It may have diverged.")
    return vector


def _is_exact(made: PairTableSettings, opened: OpenTable, exact: bool | None) -> bool:
    """Whether every row is compared by all that the table keeps of it."""
    if made.kept == "codes and vectors":
        return bool(exact)
    return opened.exact or made.kept == "codes"


def _without(where: str, asked: PairQuery, home: Home, table: Any) -> tuple[str, str]:
    """The condition without the query's own picture or text, and a note where there is none."""
    if asked.view != IMAGE:
        return f"{where} AND (text IS NULL OR text <> {quoted(str(asked.given).strip())})", ""
    assert asked.file is not None, "a picture is a file"
    names = {str(asked.file), str(asked.file.resolve()), home.name_of(table, asked.file) or str(asked.file)}
    own = f"file IN ({', '.join(quoted(name) for name in sorted(names))})"
    if not table.count_rows(own):
        return where, "The query is no picture of the table, so none was left out."
    return f"{where} AND NOT ({own})", ""


Rows = Callable[[int], tuple[Sequence[Mapping[str, Any]], bool]]
"""Gives so many nearest rows with their 'score' and 'distance', and whether there are no more."""


def nearest_rows(
    table: Any,
    made: PairTableSettings,
    asked: tuple[NDArray[np.float32] | None, Codes],
    where: str,
    *,
    exact: bool = True,
    every: bool = False,
    codes: TableCodes | None = None,
) -> Rows:
    """How the rows of a table are searched.

    Args:
        table: of LanceDB.
        made: its settings.
        asked: the query's vector, float32 [d], of unit length, None for a table of codes; and its code, uint8 [bytes].
        where: a condition on the rows, in SQL.
        exact: whether every vector is compared, without an index.
        every: whether vectors are compared alone though there are codes too.
        codes: of the rows that the condition is true of, where they were read before.
    """
    vector, code = asked
    if made.kept == "vectors" or every:
        assert vector is not None, "a table of vectors is asked with one"
        return lambda limit: _by_vectors(table, vector, where, limit, exact=exact)
    read = codes or TableCodes.read(table, where)
    again = vector if made.vectors else None

    def search(limit: int) -> tuple[list[dict[str, Any]], bool]:
        distances, places = read.nearest(code, limit if again is None else max(limit, SECOND_LOOK))
        found = read.rows(places, [*COLUMNS, *([] if again is None else ["vector"])]) if len(places) else None
        rows = [] if found is None else _scored(found, distances, read.index.bits, again)
        return rows, len(places) == len(read.index)

    return search


def _by_vectors(
    table: Any, vector: NDArray[np.float32], where: str, limit: int, *, exact: bool
) -> tuple[list[dict[str, Any]], bool]:
    found = nearest(table, vector, limit, exact=exact, where=where, columns=COLUMNS)
    rows = [row | {"score": _cosine(1.0 - row["_distance"]), "distance": None} for row in found.to_pylist()]
    return rows, found.num_rows < limit


def _scored(
    found: pa.Table, distances: NDArray[np.int32], bits: int, vector: NDArray[np.float32] | None
) -> list[dict[str, Any]]:
    """Rows with their score, the best first; equal ones in the order in which they came."""
    scores: NDArray[np.floating]
    if vector is None:
        scores, order = 1.0 - distances / bits, list(range(len(distances)))
    else:
        scores = vectors_in(found) @ vector
        order = np.argsort(-scores, kind="stable").tolist()
        found = found.drop_columns(["vector"])
    rows = found.to_pylist()
    return [rows[at] | {"score": _cosine(scores[at]), "distance": int(distances[at])} for at in order]


def distinct(rows: Rows, k: int, over: str) -> list[Mapping[str, Any]]:
    """The k best rows of different pictures, or of different texts.

    Args:
        rows: gives the nearest.
        k: how many.
        over: 'images' or 'texts'.
    """
    limit = min(MAX_HITS, max(64, PER_HIT * k))
    while True:
        some, all_seen = rows(limit)
        chosen: dict[Any, Mapping[str, Any]] = {}
        for row in some:
            chosen.setdefault((row["image"], row["video"], row["at"]) if over == "images" else row["text"], row)
        if len(chosen) >= k or all_seen or limit == MAX_HITS:
            return list(chosen.values())[:k]
        limit = min(MAX_HITS, 4 * limit)


def _cosine(score: float) -> float:
    return min(1.0, max(-1.0, float(score)))


def hit_of(row: Mapping[str, Any]) -> PairHit:
    """The hit of a row with its score."""
    about = {name: row[name] for name in COLUMNS if name not in _RENAMED}
    return PairHit(
        name=row["pair"],
        labels=tuple((row["label"] or "").split(";")) if row["label"] else (),
        score=row["score"],
        distance=row["distance"],
        source=row["source"] or "",
        file=row["file"] or "",
        thumbnail=row["thumbnail"] or b"",
        **about,
    )


def shown(hit: PairHit, root: Path) -> bytes:
    """A hit's picture as a small JPEG file: the table's, or one made of its file; empty where none can be had.

    Args:
        hit: the hit.
        root: the folder that its file is below.
    """
    if hit.thumbnail or hit.kind != IMAGE:
        return hit.thumbnail
    try:
        return thumbnails(root, [(hit.video or hit.image or "", hit.at)])[0]
    except DataError:  # it has moved, or is broken by now: the hit is shown by its name
        return b""
