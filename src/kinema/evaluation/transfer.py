"""SentEval's transfer protocol (Conneau and Kiela 2018): logistic regression on vectors that stay as they are.

The strength of the L2 penalty, scikit-learn's C (larger is weaker), is chosen where the test cannot be seen, of equal
ones the strongest:

    no parts           ten stratified folds; each is tested once by a classifier fitted on the other nine, whose C is
                       chosen by cross-validation among those nine. The accuracy is the mean over the folds.
    train, dev, test   C is chosen on dev, the classifier fitted on train alone
    train, test        C is chosen by ten folds of train

The preset says what goes in and which C are tried:

    senteval      the vectors as they are, C of 1/4, 1/2, 1, … 32: all that SentEval tries with scikit-learn
    standardised  each dimension less its mean and divided by its deviation in what is fitted, C of .0001, .001, … 1

Departures from SentEval: it splits the nine training folds into ten again, here they are the inner folds themselves, so
that a fit without folds i and j serves both; it has two grids of C (to 8, for TREC 1/2 to 32), here one holds both; its
solver was liblinear, which penalises the bias too, or stochastic gradient descent (``usepytorch``). Fits that choose C
start from the fit of the C before.

Axes: N sentences, d dimensions, C classes, K folds.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.ops import bootstrap_of_mean

Rows = NDArray[np.intp]

FOLDS = 10
"""K, of the outer cross-validation and of the choice of C on a training part."""

FOLD_SEED = 1111
"""Of the folds, SentEval's: every encoder gets the same folds."""

TOLERANCE = 1e-4
"""Of the solver: the largest entry of the gradient of the mean loss at which a fit has converged; scikit-learn's."""

MAX_ITERATIONS = 2000
"""Of the solver; a fit that has not converged by then is counted."""


@dataclass(frozen=True)
class TransferPreset:
    """The settings that a preset's name says.

    Args:
        grid: the C that are tried, from the strongest penalty to the weakest.
        standardise: whether each dimension is scaled to mean 0 and deviation 1 in the rows that are fitted.
    """

    grid: tuple[float, ...]
    standardise: bool


TRANSFER_PRESETS: Mapping[str, TransferPreset] = MappingProxyType(
    {
        "senteval": TransferPreset(tuple(2.0**power for power in range(-2, 6)), standardise=False),
        "standardised": TransferPreset((1e-4, 1e-3, 1e-2, 1e-1, 1.0), standardise=True),
    }
)
"""The presets by name."""


@dataclass(frozen=True)
class TransferFigures:
    """How right the named classes are.

    Args:
        accuracy: the mean over the folds, or over the test part.
        folds: the accuracy of each fold; of a test part, the one.
        penalties: the C that was chosen for each.
        interval: 95 % bootstrap interval of the accuracy over the tested sentences, (low, high).
        tested: int [Q], the rows that were tested, in ascending order.
        right: bool [Q], whether the class named was the true one.
        chance: 1 / C.
        majority: the accuracy of naming the most frequent class of the tested sentences.
        unconverged: final fits that were stopped before they had converged.
    """

    accuracy: float
    folds: tuple[float, ...]
    penalties: tuple[float, ...]
    interval: tuple[float, float]
    tested: Rows
    right: NDArray[np.bool_]
    chance: float
    majority: float
    unconverged: int


