"""Nearest-neighbour retrieval: does the video nearest to a query show the same class?

Two presets, whose figures are never put in one column:

    coclr  windows over the whole video; the mean of the backbone features of a video's windows; each split has its
           own mean subtracted; L2 norm; dot product (Han et al. 2020; Wu et al. 2022, after the authors' code)
    vcop   10 uniform clips of a video; the mean of their features; cosine (Xu et al. 2019)

Test queries the training split in both. Where queries and gallery share recordings (one set queried by itself), the
gallery's items of the query's own recording are no candidates.

Axes: Q queries, G gallery items, V windows, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.evaluation.features import Array, checked, directions, siblings
from kinema.evaluation.interval import bootstrap_interval
from kinema.evaluation.labels import Vector, require_labels
from kinema.evaluation.ranking import Ranking, rank

KS = (1, 5, 10, 20, 50)
"""The ranks of both presets."""


@dataclass(frozen=True)
class RetrievalPreset:
    """How one published protocol compares features; which windows it takes them from is said at the head.

    Args:
        name: what a result record calls it.
        centred: whether each split's own mean is subtracted before the norm.
    """

    name: str
    centred: bool


PRESETS: Mapping[str, RetrievalPreset] = MappingProxyType(
    {"coclr": RetrievalPreset("coclr", True), "vcop": RetrievalPreset("vcop", False)}
)
"""The presets by name."""


@dataclass(frozen=True)
class RetrievalFigures:
    """What retrieval measured.

    Args:
        preset: the preset's name.
        metrics: 'r@1', 'r@5', …: fraction of queries with an item of their class among the first k.
        omitted: those k for which some query has fewer candidates; they are not in ``metrics``.
        interval: 95 % bootstrap interval of r@1 over the queries, (low, high).
        per_class: r@1 of the queries of each class, by label.
        chance: r@1 expected of a random order.
        first: int64 [Q], rank of the first item of the query's class; G + 1 where there is none.
        neighbours: int64 [Q, 5], the nearest gallery items, nearest first; -1 where there are fewer.
    """

    preset: str
    metrics: Mapping[str, float]
    omitted: tuple[int, ...]
    interval: tuple[float, float]
    per_class: Mapping[int, float]
    chance: float
    first: NDArray[np.int64]
    neighbours: NDArray[np.int64]


def retrieve(
    query_features: Array,
    gallery_features: Array,
    query_labels: Vector | None,
    gallery_labels: Vector | None,
    *,
    preset: str = "coclr",
    query_sources: Vector | None = None,
    gallery_sources: Vector | None = None,
    parts: Sequence[int] = (),
    seed: int = 0,
) -> RetrievalFigures:
    """Ranks the gallery for every query by the similarity of their features, and compares classes.

    Args:
        query_features: float [Q, d], or [Q, V, d] for windows, whose mean is taken.
        gallery_features: float [G, d] or [G, V, d].
        query_labels: whole numbers [Q].
        gallery_labels: whole numbers [G].
        preset: 'coclr' or 'vcop'.
        query_sources: whole numbers [Q], the recordings of the queries; given with ``gallery_sources`` or not at all.
        gallery_sources: whole numbers [G]; items of the query's own recording are no candidates.
        parts: of features of several encoders side by side, the width of each. Each is centred and scaled by itself, so
            that the gallery is ranked by the sum of the similarities that the encoders find.
        seed: of the bootstrap.

    Raises:
        ConfigError: an unknown preset.
        DataError: labels are missing, or a query has no candidates.
        ShapeError: the arrays do not fit one another, or a feature is not finite.
    """
    if preset not in PRESETS:
        raise ConfigError(f"There is no retrieval preset '{preset}'; there are: {', '.join(PRESETS)}.")
    labels = require_labels(query_labels, "query", "retrieval")
    others = require_labels(gallery_labels, "gallery", "retrieval")
    centred = PRESETS[preset].centred
    queries = directions(checked(query_features, "query", len(labels)), centred=centred, parts=parts)
    gallery = directions(checked(gallery_features, "gallery", len(others)), centred=centred, parts=parts)
    if queries.shape[1] != gallery.shape[1]:
        raise ShapeError(f"Queries have {queries.shape[1]} dimensions and the gallery {gallery.shape[1]}.")
    own = siblings(query_sources, gallery_sources, len(labels), len(others))
    ranking = rank(queries @ gallery.T, labels[:, None] == others, own, KS)
    return _figures(preset, ranking, labels, seed)


def _figures(preset: str, ranking: Ranking, labels: Tensor, seed: int) -> RetrievalFigures:
    hit = ranking.first == 1
    return RetrievalFigures(
        preset=preset,
        metrics={f"r@{k}": value for k, value in ranking.recall.items()},
        omitted=ranking.omitted,
        interval=bootstrap_interval(hit, seed),
        per_class={int(c): float(hit[labels == c].double().mean()) for c in torch.unique(labels)},
        chance=ranking.chance,
        first=ranking.first.numpy(),
        neighbours=ranking.order.numpy(),
    )
