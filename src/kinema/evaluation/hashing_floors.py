"""What stands beside learnt codes: codes by chance, random hyperplanes, a learnt rotation, and a linear classifier.

    random_codes  says nothing of an item; its mAP is what the labels alone give.
    lsh_codes     on which side of random hyperplanes a vector lies (Charikar 2002).
    itq_codes     PCA, turned until the signs lose least (Gong and Lazebnik 2011).
    ridge         labels from features by least squares: a ceiling of what a linear reading of them can rank.

Codes are packed, as everywhere (:mod:`kinema.core.codes`).

Axes: N rows, F features, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.codes import Codes, pack
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.seeds import seed_at

Floats = NDArray[np.floating]

TURNS = 50
"""Steps of ITQ, as in its paper."""


def random_codes(rows: int, bits: int, *, seed: int = 0) -> Codes:
    """Codes that say nothing, uint8 [rows, bits / 8]: every bit is 1 with probability 1/2.

    Args:
        rows: how many.
        bits: a multiple of 8.
        seed: of the draw; give queries and gallery different ones.

    Raises:
        ConfigError: bits are no multiple of 8.
    """
    _check_bits(bits)
    return _drawn(seed, "random").integers(0, 256, (rows, bits // 8), dtype=np.uint8)


def lsh_codes(fitted: Floats, others: Sequence[Floats], bits: int, *, seed: int = 0) -> list[Codes]:
    """On which side of random hyperplanes vectors lie, uint8 [N, bits / 8] a set.

    The hyperplanes go through the mean of the fitted vectors: where all vectors lie to one side of zero, most
    hyperplanes through zero would tell nothing apart.

    Args:
        fitted: float [N, F], of which the mean is taken.
        others: sets of vectors that get codes by the same hyperplanes, float [N, F] each.
        bits: a multiple of 8.
        seed: of the hyperplanes.

    Raises:
        ConfigError: bits are no multiple of 8.
        ShapeError: vectors are not of one width, or not finite.
        DataError: there are no fitted vectors.
    """
    _check_bits(bits)
    _check_vectors(fitted, others)
    centre = fitted.mean(axis=0, dtype=np.float64)
    planes = _drawn(seed, "lsh").standard_normal((fitted.shape[1], bits))
    return [pack((each - centre) @ planes) for each in others]


def itq_codes(fitted: Floats, others: Sequence[Floats], bits: int, *, seed: int = 0, turns: int = TURNS) -> list[Codes]:
    """Iterative quantisation: signs of turned principal components, uint8 [N, bits / 8] a set.

    Args:
        fitted: float [N, F], of which the components and the rotation are learnt.
        others: sets of vectors that get codes, float [N, F] each.
        bits: a multiple of 8, at most F: there are no more components.
        seed: of the first rotation.
        turns: steps of the rotation.

    Raises:
        ConfigError: bits are no multiple of 8, or more than F.
        ShapeError: vectors are not of one width, or not finite.
        DataError: there are no fitted vectors.
    """
    _check_bits(bits)
    _check_vectors(fitted, others)
    if bits > fitted.shape[1]:
        raise ConfigError(
            f"{bits} bits are asked of vectors of {fitted.shape[1]} values; ITQ has a bit a component at most.",
            "Ask for fewer bits, or use lsh_codes.",
        )
    centre = fitted.mean(axis=0, dtype=np.float64)
    x = fitted - centre
    _, vectors = np.linalg.eigh(x.T @ x)
    components = vectors[:, ::-1][:, :bits]
    rotation, _ = np.linalg.qr(_drawn(seed, "itq").standard_normal((bits, bits)))
    low = x @ components
    for _ in range(turns):
        signs = np.where(low @ rotation > 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(low.T @ signs)
        rotation = left @ right
    return [pack((each - centre) @ components @ rotation) for each in others]


def ridge(
    fitted: Any, labels: NDArray[np.bool_], others: Sequence[Any], *, alpha: float = 1.0, shares: bool = False
) -> list[Floats]:
    """Scores of labels by ridge regression, float64 [N, C] a set.

    A score says how much likelier a label is than in the fitted rows: its share of them is taken out. Rows are compared
    by the cosine of these.

    Args:
        fitted: float [N, F], or a sparse matrix.
        labels: bool [N, C], 1 for those that a row has.
        others: sets of features that get scores, [N, F] each.
        alpha: weight of the penalty.
        shares: leaves the labels' shares in, so that common labels bring all rows near one another.

    Raises:
        ConfigError: ``alpha`` is not above 0.
        ShapeError: there is not a row of labels a row of features.
    """
    from sklearn.linear_model import Ridge  # a search, which measures nothing, does without it

    if not alpha > 0:
        raise ConfigError(f"alpha is {alpha}.", "Give a number above 0.")
    if labels.ndim != 2 or fitted.ndim != 2 or fitted.shape[0] != labels.shape[0]:
        raise ShapeError(f"Features are {fitted.shape} and labels {labels.shape}; expected [N, F] and [N, C].")
    model = Ridge(alpha=alpha).fit(fitted, labels.astype(np.float64))
    shift = 0.0 if shares else labels.mean(axis=0)
    return [np.asarray(model.predict(each)).reshape(each.shape[0], labels.shape[1]) - shift for each in others]


def _drawn(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng(seed_at(seed, "hashing", what))


def _check_bits(bits: int) -> None:
    if bits < 8 or bits % 8:
        raise ConfigError(f"bits is {bits}.", "Give a multiple of 8, from 8.")


def _check_vectors(fitted: Floats, others: Sequence[Floats]) -> None:
    if not len(fitted):
        raise DataError("There are no vectors to fit to.")
    for each in (fitted, *others):
        if each.ndim != 2 or each.shape[1:] != fitted.shape[1:] or not each.shape[1]:
            raise ShapeError(f"Vectors are {each.shape} beside {fitted.shape}; expected [N, F] of one F.")
        if not np.isfinite(each).all():
            raise ShapeError(f"Vectors of {int((~np.isfinite(each).all(axis=1)).sum())} rows are not finite.")
