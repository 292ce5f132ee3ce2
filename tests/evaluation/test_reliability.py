"""How reliable a figure is: against theory on made-up figures of known reliability."""

import numpy as np
import pytest

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation import of_halves, reliability


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_halves_tell_how_reliable_the_whole_is(noise):
    """A true value and noise: a half has reliability 1 / (1 + noise²), the whole, with half the variance, more."""
    draw = np.random.default_rng(0)
    true = draw.normal(size=4000)
    halves = [[tuple(value + noise * draw.normal(size=2)) for _ in range(3)] for value in true]
    told = reliability(halves)
    whole = 1 / (1 + noise**2 / 2)
    assert told.half == pytest.approx(1 / (1 + noise**2), abs=0.04)
    assert told.whole == pytest.approx(whole, abs=0.04)
    assert told.ceiling == pytest.approx(whole**0.5, abs=0.04)


def test_a_figure_that_is_noise_alone_has_none():
    draw = np.random.default_rng(1)
    told = reliability([[tuple(draw.normal(size=2))] for _ in range(4000)])
    assert told.ceiling < 0.3
    opposite = reliability([[(x, -x)] for x in range(9)])
    assert (opposite.half, opposite.whole, opposite.ceiling) == (-1.0, 0.0, 0.0)
    assert reliability([[(1.0, float(x))] for x in range(5)]).whole == 0  # one half says the same of all


def test_halves_are_disjoint_the_same_for_every_encoder_and_clustered_with_other_seeds():
    seen = []

    def figure(x, seed):
        seen.append((set(x[:, 0].tolist()), seed))
        return float(x.mean())

    one = of_halves(figure, np.arange(9.0)[:, None], splits=2, seed=4)
    for first, second in (seen[:2], seen[2:4]):
        assert first[0] | second[0] == set(range(9))
        assert not first[0] & second[0]
    assert len({seed for _, seed in seen}) == 4
    assert seen[0][0] != seen[2][0]
    again = of_halves(figure, 2 * np.arange(9.0)[:, None], splits=2, seed=4)
    assert np.allclose(again, 2 * np.array(one))


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="at least 3 encoders; there are 2"):
        reliability([[(1.0, 2.0)]] * 2)
    with pytest.raises(ShapeError, match="not finite"):
        reliability([[(1.0, 2.0)], [(1.0, float("nan"))], [(0.0, 1.0)]])
    with pytest.raises(ShapeError, match="unlike numbers"):
        reliability([[(1.0, 2.0)], [(1.0, 2.0)] * 2, [(0.0, 1.0)]])
