"""The best path through states in their order, against all paths there are."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from kinema.core.errors import DataError, ShapeError
from kinema.core.ops import ordered_path


def best_of_all(x):
    frames, states = x.shape
    paths = [np.array(path) for path in combinations_with_replacement(range(states), frames)]
    if frames >= states:
        paths = [p for p in paths if p[0] == 0 and p[-1] == states - 1 and np.all(np.diff(p) <= 1)]
    return max(paths, key=lambda path: x[np.arange(frames), path].sum())


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (4, 4), (8, 3), (9, 5), (1, 4), (3, 4), (4, 9)])
def test_it_is_the_best_of_all_paths(shape):
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=shape)
        x[np.random.default_rng(seed).random(shape) < 0.1] = -50
        assert ordered_path(x).tolist() == best_of_all(x).tolist()


def test_a_long_video_steps_where_the_likelihood_does():
    truth = np.repeat(np.arange(20), 5000)
    x = np.random.default_rng(0).normal(size=(len(truth), 20)).astype(np.float32)
    x[np.arange(len(truth)), truth] += 2
    path = ordered_path(x)
    assert path.dtype == np.int64
    assert set(np.diff(path)) == {0, 1}
    assert np.mean(path == truth) > 0.999


def test_equal_paths_go_on_early():
    assert ordered_path(np.zeros((5, 3))).tolist() == [0, 1, 2, 2, 2]


def test_what_it_cannot_take_is_told():
    for wrong in (np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)), np.full((2, 2), np.nan), [[0.0, np.inf]]):
        with pytest.raises(ShapeError, match="ordered_path"):
            ordered_path(wrong)
    for shape in [(4, 2), (2, 4), (3, 3)]:
        x = np.zeros(shape)
        x[1] = -np.inf
        with pytest.raises(DataError, match="possible"):
            ordered_path(x)
    x = np.zeros((3, 2))
    x[0, 0] = -np.inf
    with pytest.raises(DataError, match="possible"):
        ordered_path(x)
