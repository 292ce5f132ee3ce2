"""The linear probe: logistic regression on features that stay as they are.

The features are standardised by the mean and deviation of the videos that are fitted. What is minimised over weights W
[C, d] and biases b [C] is

    mean over videos of cross-entropy(softmax(W x + b), class)  +  penalty / 2 · |W|²

by SciPy's full-batch L-BFGS in float64, to convergence, along the features' principal axes, each scaled by how strongly
the loss bends there: the dimensions of real features are so alike that plain coordinates, those of scikit-learn's
LogisticRegression, take several times as long.

The penalty is the one of a fixed grid that names most of the held-out videos rightly (of equal ones the strongest):
whole recordings, a fifth of each class, held out of the TRAINING videos. Then all training videos are fitted with it.
Where the training videos cannot spare recordings of two classes, the penalty is ``DEFAULT_PENALTY``, and the probe says
so. :func:`fit_linear` never sees a test video.

Axes: N videos, C classes, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import ShapeError
from kinema.evaluation.accuracy import AccuracyFigures, accuracy_of
from kinema.evaluation.features import FLAT, Array, checked, same_dimensions
from kinema.evaluation.labels import Vector, class_columns, require_labels, training_classes, whole_numbers
from kinema.evaluation.splits import hold_out

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
"""The grid, from strong to weak."""

DEFAULT_PENALTY = 0.01
"""The penalty where none can be chosen."""

HELD_OUT = 0.2
"""The share of the training videos on which the penalty is chosen."""

GRADIENT = 1e-7
"""The fit has converged when no entry of the gradient, along the scaled axes, is larger.

Weights are then known to some 1e-5. Below 1e-8 the loss, in float64, no longer distinguishes steps.
"""

STEPS = 3000
"""Steps after which a fit that has not converged is left as it is."""


@dataclass(frozen=True)
class LinearProbe:
    """A fitted classifier.

    Args:
        weight: float64 [C, d], for standardised features.
        bias: float64 [C].
        mean: float64 [d], of the fitted videos.
        deviation: float64 [d], of the fitted videos; infinite for a dimension in which they do not differ.
        labels: int64 [N], the labels that were fitted.
        penalty: the strength of the penalty.
        grid: held-out accuracy by penalty; empty where the penalty is the default.
        held_out: how many training videos were held out to choose it.
        gradient: the largest entry of the gradient at the end, along the scaled axes.
        names: the classes' names by label, for messages.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    deviation: Tensor
    labels: Tensor
    penalty: float
    grid: Mapping[float, float]
    held_out: int
    gradient: float
    names: Sequence[str] | None = None

    @property
    def converged(self) -> bool:
        """Whether the fit came to its end."""
        return self.gradient <= GRADIENT

    def scores(self, features: Tensor) -> Tensor:
        """Float64 [N, d] to log-odds [N, C]."""
        return (features - self.mean) / self.deviation @ self.weight.T + self.bias

    def judge(self, features: Array, labels: Vector | None, *, seed: int = 0) -> AccuracyFigures:
        """How right it is on videos that it has not seen.

        Args:
            features: float [Q, d], or [Q, V, d] for windows, whose mean is taken.
            labels: whole numbers [Q].
            seed: of the bootstrap.

        Raises:
            DataError: labels are missing, or of a class that was not fitted.
            ShapeError: the arrays do not fit, or a feature is not finite.
        """
        test = require_labels(labels, "test", "the linear probe")
        x = checked(features, "test", len(test))
        same_dimensions(self.mean[None], x)
        classes, columns = class_columns(self.labels, test, self.names)
        return accuracy_of(self.scores(x), columns, classes, seed=seed)


