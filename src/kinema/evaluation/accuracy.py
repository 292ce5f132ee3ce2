"""What every classifying protocol reports: how often the class that is named is the true one.

    accuracy             over all test videos, the one named first
    accuracy_top5        the true one among the five named first; not stated of fewer than six classes
    mean_class_accuracy  the mean over the classes that occur in the test, all of one weight

Of classes with the same score the one with the smaller number is named first: an encoder that distinguishes nothing
names one class for all, and is right by chance. A class with a score of -inf is not named at all.

Axes: Q test videos, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ShapeError
from kinema.evaluation.interval import bootstrap_interval

TOP = 5
"""How many named classes count for 'accuracy_top5'."""


@dataclass(frozen=True)
class AccuracyFigures:
    """How right the named classes are.

    Args:
        metrics: 'accuracy', 'accuracy_top5' (where there are more than five classes) and 'mean_class_accuracy',
            fractions of 1.
        omitted: the metrics that would say nothing, and so were left out.
        interval: 95 % bootstrap interval of the accuracy over the test videos, (low, high).
        per_class: the accuracy of the videos of each class that occurs in the test, by label.
        confusion: int64 [C, C], test videos by their true class (rows) and the class named first (columns).
        classes: int64 [C], the labels of the rows and columns.
        chance: the accuracy expected of classes named at random, 1 / C.
        majority: the accuracy of naming the test's most frequent class every time.
        right: bool [Q], whether the class named first is the true one.
    """

    metrics: Mapping[str, float]
    omitted: tuple[str, ...]
    interval: tuple[float, float]
    per_class: Mapping[int, float]
    confusion: NDArray[np.int64]
    classes: NDArray[np.int64]
    chance: float
    majority: float
    right: NDArray[np.bool_]

    def confused(self, names: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
        """The confusion by name, what never happened left out: {true class: {named class: videos}}."""
        labels = [str(c) if names is None else names[c] for c in self.classes.tolist()]
        return {
            labels[row]: {labels[column]: int(counts[column]) for column in counts.nonzero()[0].tolist()}
            for row, counts in enumerate(self.confusion)
            if counts.any()
        }


def accuracy_of(scores: Tensor, columns: Tensor, classes: Tensor, *, seed: int = 0) -> AccuracyFigures:
    """Compares the classes that are named with the true ones.

    Args:
        scores: float [Q, C], higher is likelier; -inf for a class that is not named.
        columns: int64 [Q], each video's true class as a column of ``scores``.
        classes: int64 [C], the labels of the columns.
        seed: of the bootstrap.

    Raises:
        ShapeError: the arrays do not fit one another, or a score is NaN.
    """
    q, c = len(columns), len(classes)
    if scores.shape != (q, c) or 0 in scores.shape:
        raise ShapeError(f"The scores are {tuple(scores.shape)}; expected [{q}, {c}] with at least one of each.")
    missing = int(scores.isnan().sum())
    if missing:
        raise ShapeError(f"{missing} of {scores.numel()} scores are NaN.")
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :TOP]
    named = (order == columns[:, None]) & (scores.gather(1, order) > -torch.inf)
    hit = named[:, 0]
    confusion = torch.bincount(columns * c + order[:, 0], minlength=c * c).view(c, c)
    videos = confusion.sum(1)
    shown = videos > 0
    by_class = torch.bincount(columns[hit], minlength=c).double()[shown] / videos[shown]
    metrics = {"accuracy": float(hit.double().mean())}
    if c > TOP:
        metrics["accuracy_top5"] = float(named.any(1).double().mean())
    metrics["mean_class_accuracy"] = float(by_class.mean())
    return AccuracyFigures(
        metrics=metrics,
        omitted=() if c > TOP else ("accuracy_top5",),
        interval=bootstrap_interval(hit, seed),
        per_class=dict(zip(classes[shown].tolist(), by_class.tolist(), strict=True)),
        confusion=confusion.numpy(),
        classes=classes.numpy(),
        chance=1 / c,
        majority=float(videos.max() / q),
        right=hit.numpy(),
    )
