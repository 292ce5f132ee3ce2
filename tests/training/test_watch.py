import time

import pytest
import torch

from kinema.core.errors import TrainingError
from kinema.training.watch import CollapseWatch, FiniteWatch, WaitTimer


def test_wait_timer_counts_the_waiting_and_not_the_work():
    def slow():
        for number in range(3):
            time.sleep(0.03)
            yield number

    timer = WaitTimer(slow())
    seen = []
    for number in timer:
        seen.append(number)
        time.sleep(0.1)
    assert seen == [0, 1, 2]
    assert 0.09 <= timer.waited < 0.3
    assert len(WaitTimer([1, 2])) == 2


def test_finite_watch_looks_when_there_are_enough_and_names_the_step():
    watch = FiniteWatch(every=3)
    watch.add(5, torch.tensor(1.0))
    watch.add(6, torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match="The loss is nan at step 6") as caught:
        watch.add(7, torch.tensor(2.0))
    assert "optimiser.lr" in caught.value.hint


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_finite_watch_when_asked(value):
    watch = FiniteWatch(every=10)
    assert watch.flush() == []
    watch.add(0, torch.tensor(1.5, requires_grad=True))
    watch.add(1, torch.tensor(2.5))
    assert watch.flush() == [1.5, 2.5]
    assert watch.flush() == []
    watch.add(2, torch.tensor(value))
    with pytest.raises(TrainingError, match="at step 2"):
        watch.flush()


def test_finite_watch_hands_on_what_it_looked_at():
    watch = FiniteWatch(every=3)
    for step in range(7):
        watch.add(step, torch.tensor(float(step)))
    assert watch.flush() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert watch.flush() == []


def one_way(rows):
    return torch.ones(rows, 8) / 8**0.5


def many_ways(rows):
    return torch.nn.functional.normalize(torch.randn(rows, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def test_collapse_watch_is_patient():
    watch = CollapseWatch(least=1.5, rows=16, patience=3)
    assert [watch.look(0, judge=True) for _ in range(4)] == [None] * 4, "nothing was seen, so nothing is judged"
    watch.add(one_way(16))
    assert watch.look(1, judge=True) == pytest.approx(1.0, abs=1e-3)
    assert watch.look(2, judge=True) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(TrainingError, match=r"collapsed: at step 3 .* 1\.00, below 1\.5"):
        watch.look(3, judge=True)


def test_collapse_watch_forgives_and_does_not_judge_unasked():
    watch = CollapseWatch(least=1.5, rows=16, patience=2)
    watch.add(one_way(16))
    for step in range(5):
        watch.look(step, judge=False)
    watch.look(5, judge=True)
    watch.add(many_ways(16))
    assert watch.look(6, judge=True) > 4, "the latest rows alone count"
    watch.add(one_way(16))
    watch.look(7, judge=True)
    with pytest.raises(TrainingError, match="step 8"):
        watch.look(8, judge=True)


def test_a_network_that_moves_does_not_hide_a_collapse():
    watch = CollapseWatch(least=1.5, rows=64, patience=1)
    drifting = many_ways(8)
    for direction in drifting:
        watch.add(direction.expand(8, 8))
    with pytest.raises(TrainingError, match=r"of a batch is 1\.00"):
        watch.look(8, judge=True)


def test_a_batch_of_one_says_nothing():
    watch = CollapseWatch(least=1.5, rows=64, patience=1)
    watch.add(one_way(1))
    assert watch.look(1, judge=True) is None


def test_collapse_watch_is_resumed_exactly():
    watch = CollapseWatch(least=1.5, rows=16, patience=2)
    watch.add(many_ways(5))
    watch.add(one_way(16))
    watch.look(1, judge=True)
    again = CollapseWatch(least=1.5, rows=16, patience=2)
    again.restore(watch.state())
    assert again.look(2, judge=False) == watch.look(2, judge=False)
    with pytest.raises(TrainingError):
        again.look(2, judge=True)
