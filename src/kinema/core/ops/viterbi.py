"""The best way through states in a fixed order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinema.core.errors import DataError, ShapeError


def ordered_path(log_likelihood: ArrayLike) -> NDArray[np.int64]:
    """The most likely path through K states in their order: each frame stays in its state or goes on to the next.

    It starts in the first state and ends in the last, so every state has at least one frame. Fewer frames than states
    cannot show them all: then the path may start and end anywhere and skip states, but never goes back.

    Of paths that are equally likely, it is the one that goes on as early as it can.

    Args:
        log_likelihood: float [T, K], of each frame in each state; -inf where a frame cannot be of a state.

    Returns:
        int64 [T], the state of each frame, never falling.

    Raises:
        ShapeError: not [T, K] with at least one frame and one state, or a value is NaN or +inf.
        DataError: no path is possible, since each meets a -inf.
    """
    x = np.asarray(log_likelihood, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(f"ordered_path was given {x.shape}; expected [T, K], at least one frame and one state.")
    if not x.max() < np.inf:  # of NaN, too
        raise ShapeError("ordered_path was given log-likelihoods that are NaN or +inf.")
    score, path = _few(x) if len(x) < x.shape[1] else _ordered(x)
    if not score > -np.inf:
        raise DataError(
            "No path through the states in their order is possible: each meets a frame whose likelihood is 0.",
            "Give log-likelihoods above -inf, such as a log-softmax.",
        )
    return path


def _ordered(x: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    frames, states = x.shape
    came = np.zeros((frames, states), dtype=np.bool_)
    """Whether the best way to be here came from the state before."""
    best = np.full(states, -np.inf)
    best[0] = x[0, 0]
    stayed, moved, longer = best[1:], best[:-1], np.empty(states - 1)
    for row, arrival in zip(x[1:], came[1:, 1:], strict=True):
        np.greater(moved, stayed, out=arrival)
        np.maximum(moved, stayed, out=longer)
        best[1:] = longer
        best += row
    path = np.zeros(frames, dtype=np.int64)
    end = frames
    for state in range(states - 1, 0, -1):
        arrivals: Any = np.flatnonzero(came[:end, state])
        if not len(arrivals):
            return -np.inf, path
        path[arrivals[-1] : end] = state
        end = arrivals[-1]
    return float(best[-1]), path


def _few(x: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Any start, any end, any jump ahead."""
    frames, states = x.shape
    places = np.arange(states)
    origin = np.zeros((frames, states), dtype=np.int64)
    best = x[0]
    for t in range(1, frames):
        highest = np.maximum.accumulate(best)
        first = np.concatenate([[True], best[1:] > highest[:-1]])
        origin[t] = np.maximum.accumulate(np.where(first, places, 0))
        best = highest + x[t]
    path = np.empty(frames, dtype=np.int64)
    path[-1] = np.argmax(best)
    for t in range(frames - 1, 0, -1):
        path[t - 1] = origin[t, path[t]]
    return float(best.max()), path
