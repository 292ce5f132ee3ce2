"""Re-identification: is a tracklet's person found again in another camera?

Every query orders the gallery by distance. A *match* is a tracklet of the same person in another camera; the person's
tracklets in the query's own camera are passed over, since they are too easy. CMC rank k is the share of queries with a
match among the first k, AP the area under a query's curve of precision over recall, and mAP its mean. Two published
evaluators of MARS differ, by more than methods do, and their figures never share a column:

    official   Zheng et al. 2016, MARS (github.com/liangzheng06/MARS-evaluation): queries stay in the gallery, so that
               one finds the others of its person; precision starts from 1 and the area is made of trapezia.
    torchreid  Zhou and Xiang 2019 (github.com/KaiyangZhou/deep-person-reid), after Market-1501: no query is in the
               gallery, and the area is made of rectangles (the mean of the precisions at the matches).

Both pass over junk (in MARS the identity -1), and rank distractors (in MARS 0), which match nobody. A query without a
match would be 0/0 by the first, and is skipped by the second; here it is counted apart under both, and is in no mean.

Both leave the order of equal distances to the sorting of the gallery (MATLAB's is stable, by row; NumPy's is not), so
that it may depend on how tracklets are named. Here wrong answers go before matches of the same distance, whatever the
order of the gallery, and an encoder that maps everybody to one point finds nobody.

Axes: Q queries, G tracklets of the gallery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.guesses import choose_from
from kinema.core.seeds import seed_at

ReidPreset = Literal["official", "torchreid"]
Names = NDArray[Any] | Sequence[str] | Sequence[int]
"""Identities or cameras: strings or whole numbers, one a tracklet."""

REID_PRESETS: tuple[ReidPreset, ...] = ("official", "torchreid")
"""The two evaluators by name."""

RANKS = (1, 5, 10, 20)
"""The ranks at which CMC is taken."""

KINDS = ("person", "distractor", "junk")
UNKNOWN = ("", "-1")
"""Identities that say that nobody knows who it is, and make a tracklet junk where no kind is given."""


@dataclass(frozen=True)
class ReidFigures:
    """What re-identification measured.

    Args:
        preset: 'official' or 'torchreid'.
        metrics: 'rank-1', 'rank-5', 'rank-10', 'rank-20' and 'map', fractions, over the queries that have a match.
        queries: Q.
        unmatched: queries without a match, which are in no figure.
        gallery: tracklets that are ranked: junk left out, and under 'torchreid' the queries.
        junk: tracklets of the gallery that nobody is asked about.
        distractors: tracklets of the gallery that match nobody.
        fewest: the fewest candidates that a query with a match had; rank k of no more than that many says nothing.
        first: int64 [Q], rank of each query's first match, 1 for the best; 0 where it has none.
        ap: float64 [Q], average precision; NaN where a query has no match.
        splits: the metrics of each random half of the identities; empty where there are too few.
        mean: by metric, over the splits.
        deviation: by metric, standard deviation over the splits (divided by splits - 1).
    """

    preset: ReidPreset
    metrics: Mapping[str, float]
    queries: int
    unmatched: int
    gallery: int
    junk: int
    distractors: int
    fewest: int
    first: NDArray[np.int64]
    ap: NDArray[np.float64]
    splits: tuple[Mapping[str, float], ...]
    mean: Mapping[str, float]
    deviation: Mapping[str, float]

    @property
    def measured(self) -> int:
        """Queries that have a match."""
        return self.queries - self.unmatched


@dataclass(frozen=True)
class _Sides:
    """Queries [Q] and gallery [G] as numbers; distances [Q, G]."""

    distances: NDArray[np.floating]
    query_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]

    def part(self, queries: NDArray[np.bool_], gallery: NDArray[np.bool_]) -> _Sides:
        return _Sides(
            self.distances[queries][:, gallery],
            self.query_ids[queries],
            self.query_cameras[queries],
            self.gallery_ids[gallery],
            self.gallery_cameras[gallery],
        )


def reid_figures(
    distances: NDArray[np.floating],
    query_ids: Names,
    gallery_ids: Names,
    query_cameras: Names,
    gallery_cameras: Names,
    *,
    preset: ReidPreset = "official",
    own: NDArray[np.integer] | Sequence[int] | None = None,
    kinds: Sequence[str] | NDArray[Any] | None = None,
    splits: int = 10,
    seed: int = 0,
) -> ReidFigures:
    """Looks for each query's person in the gallery.

    Args:
        distances: float [Q, G], lower is nearer.
        query_ids: who each query shows, [Q].
        gallery_ids: who each tracklet of the gallery shows, [G]; -1 or '' where nobody knows.
        query_cameras: [Q], named as the gallery's.
        gallery_cameras: [G].
        preset: 'official' or 'torchreid'.
        own: whole numbers [Q], each query's own row in the gallery, -1 where it is not there; None where none is.
        kinds: [G] of 'person', 'distractor' (matches nobody) and 'junk' (is passed over). By default identities -1
            and '' are junk and all others persons.
        splits: random halves of the identities that are measured by themselves; distractors belong to each.
        seed: of the halves.

    Raises:
        ConfigError: an unknown preset or kind, or ``splits`` below 0.
        ShapeError: the arrays do not fit, a distance is NaN, or ``own`` names no row of the gallery.
        DataError: there are no queries, a query's identity is not known, or no query has a match.
    """
    if preset not in REID_PRESETS:
        raise ConfigError(f"There is no preset '{preset}'.", choose_from(preset, REID_PRESETS))
    if splits < 0:
        raise ConfigError(f"splits is {splits}.", "Give 0 for none, or 10.")
    distances = np.asarray(distances)
    _check_distances(distances)
    q, g = distances.shape
    asked, known = _texts(query_ids, q, "query_ids"), _texts(gallery_ids, g, "gallery_ids")
    unknown = np.isin(asked, UNKNOWN)
    if unknown.any():
        raise DataError(
            f"{int(unknown.sum())} of {q} queries have no known identity; the first is query {int(unknown.argmax())}.",
            "Ask for tracklets whose person is known.",
        )
    kind = _kinds(kinds, known)
    _, people = np.unique(np.concatenate([asked, known]), return_inverse=True)
    cameras = [_texts(query_cameras, q, "query_cameras"), _texts(gallery_cameras, g, "gallery_cameras")]
    _, seen = np.unique(np.concatenate(cameras), return_inverse=True)
    ids = np.where(kind == "person", people[q:], -1)
    ranked = kind != "junk"
    if preset == "torchreid" and own is not None:
        ranked = ranked & ~_queries_of(own, q, g)
    elif own is not None:
        _queries_of(own, q, g)
    everything = np.ones(q, dtype=bool)
    sides = _Sides(distances, people[:q], seen[:q], ids, seen[q:])
    first, ap, fewest = _ranks(sides.part(everything, ranked), preset)
    if not first.any():
        raise DataError(
            f"None of {q} queries has a match: the same person in another camera"
            + (", which is no query." if preset == "torchreid" else "."),
            "Ask for people whom two cameras saw"
            + (", each camera twice, or measure by the preset 'official'." if preset == "torchreid" else "."),
        )
    halves = []
    for chosen in _halves(np.union1d(sides.query_ids, ids[ids >= 0]), splits, seed):
        inside = ranked & (np.isin(ids, chosen) | (ids < 0))
        part_first, part_ap, _ = _ranks(sides.part(np.isin(sides.query_ids, chosen), inside), preset)
        if part_first.any():
            halves.append(_metrics(part_first, part_ap))
    names = _metrics(first, ap)
    table = np.array([[half[name] for name in names] for half in halves])
    return ReidFigures(
        preset=preset,
        metrics=names,
        queries=q,
        unmatched=int((first == 0).sum()),
        gallery=int(ranked.sum()),
        junk=int((kind == "junk").sum()),
        distractors=int((kind == "distractor").sum()),
        fewest=fewest,
        first=first,
        ap=ap,
        splits=tuple(halves),
        mean=dict(zip(names, table.mean(axis=0).tolist(), strict=True)) if halves else {},
        deviation=dict(zip(names, table.std(axis=0, ddof=1).tolist(), strict=True)) if len(halves) > 1 else {},
    )


def _ranks(sides: _Sides, preset: ReidPreset) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Each query's rank of the first match (0 for none) and AP; and the fewest candidates of a query with a match."""
    q, g = sides.distances.shape
    first, ap, fewest = np.zeros(q, dtype=np.int64), np.full(q, np.nan), g
    for row in range(q):
        same = sides.gallery_ids == sides.query_ids[row]
        good = np.sort(sides.distances[row, same & (sides.gallery_cameras != sides.query_cameras[row])])
        if not len(good):
            continue
        wrong = np.sort(sides.distances[row, ~same])
        places = np.arange(1, len(good) + 1) + np.searchsorted(wrong, good, side="right")  # the wrong ones go first
        first[row], fewest = places[0], min(fewest, len(good) + len(wrong))
        ap[row] = _trapezia(places) if preset == "official" else _rectangles(places)
    return first, ap, fewest


