import math

import pytest
import torch

from kinema.core.errors import ConfigError, ShapeError
from kinema.mining import MemoryBank


def at(*degrees):
    """Points of the unit circle."""
    angles = torch.tensor([math.radians(d) for d in degrees], dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], dim=1).float()


def bank_of(momentum=0.5):
    return MemoryBank(5, 2, ("rgb", "residual"), momentum)


def update(bank, index, rgb, residual, source=None):
    index = torch.tensor(index)
    bank.update(index, {"rgb": rgb, "residual": residual}, index if source is None else torch.tensor(source))


def test_a_first_sight_is_written_as_it_is():
    bank = bank_of()
    update(bank, [3, 1], at(10, 20), at(30, 40), source=[7, 8])
    assert torch.equal(bank.features("rgb")[[3, 1]], at(10, 20))
    assert torch.equal(bank.features("residual")[[3, 1]], at(30, 40))
    assert bank.valid.tolist() == [False, True, False, True, False]
    assert bank.index.tolist() == [-1, 1, -1, 3, -1]
    assert bank.source.tolist() == [-1, 8, -1, 7, -1]
    assert not bank.full


def test_a_second_sight_moves_by_the_momentum():
    bank = bank_of(momentum=0.75)
    update(bank, [2], at(0), at(90))
    update(bank, [2], at(90), at(90))
    expected = torch.tensor([0.75, 0.25]) / math.hypot(0.75, 0.25)
    assert torch.allclose(bank.features("rgb")[2], expected)
    assert torch.allclose(bank.features("residual")[2], at(90)[0])
    assert torch.equal(bank.features("rgb")[[0, 1, 3, 4]], torch.zeros(4, 2))


@pytest.mark.parametrize("known", [False, True])
def test_of_a_video_that_is_there_twice_the_last_clip_counts(known):
    twice, once = bank_of(), bank_of()
    for bank in (twice, once):
        if known:
            update(bank, [4], at(0), at(0))
    update(twice, [4, 0, 4, 0, 4], at(10, 20, 30, 40, 50), at(15, 25, 35, 45, 55), source=[1, 2, 1, 2, 1])
    update(once, [0, 4], at(40, 50), at(45, 55), source=[2, 1])
    assert all(torch.equal(twice.state_dict()[name], once.state_dict()[name]) for name in once.state_dict())


def test_full_when_all_were_seen():
    bank = bank_of()
    update(bank, [0, 1, 2, 3, 4], at(1, 2, 3, 4, 5), at(1, 2, 3, 4, 5))
    assert bank.full
    other = bank_of()
    other.load_state_dict(bank.state_dict())
    assert other.full
    assert torch.equal(other.features("rgb"), at(1, 2, 3, 4, 5))


def test_refuses_what_it_cannot_hold():
    bank = bank_of()
    with pytest.raises(ShapeError, match=r"holds 5, but the bank has 5"):
        update(bank, [5], at(0), at(0))
    with pytest.raises(ShapeError, match="-1"):
        update(bank, [-1], at(0), at(0))
    with pytest.raises(ShapeError, match="length 3"):
        update(bank, [0], at(0), 3 * at(0))
    assert not bank.seen.any()
    with pytest.raises(ConfigError, match=r"momentum is 1\.0"):
        bank_of(momentum=1.0)
    with pytest.raises(ConfigError, match="motion"):
        bank.features("motion")
