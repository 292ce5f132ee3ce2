"""Colours of clothes, a descriptor of a person that needs no learning: histograms of hue and saturation in stripes.

A crop is cut into horizontal stripes of equal height; each has one histogram over hue and saturation together. An
encoder of people has to beat it: it knows nothing of shape, gait or light.

Axes: T crops of a tracklet, H rows and W columns of a crop, S stripes, D = S x bins.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, ShapeError

STRIPES = 6
BINS = (16, 8)
"""Bins of hue and of saturation."""


def colour_stripes(
    crops: NDArray[np.uint8], *, stripes: int = STRIPES, bins: tuple[int, int] = BINS, root: bool = False
) -> NDArray[np.float32]:
    """A histogram of hue and saturation for each stripe of each crop.

    Args:
        crops: uint8 [T, H, W, 3], RGB.
        stripes: S, of equal height but for a row.
        bins: of hue and of saturation.
        root: take square roots, so that the dot product is Bhattacharyya's coefficient: large areas of one colour, such
            as the background, count for less.

    Returns:
        Float32 [T, D]: each crop's values sum to 1 (with ``root``, their squares do).

    Raises:
        ConfigError: there are fewer stripes or bins than one.
        ShapeError: these are no crops, or they have fewer rows than stripes.
    """
    if stripes < 1 or min(bins) < 1:
        raise ConfigError(f"stripes is {stripes} and bins are {bins}; each must be at least 1.")
    if crops.ndim != 4 or crops.shape[-1] != 3 or crops.dtype != np.uint8 or 0 in crops.shape:
        raise ShapeError(f"The crops are {crops.dtype} {crops.shape}; expected uint8 [T, H, W, 3].")
    if crops.shape[1] < stripes:
        raise ShapeError(f"The crops have {crops.shape[1]} rows; {stripes} stripes need as many at least.")
    hue, saturation = _hue_and_saturation(crops)
    hues, saturations = bins
    cell = np.minimum((hue * hues).astype(np.int64), hues - 1) * saturations
    cell += np.minimum((saturation * saturations).astype(np.int64), saturations - 1)
    edges = np.linspace(0, crops.shape[1], stripes + 1).round().astype(int)
    size, found = hues * saturations, []
    for top, bottom in pairwise(edges):
        cells = cell[:, top:bottom].reshape(len(crops), -1) + size * np.arange(len(crops))[:, None]
        counts = np.bincount(cells.ravel(), minlength=size * len(crops)).reshape(len(crops), size)
        found.append(counts / cells.shape[1] / stripes)
    histograms = np.concatenate(found, axis=1)
    return (np.sqrt(histograms) if root else histograms).astype(np.float32)


def colours_of(crops: NDArray[np.uint8], *, root: bool = False) -> NDArray[np.float32]:
    """One tracklet's descriptor, float32 [D] of length 1: the mean of its crops' histograms.

    Args:
        crops: uint8 [T, H, W, 3], RGB.
        root: see :func:`colour_stripes`.
    """
    mean = colour_stripes(crops, root=root).mean(axis=0)
    unit: NDArray[np.float32] = mean / np.linalg.norm(mean)
    return unit


def _hue_and_saturation(crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hue and saturation from 0 to 1, float32 [T, H, W]; grey has the hue 0, black the saturation 0 too."""
    red, green, blue = np.moveaxis(crops.astype(np.float32), -1, 0)
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = most - least
    some = np.where(spread > 0, spread, 1)
    sixth = np.select(
        [spread == 0, most == red, most == green],
        [0, (green - blue) / some % 6, (blue - red) / some + 2],
        (red - green) / some + 4,
    )
    return (sixth / 6).astype(np.float32), (spread / np.where(most > 0, most, 1)).astype(np.float32)
