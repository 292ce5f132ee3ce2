"""How good codes are for search: mAP, precision among the first N, and precision within a Hamming radius.

Every query orders the gallery by distance. An item is *relevant* if it shares a label with the query. AP is the mean,
over a query's relevant items, of the precision at the place of each; mAP is its mean over the queries. AP at k sums
over the first k places, and divides by the relevant items that can stand there: min(k, all of them).

Codes of 32 bits have 33 distances, so that most of a gallery is tied, and a figure that leaves the order of ties to a
sort depends on the machine and on how the data were ordered. Here figures are *tie-averaged*: the expected value over
all orders of equal distances (McSherry and Najork 2008, "Computing information retrieval performance measures
efficiently in the presence of tied scores"). The order of the gallery changes nothing, and codes that are all the same
have the figures of a random order. A query without anything relevant has no AP; it is counted apart and is in no mean.

Two functions are copied from repository to repository, and most published figures come from them. What each does wrong:

    calc-map-k    of PyTorch versions of DCMH: at k it takes the first min(k, relevant) hits *wherever* they stand, so
                  that it is no mAP at k; queries without anything relevant count as 0; ties in the order of the sort.
    calc-top-map  of DeepHash-pytorch: at k it divides by the hits *found*, so that one hit at place 1 and none after
                  it is a perfect 1; queries without a hit, or anything relevant, count as 0; "all" is topk = -1, which
                  drops the last place of the ranking; ties in the order of the sort.

Under these presets ties keep the order of the gallery (a stable sort), which theirs, unstable, does not promise.

Axes: Q queries, G items of the gallery, C labels, T groups of equal distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.codes import hamming
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.guesses import choose_from

HashingPreset = Literal["tie-averaged", "calc-map-k", "calc-top-map"]
HASHING_PRESETS: tuple[HashingPreset, ...] = ("tie-averaged", "calc-map-k", "calc-top-map")
"""The rules by name; figures of two are not comparable."""

Floats = NDArray[np.float64]

CHUNK = 1 << 22
"""Distances that are looked at at a time, so that memory does not grow with Q."""

STEPS = 1_000_000
"""Distances of vectors are rounded to so many steps, so that ties do not hang on the last digit of a machine's sums."""


@dataclass(frozen=True)
class HashingFigures:
    """What a ranking of a gallery by codes, or by vectors, measured.

    Args:
        preset: 'tie-averaged', 'calc-map-k' or 'calc-top-map'; it is of 'map' and 'map@k' alone.
        metrics: fractions: 'map', 'map@k', 'precision@n'; of codes 'precision_radius_R' too, in which a query that
            finds nothing within the radius counts as 0.
        chance: the expected mAP of a random order, over the same queries.
        queries: Q.
        unmatched: queries without anything relevant. They are in no mean, but that the two other presets count them as
            0 in theirs.
        gallery: G.
        omitted: those k and n that are larger than the gallery, and so were left out.
        ap: float64 [Q], each query's AP over the whole ranking; NaN where nothing is relevant.
        relevant: int64 [Q], relevant items of each query.
        within: float64 [Q], precision within the radius; NaN where nothing is within; empty of vectors.
    """

    preset: HashingPreset
    metrics: Mapping[str, float]
    chance: float
    queries: int
    unmatched: int
    gallery: int
    omitted: tuple[int, ...]
    ap: Floats
    relevant: NDArray[np.int64]
    within: Floats

    @property
    def measured(self) -> int:
        """Queries with something relevant."""
        return self.queries - self.unmatched


@dataclass(frozen=True)
class _Groups:
    """The items of equal distance to a query, in the order of queries and distances; all [T].

    Args:
        query: whose.
        size: how many there are.
        hits: how many of them are relevant.
        before: how many items are nearer.
        hits_before: how many relevant ones are.
    """

    query: NDArray[np.int64]
    size: NDArray[np.int64]
    hits: NDArray[np.int64]
    before: NDArray[np.int64]
    hits_before: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> _Groups:
        return _Groups(*(x[chosen] for x in (self.query, self.size, self.hits, self.before, self.hits_before)))


def average_precision_ties(
    distances: NDArray[Any], relevant: NDArray[np.bool_], k: int | None = None
) -> NDArray[np.float64]:
    """The expected AP of each query over all orders of equal distances, float64 [Q]; NaN where nothing is relevant.

    Args:
        distances: numbers [Q, G], lower is nearer.
        relevant: bool [Q, G].
        k: places that count, of which a query can fill min(k, relevant); all by default.

    Raises:
        ShapeError: the arrays do not fit one another, or a distance is NaN.
        ConfigError: ``k`` is below 1.
    """
    groups = _groups_of(*_checked(distances, relevant, k))
    return _average_precision(groups, relevant.sum(axis=1), k, _harmonic(relevant.shape[1]))