def _rectangles(places: NDArray[np.integer]) -> float:
    """The mean of the precisions at the matches, whose ranks are ``places``, from 1."""
    return float((np.arange(1, len(places) + 1) / places).mean())


def _trapezia(places: NDArray[np.integer]) -> float:
    """The mean, over the matches, of the precision there and one rank before, which is 1 before the first rank."""
    found = np.arange(1, len(places) + 1)
    before = np.where(places > 1, (found - 1) / np.maximum(places - 1, 1), 1.0)
    return float(((found / places + before) / 2).mean())


def _metrics(first: NDArray[np.int64], ap: NDArray[np.float64]) -> dict[str, float]:
    reached = first[first > 0]
    cmc = {f"rank-{k}": float((reached <= k).mean()) for k in RANKS}
    return {**cmc, "map": float(ap[first > 0].mean())}


def _halves(identities: NDArray[np.int64], splits: int, seed: int) -> list[NDArray[np.int64]]:
    """Random halves of the identities, which are numbered in the order of their names; none of fewer than four."""
    if len(identities) < 4:
        return []
    half = (len(identities) + 1) // 2
    draws = (np.random.default_rng(seed_at(seed, "reid", "half", number)) for number in range(splits))
    return [rng.permutation(identities)[:half] for rng in draws]