def transfer_figures(
    features: Any,
    labels: Sequence[int] | NDArray[np.integer],
    parts: Sequence[str] | None = None,
    *,
    preset: str = "senteval",
    seed: int = 0,
) -> TransferFigures:
    """Fits and tests the classifier.

    Args:
        features: float [N, d], an array or (without standardising) a sparse matrix of scipy.
        labels: whole numbers [N].
        parts: N names, 'train', 'test' and perhaps 'dev'; ten folds where they are not given.
        preset: 'senteval' or 'standardised'.
        seed: of the bootstrap; the folds do not depend on it.

    Raises:
        ConfigError: an unknown preset, or sparse features that are to be standardised.
        DataError: there are too few sentences of a class for the folds, fewer than two classes, no training or test
            part, or the test has a class that training lacks.
        ShapeError: the arrays do not fit one another, or a feature is not finite.
    """
    if preset not in TRANSFER_PRESETS:
        raise ConfigError(f"There is no transfer preset '{preset}'; there are: {', '.join(TRANSFER_PRESETS)}.")
    settings, x, y = TRANSFER_PRESETS[preset], *_checked(features, labels)
    if settings.standardise and not isinstance(x, np.ndarray):
        raise ConfigError("Sparse features cannot be standardised.", "Take the preset 'senteval'.")
    if parts is None:
        return _cross_validated(x, y, settings, seed)
    return _on_parts(x, y, np.asarray(parts, dtype=object), settings, seed)


def interval_of_mean(figures: Sequence[TransferFigures], seed: int = 0, resamples: int = 10_000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean accuracy of several tasks, each resampled by itself."""
    rng = np.random.default_rng(seed)
    drawn = [rng.binomial(len(f.right), f.right.mean(), resamples) / len(f.right) for f in figures]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _cross_validated(x: Any, y: NDArray[np.int64], settings: TransferPreset, seed: int) -> TransferFigures:
    """Ten folds. C for fold i is chosen by the other nine: for each j of them, fitted without i and j, tested on j."""
    folds = _folds(y)
    held = np.zeros((FOLDS, FOLDS, len(settings.grid)), dtype=np.int64)
    for i in range(FOLDS):
        for j in range(i + 1, FOLDS):
            fitted = np.concatenate([folds[k] for k in range(FOLDS) if k not in (i, j)])
            held[j, i], held[i, j] = _path(x, y, np.sort(fitted), (folds[i], folds[j]), settings)
    right, accuracies, penalties, unconverged = np.zeros(len(y), dtype=bool), [], [], 0
    for i, fold in enumerate(folds):
        chosen = settings.grid[int(held[i].sum(0).argmax())]
        training = np.setdiff1d(np.arange(len(y)), fold)
        right[fold], converged = _fit_and_test(x, y, training, fold, chosen, settings)
        accuracies.append(float(right[fold].mean()))
        penalties.append(chosen)
        unconverged += not converged
    return _figures(y, np.arange(len(y)), right, accuracies, penalties, unconverged, seed)


def _on_parts(
    x: Any, y: NDArray[np.int64], parts: NDArray[np.object_], settings: TransferPreset, seed: int
) -> TransferFigures:
    """A training part, a test part, and C chosen on a development part or by ten folds of training."""
    unknown = sorted({str(part) for part in parts} - {"train", "dev", "test"})
    if len(parts) != len(y) or unknown:
        named = ", ".join(unknown) or "none"
        raise ShapeError(f"There are {len(parts)} parts for {len(y)} labels; unknown ones: {named}.")
    training, dev, test = (np.flatnonzero(parts == part) for part in ("train", "dev", "test"))
    if not len(test):
        raise DataError("No sentence is of the part 'test'.")
    _check_classes(y[training], y[np.concatenate([dev, test])])
    if len(dev):
        (held,) = _path(x, y, training, (dev,), settings)
    else:
        folds = [training[fold] for fold in _folds(y[training])]
        held = np.sum([_path(x, y, np.setdiff1d(training, fold), (fold,), settings)[0] for fold in folds], axis=0)
    chosen = settings.grid[int(held.argmax())]
    right, converged = _fit_and_test(x, y, training, test, chosen, settings)
    return _figures(y, test, right, [float(right.mean())], [chosen], int(not converged), seed)


def _figures(
    y: NDArray[np.int64],
    tested: Rows,
    right: NDArray[np.bool_],
    accuracies: Sequence[float],
    penalties: Sequence[float],
    unconverged: int,
    seed: int,
) -> TransferFigures:
    return TransferFigures(
        accuracy=float(np.mean(accuracies)),
        folds=tuple(accuracies),
        penalties=tuple(penalties),
        interval=bootstrap_of_mean(right, seed),
        tested=tested,
        right=right,
        chance=1 / len(np.unique(y)),
        majority=float(np.bincount(y[tested]).max() / len(tested)),
        unconverged=unconverged,
    )


def _checked(features: Any, labels: Sequence[int] | NDArray[np.integer]) -> tuple[Any, NDArray[np.int64]]:
    """Features as float64 [N, d] or CSR, labels as classes numbered from 0."""
    sparse = hasattr(features, "tocsr")
    x = features.tocsr().astype(np.float64) if sparse else np.asarray(features, dtype=np.float64)
    y = np.asarray(labels)
    if x.ndim != 2 or y.ndim != 1 or x.shape[0] != len(y) or 0 in x.shape or not np.issubdtype(y.dtype, np.integer):
        raise ShapeError(f"Features {x.shape} and labels {y.dtype} {y.shape}; expected [N, d] and N whole numbers.")
    finite = np.isfinite(x.data) if sparse else np.isfinite(x)
    if not finite.all():
        raise ShapeError(f"{int((~finite).sum())} entries of the features are not finite.")
    return x, np.unique(y, return_inverse=True)[1].astype(np.int64)


def _check_classes(training: NDArray[np.int64], others: NDArray[np.int64]) -> None:
    if len(np.unique(training)) < 2:
        raise DataError(f"There are {len(training)} training sentences of one class; a classifier needs two.")
    lacking = sorted(set(others.tolist()) - set(training.tolist()))
    if lacking:
        raise DataError(f"Training has no sentence of {len(lacking)} classes of the test.")


def _folds(y: NDArray[np.int64]) -> list[Rows]:
    """The rows of each stratified fold, shuffled by SentEval's seed."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.unique(y, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < FOLDS:
        raise DataError(
            f"{len(y)} sentences of {len(counts)} classes, {counts.min() if len(counts) else 0} of the rarest; {FOLDS} "
            f"folds need two classes with {FOLDS} sentences at least."
        )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=FOLD_SEED)
    return [fold for _, fold in folds.split(np.zeros(len(y)), y)]