def precision_at_ties(distances: NDArray[Any], relevant: NDArray[np.bool_], n: int) -> NDArray[np.float64]:
    """The expected share of relevant items among the first ``n``, float64 [Q]; of a gallery of fewer, among all.

    Args:
        distances: numbers [Q, G], lower is nearer.
        relevant: bool [Q, G].
        n: places.

    Raises:
        ShapeError: the arrays do not fit one another, or a distance is NaN.
        ConfigError: ``n`` is below 1.
    """
    return _precision(_groups_of(*_checked(distances, relevant, n)), len(relevant), min(n, relevant.shape[1]))


def hashing_figures(
    queries: NDArray[Any],
    gallery: NDArray[Any],
    query_labels: NDArray[np.bool_],
    gallery_labels: NDArray[np.bool_],
    *,
    preset: HashingPreset = "tie-averaged",
    own: NDArray[np.integer] | Sequence[int] | None = None,
    ks: Sequence[int] = (50,),
    ns: Sequence[int] = (100,),
    radius: int = 2,
) -> HashingFigures:
    """Ranks a gallery by Hamming distance of codes, or by the cosine of vectors, and measures the rankings.

    Args:
        queries: packed codes, uint8 [Q, bits / 8], or vectors, float [Q, D]. A vector of zeros is like nothing: its
            cosine is 0.
        gallery: uint8 [G, bits / 8], or float [G, D].
        query_labels: bool [Q, C].
        gallery_labels: bool [G, C], the same columns.
        preset: the rule of 'map' and 'map@k'; everything else is tie-averaged under each.
        own: whole numbers [Q], each query's own row in the gallery, which it does not find; -1 where it is not there.
        ks: places at which mAP is taken.
        ns: places at which precision is taken.
        radius: Hamming distance up to which items count as found, of codes.

    Raises:
        ConfigError: an unknown preset, a k or n below 1, or a negative radius.
        ShapeError: the arrays do not fit one another, or a vector is not finite.
        DataError: there are no queries, or no gallery, or no query has anything relevant.
    """
    _check_settings(preset, ks, ns, radius)
    _check_arrays(queries, gallery, query_labels, gallery_labels)
    q, g, codes = len(queries), len(gallery), queries.dtype == np.uint8
    rows = _own_rows(own, q, g)
    kept = {"k": [k for k in ks if k <= g], "n": [n for n in ns if n <= g]}
    names = ["map", *(f"map@{k}" for k in kept["k"])]
    harmonic = _harmonic(g)
    each: dict[str, list[Floats]] = {}
    relevant, chance = np.zeros(q, np.int64), np.full(q, np.nan)
    for part, distances, hits in _chunks(queries, gallery, query_labels, gallery_labels, rows):
        count, width = hits.sum(axis=1), (distances < _NEVER).sum(axis=1)
        relevant[part] = count
        groups = _counted(distances, hits) if codes else _sorted(distances, hits)
        chance[part] = _average_precision(_one_group(width, count), count, None, harmonic)
        order = None if preset == "tie-averaged" else _in_order(distances, hits)
        for name, k in zip(names, (None, *kept["k"]), strict=True):
            ap = _average_precision(groups, count, k, harmonic) if order is None else _copied(preset, order, k)
            each.setdefault(name, []).append(ap)
        for n in kept["n"]:
            each.setdefault(f"precision@{n}", []).append(_precision(groups, len(count), n))
        if codes:
            each.setdefault("within", []).append(_within(distances, hits, radius))
    if not relevant.any():
        raise DataError(
            f"None of {q} queries shares a label with any of {g} items of the gallery.",
            "Ask for rows whose labels the gallery has too.",
        )
    values = {name: np.concatenate(parts) for name, parts in each.items()}
    within = values.pop("within", np.zeros(0))
    matched = relevant > 0
    everyone = preset != "tie-averaged"
    metrics = {
        name: float(np.where(matched, x, 0).mean() if everyone and name.startswith("map") else x[matched].mean())
        for name, x in values.items()
    }
    if codes:
        metrics[f"precision_radius_{radius}"] = float(np.nan_to_num(within[matched]).mean())
    return HashingFigures(
        preset=preset,
        metrics=metrics,
        chance=float(chance[matched].mean()),
        queries=q,
        unmatched=int((~matched).sum()),
        gallery=g,
        omitted=tuple(sorted({each for each in (*ks, *ns) if each > g})),
        ap=np.where(matched, values["map"], np.nan),
        relevant=relevant,
        within=within,
    )


_NEVER = np.int32(1 << 29)
"""The distance of an item that a query is not asked about, above all that there are."""