def _check_distances(distances: NDArray[Any]) -> None:
    if distances.ndim != 2 or distances.dtype.kind not in "fiu":
        raise ShapeError(f"The distances are {distances.dtype} {distances.shape}; expected numbers [Q, G].")
    if 0 in distances.shape:
        raise DataError(
            f"There are {distances.shape[0]} queries and {distances.shape[1]} tracklets in the gallery.",
            "At least one of each is needed.",
        )
    missing = int(np.isnan(distances).sum())
    if missing:
        raise ShapeError(
            f"{missing} of {distances.size} distances are NaN; the features they come from are not finite."
        )


def _texts(values: Names, length: int, name: str) -> NDArray[np.str_]:
    found = np.asarray(values)
    if found.shape != (length,) or found.dtype.kind not in "iuUO":
        raise ShapeError(f"'{name}' is {found.dtype} {found.shape}; expected {length} texts or whole numbers.")
    return found.astype(np.str_)


def _kinds(kinds: Any, known: NDArray[np.str_]) -> NDArray[np.str_]:
    if kinds is None:
        return np.where(np.isin(known, UNKNOWN), "junk", "person")
    found = _texts(kinds, len(known), "kinds")
    wrong = ~np.isin(found, KINDS)
    if wrong.any():
        raise ConfigError(f"'{found[wrong.argmax()]}' is no kind of tracklet.", f"The kinds are: {', '.join(KINDS)}.")
    return np.where((found == "person") & np.isin(known, UNKNOWN), "junk", found)


def _queries_of(own: Any, q: int, g: int) -> NDArray[np.bool_]:
    """Bool [G]: which tracklets of the gallery are queries."""
    rows = np.asarray(own)
    if rows.shape != (q,) or rows.dtype.kind not in "iu" or (rows >= g).any() or (rows < -1).any():
        raise ShapeError(f"'own' is {rows.dtype} {rows.shape}; expected {q} rows of the gallery, from -1 to {g - 1}.")
    found = np.zeros(g, dtype=bool)
    found[rows[rows >= 0]] = True
    return found
