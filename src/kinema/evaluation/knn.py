"""The weighted nearest-neighbour classifier: the k nearest training videos vote for their classes.

Features are compared by cosine, without centring; a neighbour of similarity s votes with exp(s / temperature) (Wu et
al. 2018, section 3.4). The preset's name says k and temperature:

    k20-t0.07   20 neighbours, the usual choice since Caron et al. 2021
    k200-t0.07  200 neighbours, as Wu et al. 2018 had it for ImageNet

Where fewer videos than k may vote on some query, all of them would, and the vote would count classes instead of asking
who is near; in a set that asks itself the own class has one voter less and always loses. k is then the mean number of
candidates a class (``KNNFigures.k``).

Where test and training share recordings (one set against itself), videos of the query's own recording do not vote.

Axes: Q test videos, N training videos, C classes, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, DataError
from kinema.evaluation.accuracy import AccuracyFigures, accuracy_of
from kinema.evaluation.features import Array, checked, directions, same_dimensions, siblings
from kinema.evaluation.labels import Vector, class_columns, require_labels

CHUNK = 1 << 24
"""Similarities in memory at a time."""


@dataclass(frozen=True)
class KNNPreset:
    """The settings that a preset's name says.

    Args:
        k: neighbours that vote.
        temperature: by which a similarity is divided before the exponential.
    """

    k: int
    temperature: float


KNN_PRESETS: Mapping[str, KNNPreset] = MappingProxyType(
    {"k20-t0.07": KNNPreset(20, 0.07), "k200-t0.07": KNNPreset(200, 0.07)}
)
"""The presets by name."""


@dataclass(frozen=True)
class KNNFigures:
    """What the classifier came to.

    Args:
        preset: the preset's name.
        accuracy: how right it was.
        k: neighbours that voted: the preset's, or fewer where there are fewer candidates.
        candidates: the fewest videos that might vote on a query.
        voters: the fewest videos that voted on a query.
        hopeless: queries for which no video of their class may vote, so that they count as wrong whatever the features.
    """

    preset: str
    accuracy: AccuracyFigures
    k: int
    candidates: int
    voters: int
    hopeless: int


def vote(
    train_features: Array,
    train_labels: Vector | None,
    test_features: Array,
    test_labels: Vector | None,
    *,
    preset: str = "k20-t0.07",
    train_sources: Vector | None = None,
    test_sources: Vector | None = None,
    names: Sequence[str] | None = None,
    parts: Sequence[int] = (),
    seed: int = 0,
) -> KNNFigures:
    """Names each test video's class by the vote of its nearest training videos.

    Args:
        train_features: float [N, d], or [N, V, d] for windows, whose mean is taken.
        train_labels: whole numbers [N].
        test_features: float [Q, d] or [Q, V, d].
        test_labels: whole numbers [Q].
        preset: 'k20-t0.07' or 'k200-t0.07'.
        train_sources: whole numbers [N], the recordings of the training videos; given with ``test_sources``.
        test_sources: whole numbers [Q]; training videos of a query's own recording do not vote.
        names: the classes' names by label, for messages.
        parts: of features of several encoders side by side, the width of each; the mean of their cosines counts.
        seed: of the bootstrap.

    Raises:
        ConfigError: an unknown preset.
        DataError: labels are missing, training lacks a class of the test, or a query has no voter.
        ShapeError: the arrays do not fit one another, or a feature is not finite.
    """
    if preset not in KNN_PRESETS:
        raise ConfigError(f"There is no knn preset '{preset}'; there are: {', '.join(KNN_PRESETS)}.")
    labels = require_labels(train_labels, "training", "knn")
    test = require_labels(test_labels, "test", "knn")
    x = directions(checked(train_features, "training", len(labels)), centred=False, parts=parts).double()
    q = directions(checked(test_features, "test", len(test)), centred=False, parts=parts).double()
    same_dimensions(x, q)
    classes, columns = class_columns(labels, test, names)
    own = siblings(test_sources, train_sources, len(test), len(labels))
    candidates = len(labels) - (0 if own is None else int(own.sum(1).max()))
    settings = KNN_PRESETS[preset]
    if candidates < settings.k:
        settings = replace(settings, k=max(1, candidates // len(classes)))
    votes, voters = _votes(q, x, torch.searchsorted(classes, labels), len(classes), own, settings)
    hopeless = 0 if own is None else int((~((test[:, None] == labels) & ~own).any(1)).sum())
    accuracy = accuracy_of(votes, columns, classes, seed=seed)
    return KNNFigures(preset, accuracy, settings.k, candidates, voters, hopeless)


def _votes(
    q: Tensor, x: Tensor, columns: Tensor, classes: int, own: Tensor | None, settings: KNNPreset
) -> tuple[Tensor, int]:
    """Float64 [Q, C], the votes, -inf for a class without any; and the fewest that voted on a query."""
    votes, fewest = [], len(x)
    rows = max(1, CHUNK // len(x))
    for start in range(0, len(q), rows):
        s = q[start : start + rows] @ x.T
        if own is not None:
            s = s.masked_fill(own[start : start + rows], -torch.inf)
        near, which = s.sort(dim=1, descending=True, stable=True)
        near, which = near[:, : settings.k], which[:, : settings.k]
        counted = near > -torch.inf
        few = int(counted.sum(1).min())
        if few == 0:
            query = start + int((~counted.any(1)).nonzero()[0])
            raise DataError(
                f"Test video {query} has nobody to vote on it: all {len(x)} training videos are of its own recording.",
                "Give training videos of other recordings than the test's.",
            )
        fewest = min(fewest, few)
        weights = torch.exp(near / settings.temperature)
        sums = torch.zeros(len(s), classes, dtype=torch.float64).scatter_add_(1, columns[which], weights)
        votes.append(sums.masked_fill(sums == 0, -torch.inf))
    return torch.cat(votes), fewest