def fit_linear(
    features: Array,
    labels: Vector | None,
    sources: Vector | None = None,
    *,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> LinearProbe:
    """Fits the probe to training videos, the penalty chosen among them.

    Args:
        features: float [N, d], or [N, V, d] for windows, whose mean is taken.
        labels: whole numbers [N].
        sources: whole numbers [N], the recordings; each video its own where they are not given.
        seed: of what is held out to choose the penalty.
        names: the classes' names by label, for messages.

    Raises:
        DataError: labels are missing, there is no video, or one class only.
        ShapeError: the arrays do not fit, or a feature is not finite.
    """
    known = require_labels(labels, "training", "the linear probe")
    classes = training_classes(known, names)
    x = checked(features, "training", len(known))
    recordings = torch.arange(len(known)) if sources is None else whole_numbers(sources, "sources")
    if len(recordings) != len(known):
        raise ShapeError(f"There are {len(known)} training labels and {len(recordings)} sources.")
    columns = torch.searchsorted(classes, known)
    held = hold_out(known, recordings, HELD_OUT, seed)
    grid: dict[float, float] = {}
    if len(torch.unique(known[held])) >= 2:
        grid = _try(x[~held], columns[~held], x[held], columns[held], len(classes))
    penalty = max(grid, key=lambda p: (grid[p], p)) if grid else DEFAULT_PENALTY
    mean, deviation = _standard(x)
    axes = _Axes((x - mean) / deviation, columns, len(classes))
    turned, gradient = axes.minimise(penalty, axes.start())
    weight, bias = axes.back(turned)
    return LinearProbe(
        weight=weight,
        bias=bias,
        mean=mean,
        deviation=deviation,
        labels=known,
        penalty=penalty,
        grid=grid,
        held_out=int(held.sum()) if grid else 0,
        gradient=gradient,
        names=names,
    )


def _try(x: Tensor, columns: Tensor, held: Tensor, true: Tensor, classes: int) -> dict[float, float]:
    """Accuracy on the held-out videos by penalty; each fit begins where the stronger one ended."""
    mean, deviation = _standard(x)
    x, held = (x - mean) / deviation, (held - mean) / deviation
    axes, found = _Axes(x, columns, classes), {}
    turned = axes.start()
    for penalty in PENALTIES:
        turned, _ = axes.minimise(penalty, turned)
        weight, bias = axes.back(turned)
        named = (held @ weight.T + bias).argmax(1)
        found[penalty] = float((named == true).double().mean())
    return found


def _standard(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation by dimension; one in which the videos differ by rounding only is divided away."""
    deviation = x.std(0, correction=0)
    return x.mean(0), torch.where(deviation > FLAT * x.abs().amax(0), deviation, torch.inf)


class _Axes:
    """Standardised features along their principal axes, without the axes of no variance.

    The penalty is the same in rotated coordinates, and a minimum has no weight where there is no variance, so the fit
    is that of the features themselves.

    Args:
        x: float64 [N, d], of mean zero.
        columns: int64 [N], the classes.
        classes: C.
    """

    def __init__(self, x: Tensor, columns: Tensor, classes: int) -> None:
        spread, axes = torch.linalg.eigh(x.T @ x / len(x))
        used = spread > 1e-12 * spread.max().clamp_min(torch.finfo(x.dtype).tiny)
        self._axes, self._spread = axes[:, used], spread[used]
        self._z, self._columns, self._classes = x @ self._axes, columns, classes

    def start(self) -> Tensor:
        """Float64 [C, r + 1], nothing yet: the weights along the r axes and, last, the biases."""
        return torch.zeros(self._classes, len(self._spread) + 1, dtype=torch.float64)

    def back(self, turned: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [C, d] and biases [C] for the standardised features."""
        return turned[:, :-1] @ self._axes.T, turned[:, -1].clone()

    def minimise(self, penalty: float, start: Tensor) -> tuple[Tensor, float]:
        """The minimum, float64 [C, r + 1], and the largest entry of the gradient there along the scaled axes."""
        from scipy.optimize import minimize

        bend = torch.cat([self._spread / self._classes + penalty, self._spread.new_tensor([1 / self._classes])])
        scale = bend.rsqrt()
        z, true = self._z * scale[:-1], torch.nn.functional.one_hot(self._columns, self._classes).double()

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            """The loss and its gradient at the scaled weights."""
            v = torch.from_numpy(flat).view(start.shape)
            weight, bias = v[:, :-1] * scale[:-1].square(), v[:, -1] * scale[-1]
            named = torch.addmm(bias, z, v[:, :-1].T).log_softmax(1)
            value = penalty / 2 * (v[:, :-1] * weight).sum() - (true * named).sum() / len(z)
            off = (named.exp_() - true).div_(len(z))
            slope = torch.cat([off.T @ z + penalty * weight, off.sum(0)[:, None] * scale[-1]], 1)
            return float(value), slope.flatten().numpy()

        result = minimize(
            loss,
            (start / scale).flatten().numpy(),
            jac=True,
            method="L-BFGS-B",
            options={"maxcor": 20, "maxiter": STEPS, "maxfun": 2 * STEPS, "gtol": GRADIENT, "ftol": 0.0},
        )
        return torch.from_numpy(result.x).view(start.shape) * scale, float(abs(result.jac).max())