def _chunks(
    queries: NDArray[Any],
    gallery: NDArray[Any],
    query_labels: NDArray[np.bool_],
    gallery_labels: NDArray[np.bool_],
    own: NDArray[np.int64],
) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[np.bool_]]]:
    """Some queries at a time: their distances and what is relevant, [q, G]; a query's own row is at ``_NEVER``."""
    codes = queries.dtype == np.uint8
    if not codes:
        queries, gallery = _unit(queries), _unit(gallery)
    theirs = gallery_labels.T.astype(np.float32)
    step = max(1, CHUNK // len(gallery))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        hits = query_labels[part].astype(np.float32) @ theirs > 0
        distances = hamming(queries[part], gallery) if codes else _far(queries[part], gallery)
        mine = np.flatnonzero(own[part] >= 0)
        distances[mine, own[part][mine]] = _NEVER
        hits[mine, own[part][mine]] = False
        yield part, distances, hits


def _far(queries: Floats, gallery: Floats) -> NDArray[np.int32]:
    """1 - cosine in whole millionths, [Q, G]."""
    return np.round((1 - queries @ gallery.T) * STEPS).astype(np.int32)


def _unit(vectors: NDArray[Any]) -> Floats:
    x = vectors.astype(np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(lengths > 0, lengths, 1))


def _groups_of(distances: NDArray[Any], hits: NDArray[np.bool_]) -> _Groups:
    """The groups of distances of any kind, by their ranks."""
    ranks = np.unique(distances, return_inverse=True)[1].reshape(distances.shape)
    return _sorted(ranks.astype(np.int64), hits)


def _sorted(distances: NDArray[np.integer], hits: NDArray[np.bool_]) -> _Groups:
    """The groups by sorting, each distance with whether it is a hit in its last bit; ``_NEVER`` is no candidate."""
    q, g = distances.shape
    keys = np.sort(distances * 2 + ~hits, axis=1)
    near, good = keys >> 1, keys & 1 == 0
    starts = np.ones((q, g), np.bool_)
    starts[:, 1:] = near[:, 1:] != near[:, :-1]
    first = np.flatnonzero(starts)  # over all queries, so that a group ends where the next one begins
    query, before = first // g, first % g
    sums = np.concatenate(([0], np.cumsum(good)))
    ends = np.append(first[1:], q * g)
    groups = _Groups(query, ends - first, sums[ends] - sums[first], before, sums[first] - sums[query * g])
    return groups.where(near.reshape(-1)[first] < _NEVER)


def _counted(distances: NDArray[np.int32], hits: NDArray[np.bool_]) -> _Groups:
    """The groups by counting: there are few distances, and no order is needed."""
    q = len(distances)
    asked = distances < _NEVER
    levels = int(distances.max(initial=0, where=asked)) + 1
    place = np.where(asked, distances, levels) + (levels + 1) * np.arange(q, dtype=np.int32)[:, None]
    shape = (q, levels + 1)
    size = np.bincount(place.reshape(-1), minlength=q * (levels + 1)).reshape(shape)[:, :levels]
    good = np.bincount(place[hits], minlength=q * (levels + 1)).reshape(shape)[:, :levels]
    query, level = np.nonzero(size)
    before, hits_before = np.cumsum(size, axis=1) - size, np.cumsum(good, axis=1) - good
    return _Groups(query, *(x[query, level] for x in (size, good, before, hits_before)))


def _one_group(width: NDArray[np.int64], hits: NDArray[np.int64]) -> _Groups:
    """Everything at one distance: a random order."""
    nothing = np.zeros(len(width), np.int64)
    return _Groups(np.arange(len(width)), width, hits, nothing, nothing)


def _harmonic(length: int) -> Floats:
    """1 + 1/2 + … + 1/n of n from 0 to ``length``."""
    return np.concatenate(([0.0], np.cumsum(1 / np.arange(1, length + 1))))


def _average_precision(groups: _Groups, relevant: NDArray[np.integer], k: int | None, harmonic: Floats) -> Floats:
    """Expected AP, [Q].

    In a group of n items with r hits, after N items with R hits, place i is a hit with probability r/n, and then
    R + 1 + (i - 1)(r - 1)/(n - 1) hits are expected up to it. The sum over i of that, over N + i, is written by the
    harmonic numbers.
    """
    chosen = groups.where((groups.hits > 0) & (groups.before < (k or np.inf)))
    seen = chosen.size if k is None else np.minimum(chosen.size, k - chosen.before)
    share = np.where(chosen.size > 1, (chosen.hits - 1) / np.maximum(chosen.size - 1, 1), 0.0)
    turns = harmonic[chosen.before + seen] - harmonic[chosen.before]
    sums = (chosen.hits_before + 1) * turns + share * (seen - (chosen.before + 1) * turns)
    total = np.bincount(chosen.query, sums * chosen.hits / chosen.size, minlength=len(relevant))
    possible = relevant if k is None else np.minimum(relevant, k)
    return np.where(relevant > 0, total / np.maximum(possible, 1), np.nan)


def _precision(groups: _Groups, queries: int, n: int) -> Floats:
    """Expected share of hits among the first ``n``, [Q]."""
    chosen = groups.where((groups.hits > 0) & (groups.before < n))
    found = chosen.hits * np.minimum(chosen.size, n - chosen.before) / chosen.size
    return np.bincount(chosen.query, found, minlength=queries) / n


def _within(distances: NDArray[np.int32], hits: NDArray[np.bool_], radius: int) -> Floats:
    """The share of hits among the items within the radius, [Q]; NaN where there are none."""
    near = distances <= radius
    found = near.sum(axis=1)
    return np.where(found > 0, (near & hits).sum(axis=1) / np.maximum(found, 1), np.nan)


def _in_order(distances: NDArray[np.int32], hits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which places are hits where equal distances keep the order of the gallery, [q, G]."""
    g = hits.shape[1]
    keys = np.sort(distances.astype(np.int64) * g + np.arange(g), axis=1)
    return np.take_along_axis(hits, keys % g, axis=1)


def _copied(preset: HashingPreset, hits: NDArray[np.bool_], k: int | None) -> Floats:
    """What the two copied functions give of rankings, [q]."""
    rank = np.cumsum(hits, axis=1)
    if preset == "calc-map-k":
        counted = hits & (rank <= (k or hits.shape[1]))
    else:
        counted = hits.copy()
        counted[:, -1 if k is None else k :] = False
    precision = np.where(counted, rank / np.arange(1, hits.shape[1] + 1), 0).sum(axis=1)
    return np.asarray(precision / np.maximum(counted.sum(axis=1), 1))


def _checked(
    distances: NDArray[Any], relevant: NDArray[np.bool_], k: int | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    if k is not None and k < 1:
        raise ConfigError(f"{k} places are asked for.", "Give 1 or more.")
    if distances.ndim != 2 or distances.dtype.kind not in "fiu" or not distances.shape[1]:
        raise ShapeError(f"The distances are {distances.dtype} {distances.shape}; expected numbers [Q, G].")
    if relevant.shape != distances.shape or relevant.dtype != np.bool_:
        raise ShapeError(f"'relevant' is {relevant.dtype} {relevant.shape}; expected bool {distances.shape}.")
    if not np.isfinite(distances).all():
        raise ShapeError("Some distances are not finite; what they come from is broken.")
    return distances, relevant


def _check_settings(preset: str, ks: Sequence[int], ns: Sequence[int], radius: int) -> None:
    if preset not in HASHING_PRESETS:
        raise ConfigError(f"There is no preset '{preset}'.", choose_from(preset, HASHING_PRESETS))
    if min((*ks, *ns, 1)) < 1 or radius < 0:
        raise ConfigError(
            f"Places are {(*ks, *ns)} and the radius is {radius}.", "Places are 1 or more, and no radius is negative."
        )


def _check_arrays(
    queries: NDArray[Any], gallery: NDArray[Any], query_labels: NDArray[Any], gallery_labels: NDArray[Any]
) -> None:
    wanted = "expected packed codes, uint8 [N, bits / 8], or vectors, float [N, D], of one width"
    message = f"Queries are {queries.dtype} {queries.shape} and the gallery {gallery.dtype} {gallery.shape}; {wanted}."
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1] or not queries.shape[1]:
        raise ShapeError(message)
    kinds = {"codes" if x.dtype == np.uint8 else x.dtype.kind for x in (queries, gallery)}
    if kinds not in ({"codes"}, {"f"}):
        raise ShapeError(message)
    if not len(queries) or not len(gallery):
        raise DataError(
            f"There are {len(queries)} queries and {len(gallery)} items in the gallery.",
            "At least one of each is needed.",
        )
    for name, x in (("queries", queries), ("gallery", gallery)):
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            broken = int((~np.isfinite(x).all(axis=1)).sum())
            raise ShapeError(f"{broken} of {len(x)} vectors of the {name} are not finite.")
    for name, labels, rows in (("query", query_labels, queries), ("gallery", gallery_labels, gallery)):
        if labels.shape != (len(rows), gallery_labels.shape[-1]) or labels.dtype != np.bool_:
            raise ShapeError(
                f"'{name}_labels' is {labels.dtype} {labels.shape}; expected bool, a row each of {len(rows)}, and the "
                "same columns in both."
            )


def _own_rows(own: Any, q: int, g: int) -> NDArray[np.int64]:
    if own is None:
        return np.full(q, -1)
    rows = np.asarray(own)
    if rows.shape != (q,) or rows.dtype.kind not in "iu" or (rows >= g).any() or (rows < -1).any():
        raise ShapeError(f"'own' is {rows.dtype} {rows.shape}; expected {q} rows of the gallery, from -1 to {g - 1}.")
    return rows.astype(np.int64)
