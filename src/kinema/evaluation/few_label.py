"""How far a few labels go: the linear probe on a small, class-balanced part of the training videos, drawn often.

A draw takes as many videos of each class, together a share of all, at least one a class (as Chen et al. 2020 took 1 %
and 10 % of ImageNet's labels). Nothing else of the training videos is used: standardisation and penalty come from the
drawn ones. Draws are numbered from 0 and depend on the seed alone, so that encoders are compared on the same labels.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.seeds import seed_at
from kinema.evaluation.accuracy import AccuracyFigures
from kinema.evaluation.features import Array, checked
from kinema.evaluation.labels import Vector, require_labels, training_classes, whole_numbers
from kinema.evaluation.linear import LinearProbe, fit_linear
from kinema.evaluation.splits import few

SHARES = (0.01, 0.1)
"""The usual shares of the labels."""

DRAWS = 5
"""The usual number of draws."""


@dataclass(frozen=True)
class Draw:
    """One draw of labels and the probe that was fitted to it.

    Args:
        rows: int64 [n], the training videos whose labels were used.
        probe: what they came to.
    """

    rows: Tensor
    probe: LinearProbe


def fit_few(
    features: Array,
    labels: Vector | None,
    sources: Vector | None = None,
    *,
    share: float,
    draws: int = DRAWS,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> tuple[Draw, ...]:
    """Fits a probe a draw.

    Args:
        features: float [N, d] or [N, V, d], of all training videos.
        labels: whole numbers [N].
        sources: whole numbers [N], the recordings.
        share: of the labels, above 0 and at most 1.
        draws: how many.
        seed: of the draws.
        names: the classes' names by label, for messages.

    Raises:
        ConfigError: share or draws out of range.
        DataError: labels are missing, there is no video, or one class only.
        ShapeError: the arrays do not fit, or a feature is not finite.
    """
    if draws < 1:
        raise ConfigError(f"There are to be {draws} draws of labels; there must be at least 1.")
    known = require_labels(labels, "training", "few-label")
    training_classes(known, names)
    x = checked(features, "training", len(known))
    recordings = None if sources is None else whole_numbers(sources, "sources")
    if recordings is not None and len(recordings) != len(known):
        raise ShapeError(f"There are {len(known)} training labels and {len(recordings)} sources.")
    found = []
    for number in range(draws):
        rows = few(known, share, seed_at(seed, "draw", number))
        own = None if recordings is None else recordings[rows]
        found.append(Draw(rows, fit_linear(x[rows], known[rows], own, seed=seed, names=names)))
    return tuple(found)


def over_draws(figures: Sequence[AccuracyFigures]) -> tuple[dict[str, float], dict[str, float]]:
    """The mean of each metric over the draws, and its standard deviation (divided by draws - 1; 0 of one draw)."""
    each = {name: [f.metrics[name] for f in figures] for name in figures[0].metrics}
    mean = {name: statistics.fmean(values) for name, values in each.items()}
    return mean, {name: statistics.stdev(v) if len(v) > 1 else 0.0 for name, v in each.items()}
