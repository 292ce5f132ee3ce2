"""How good tags are: precision, recall and F1 of the first three labels that a classifier gives.

Every row is given its ``top`` labels of the highest score. Of class c, N_c of the rows that are given it have it, P_c
rows are given it, and T_c rows have it. Two means are customary (Gong et al. 2013, "Deep convolutional ranking for
multilabel image annotation"; Wang et al. 2016, "CNN-RNN"):

    per class   precision = mean of N_c / P_c, recall = mean of N_c / T_c, F1 = their harmonic mean
    overall     precision = sum N_c / sum P_c, recall = sum N_c / sum T_c, F1 = their harmonic mean

Papers differ in which classes the first counts, by points, and seldom say so. Here a class counts if a row of the test
has it (without one its recall is 0/0), and the precision of one that is given to nobody is 0. 'given_precision' is the
other custom: the mean over the classes that are given to somebody, which is kinder to a classifier that never dares.
'mean_f1' is the mean of the classes' own F1, which is not the F1 of the two means.

All rows are given ``top`` labels, also those that have fewer, so that 1 cannot be reached: 'best_f1' is the overall F1
of a classifier that makes no mistake. Labels of equal score at the border are given by their share: of four equal ones
for one place, each a quarter. A classifier that says the same of all has the figures of chance.

Axes: N rows, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError

TOP = 3
"""Labels that a row is given."""


@dataclass(frozen=True)
class TaggingFigures:
    """What tagging measured.

    Args:
        metrics: 'precision', 'recall', 'f1' over all labels; 'class_precision', 'class_recall', 'class_f1' over the
            classes; 'given_precision', 'mean_f1' and 'best_f1'. Fractions.
        top: labels that each row was given.
        rows: those that have a label, which are measured.
        unlabelled: rows without a label, which are in no figure.
        classes: how many classes count: those that a row has.
        untested: columns of the classes that no row has.
        never: how many of the classes that count are given to no row.
        per_class: float64 [C, 2], precision and recall; NaN where 0/0.
    """

    metrics: Mapping[str, float]
    top: int
    rows: int
    unlabelled: int
    classes: int
    untested: tuple[int, ...]
    never: int
    per_class: NDArray[np.float64]


def tagging_figures(scores: NDArray[np.floating], labels: NDArray[np.bool_], *, top: int = TOP) -> TaggingFigures:
    """Compares the ``top`` labels of the highest scores with those that rows have.

    Args:
        scores: float [N, C], higher is likelier.
        labels: bool [N, C], the same columns.
        top: labels that a row is given; all of fewer.

    Raises:
        ConfigError: ``top`` is below 1.
        ShapeError: the arrays do not fit one another, or a score is NaN.
        DataError: no row has a label.
    """
    if top < 1:
        raise ConfigError(f"top is {top}.", "Give 1 or more; 3 is customary.")
    if scores.ndim != 2 or scores.dtype.kind != "f" or labels.shape != scores.shape or labels.dtype != np.bool_:
        raise ShapeError(
            f"Scores are {scores.dtype} {scores.shape} and labels {labels.dtype} {labels.shape}; expected float and "
            "bool [N, C]."
        )
    if np.isnan(scores).any():
        raise ShapeError(f"Scores of {int(np.isnan(scores).any(axis=1).sum())} of {len(scores)} rows are NaN.")
    having = labels.any(axis=1)
    if not having.any():
        raise DataError(f"None of {len(labels)} rows has a label.", "Tags are measured on rows with labels.")
    truth = labels[having]
    given = _given(scores[having], min(top, scores.shape[1]))
    right, predicted, present = (given * truth).sum(axis=0), given.sum(axis=0), truth.sum(axis=0)
    counts = present > 0
    precision, recall = _over(right, predicted), _over(right, present)
    own = np.nan_to_num(precision[counts])
    overall = (float(right.sum() / predicted.sum()), float(right.sum() / present.sum()))
    by_class = (float(own.mean()), float(recall[counts].mean()))
    perfect = np.minimum(truth.sum(axis=1), min(top, scores.shape[1])).sum()
    return TaggingFigures(
        metrics={
            "precision": overall[0],
            "recall": overall[1],
            "f1": _harmonic_mean(*overall),
            "class_precision": by_class[0],
            "class_recall": by_class[1],
            "class_f1": _harmonic_mean(*by_class),
            "given_precision": float(precision[predicted > 0].mean()),
            "mean_f1": float(np.mean([_harmonic_mean(p, r) for p, r in zip(own, recall[counts], strict=True)])),
            "best_f1": _harmonic_mean(float(perfect / predicted.sum()), float(perfect / present.sum())),
        },
        top=min(top, scores.shape[1]),
        rows=int(having.sum()),
        unlabelled=int((~having).sum()),
        classes=int(counts.sum()),
        untested=tuple(np.flatnonzero(~counts).tolist()),
        never=int((counts & (predicted == 0)).sum()),
        per_class=np.stack([precision, recall], axis=1),
    )


def _given(scores: NDArray[np.floating], top: int) -> NDArray[np.float64]:
    """How much of each label a row is given, float64 [N, C] from 0 to 1; ``top`` a row."""
    border = -np.partition(-scores, top - 1, axis=1)[:, top - 1 : top]
    above, level = scores > border, scores == border
    share = (top - above.sum(axis=1, keepdims=True)) / level.sum(axis=1, keepdims=True)
    return np.where(above, 1.0, np.where(level, share, 0.0))


def _over(a: NDArray[np.floating], b: NDArray[np.number]) -> NDArray[np.float64]:
    return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0