def _classifier(**settings: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(tol=TOLERANCE, max_iter=MAX_ITERATIONS, **settings)


def _fit(classifier: Any, x: Any, y: NDArray[np.int64]) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(x, y)


def _scaled(x: Any, training: Rows, others: Sequence[Rows], settings: TransferPreset) -> list[Any]:
    """The training rows and then the other ones; standardised by the training rows where the settings say so."""
    parts = [x[rows] for rows in (training, *others)]
    if not settings.standardise:
        return parts
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(parts[0])
    return [scaler.transform(part) for part in parts]


def _path(
    x: Any, y: NDArray[np.int64], training: Rows, tests: Sequence[Rows], settings: TransferPreset
) -> list[NDArray[np.int64]]:
    """How many of each of ``tests`` are named rightly by C, fitted on ``training``; a fit begins where the last ended.

    Whole numbers, since equal ones have to be equal for the strongest penalty to be taken.
    """
    fitted, *scaled = _scaled(x, training, tests, settings)
    classifier = _classifier(warm_start=True)
    found = [np.zeros(len(settings.grid), dtype=np.int64) for _ in tests]
    for number, penalty in enumerate(settings.grid):
        _fit(classifier.set_params(C=penalty), fitted, y[training])
        for each, rows, hits in zip(scaled, tests, found, strict=True):
            hits[number] = np.sum(classifier.predict(each) == y[rows])
    return found


def _fit_and_test(
    x: Any, y: NDArray[np.int64], training: Rows, test: Rows, penalty: float, settings: TransferPreset
) -> tuple[NDArray[np.bool_], bool]:
    """Whether each test row's class was named, and whether the fit converged."""
    fitted, scaled = _scaled(x, training, (test,), settings)
    classifier = _fit(_classifier(C=penalty), fitted, y[training])
    right: NDArray[np.bool_] = classifier.predict(scaled) == y[test]
    return right, int(np.max(classifier.n_iter_)) < MAX_ITERATIONS
