"""Semantic textual similarity: does the cosine of two sentences follow the similarity that people gave them?

Two aggregates of a year that consists of subsets, which papers mix up; the preset's name says which it is:

    all   the pairs of all subsets pooled, one correlation (Gao et al. 2021, SimCSE)
    mean  a correlation a subset, their unweighted mean (SentEval's 'mean'; what the script of DeCLUTR takes, Giorgi et
          al. 2021)

They differ since subsets have different levels of similarity, which 'all' counts and 'mean' does not. Of one subset
they are the same. Spearman gives ties the mean of their ranks. An encoder for which all pairs are equally similar gives
no order: its correlation is 0 by definition here, where the formula has none.

Axes: N pairs, d dimensions, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap, rankdata

from kinema.core.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float64]

STS_PRESETS = ("mean", "all")
"""The aggregates by name."""

FLAT = 1e-6
"""Similarities that differ by no more than this fraction of the largest are rounding, and taken as equal."""

RESAMPLES = 1000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Correlations:
    """The correlations of one subset.

    Args:
        pairs: how many pairs it has.
        spearman: of ranks, from -1 to 1.
        pearson: of the values themselves.
    """

    pairs: int
    spearman: float
    pearson: float


@dataclass(frozen=True)
class STSFigures:
    """How far cosine and gold score agree.

    Args:
        preset: the aggregate, 'all' or 'mean'.
        metrics: 'spearman', then 'pearson', from -1 to 1.
        interval: 95 % bootstrap interval of Spearman over the pairs, (low, high); pairs are drawn subset by subset
            where the aggregate is 'mean'.
        per_subset: the correlations of each subset, whatever the aggregate.
    """

    preset: str
    metrics: Mapping[str, float]
    interval: tuple[float, float]
    per_subset: Mapping[str, Correlations]


def cosine_similarities(first: ArrayLike, second: ArrayLike) -> Floats:
    """The cosine of each pair of rows, float64 [N].

    Args:
        first: float [N, d].
        second: float [N, d].

    Returns:
        From -1 to 1; 0 where a vector is zero, which is like nothing.

    Raises:
        ShapeError: the arrays are not of one shape [N, d], or hold a value that is not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or 0 in a.shape:
        raise ShapeError(f"The embeddings of the pairs are {a.shape} and {b.shape}; expected [N, d] twice.")
    bad = int((~(np.isfinite(a) & np.isfinite(b))).any(1).sum())
    if bad:
        raise ShapeError(f"The embeddings of {bad} of {len(a)} pairs are not finite.")
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: Floats = np.clip((a * b).sum(1) / np.where(length > 0, length, 1), -1, 1)
    return cosines


def sts_figures(
    similarities: ArrayLike,
    scores: ArrayLike,
    subsets: Sequence[str] | None = None,
    *,
    preset: str = "mean",
    seed: int = 0,
) -> STSFigures:
    """Correlates similarities with gold scores.

    Args:
        similarities: float [N], of any scale that grows with likeness.
        scores: float [N], gold.
        subsets: N names; all pairs are of one subset where they are not given.
        preset: 'mean' or 'all'.
        seed: of the bootstrap.

    Raises:
        ConfigError: an unknown preset.
        DataError: a subset has fewer than two pairs, or one gold score for all of its pairs.
        ShapeError: the arrays do not fit one another, or a value is not finite.
    """
    if preset not in STS_PRESETS:
        raise ConfigError(f"There is no sts preset '{preset}'; there are: {', '.join(STS_PRESETS)}.")
    x, y = np.asarray(similarities, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    names = np.asarray(["pairs"] * len(x) if subsets is None else subsets, dtype=object)
    if x.ndim != 1 or x.shape != y.shape or x.shape != names.shape:
        raise ShapeError(f"{x.shape} similarities, {y.shape} scores and {names.shape} subsets; expected N of each.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ShapeError("A similarity or a score is not finite.")
    rows = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}
    for name, which in rows.items():
        if len(which) < 2 or len(np.unique(y[which])) < 2:
            raise DataError(
                f"'{name}': {len(which)} pairs with {len(np.unique(y[which]))} different scores; a correlation needs "
                "two pairs with two scores at least."
            )
    per_subset = {
        name: Correlations(len(which), float(_spearman(x[which], y[which])), float(_pearson(x[which], y[which])))
        for name, which in rows.items()
    }
    parts = [*rows.values()] if preset == "mean" else [np.arange(len(x))]
    return STSFigures(
        preset=preset,
        metrics={
            "spearman": float(np.mean([_spearman(x[part], y[part]) for part in parts])),
            "pearson": float(np.mean([_pearson(x[part], y[part]) for part in parts])),
        },
        interval=_interval(x, y, parts, seed),
        per_subset=per_subset,
    )


def _interval(x: Floats, y: Floats, parts: Sequence[NDArray[np.intp]], seed: int) -> tuple[float, float]:
    """Percentile interval of the mean of Spearman's correlations of the parts, each part resampled by itself."""

    def statistic(*drawn: NDArray[np.intp], axis: int = -1) -> Any:
        assert axis == -1, "scipy resamples along the last axis"
        return np.mean([_spearman(x[rows], y[rows]) for rows in drawn], axis=0)

    found = bootstrap(
        parts,
        statistic,
        n_resamples=RESAMPLES,
        batch=100,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _spearman(x: Floats, y: Floats) -> Floats:
    """Along the last axis, ties with the mean of their ranks; 0 where ``x`` or ``y`` is constant."""
    ranks = np.where(_flat(x)[..., None], 0.0, rankdata(x, axis=-1))
    return _pearson(ranks, rankdata(y, axis=-1))


def _pearson(x: Floats, y: Floats) -> Floats:
    """Along the last axis; 0 where ``x`` or ``y`` is constant."""
    flat = _flat(x) | _flat(y)
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    product = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return np.where(flat, 0.0, (x * y).sum(-1) / np.where(flat | (product == 0), 1.0, product))


def _flat(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(values, axis=-1) <= FLAT * np.abs(values).max(-1))
