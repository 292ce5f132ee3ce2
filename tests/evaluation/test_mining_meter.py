import numpy as np
import pytest
import torch
from oracles.ranking import mining_figures, spread

from kinema.core.errors import CheckpointError, DataError, ShapeError
from kinema.evaluation import MiningMeter


def test_worked_example_of_the_paper():
    """18 groups a class, of which one class mines 15 and the other 14: 83.3 % and 77.8 %."""
    sources = torch.arange(36).repeat_interleave(2)  # two videos a group
    labels = sources // 18
    meter = MiningMeter(labels, sources, ("first", "second"))
    meter.update(torch.full((15,), 35), torch.arange(0, 30, 2)[:, None])
    meter.update(torch.full((15,), 34), torch.arange(1, 31, 2)[:, None])  # the same groups again
    meter.update(torch.full((14,), 71), torch.arange(36, 64, 2)[:, None])
    meter.update(torch.tensor([0]), torch.tensor([[70]]))  # another class's group
    figures = meter.measure()
    assert figures.per_class["first"]["recall"] == pytest.approx(0.8333, abs=1e-4)
    assert figures.per_class["second"]["recall"] == pytest.approx(0.7778, abs=1e-4)
    assert figures.class_recall_median == pytest.approx((15 / 18 + 14 / 18) / 2)
    assert figures.per_class["first"]["precision"] == pytest.approx(30 / 31)
    assert figures.precision == pytest.approx(44 / 45)
    assert figures.entries == 45


@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_the_loops(seed):
    rng = np.random.default_rng(seed)
    labels, sources = rng.integers(4, size=50), rng.integers(20, size=50)
    meter, steps = MiningMeter(labels, sources), []
    for _ in range(5):
        index, mined = rng.integers(50, size=8), rng.integers(-1, 50, size=(8, 3))
        meter.update(torch.tensor(index), torch.tensor(mined))
        steps += list(zip(index.tolist(), mined.tolist(), strict=True))
    precision, first, recall, by_class = mining_figures(labels.tolist(), sources.tolist(), steps)
    figures = meter.measure()
    assert figures.precision == pytest.approx(precision)
    assert figures.recall_at_1 == pytest.approx(first)
    for c, value in recall.items():
        assert figures.per_class[str(c)]["recall"] == pytest.approx(value)
        assert figures.per_class[str(c)]["precision"] == pytest.approx(by_class[c])
    summary = (figures.class_recall_median, figures.class_recall_mean, figures.class_recall_std)
    assert summary == pytest.approx(spread(recall.values()))


def test_what_is_not_mined_counts_in_no_denominator():
    meter = MiningMeter([0, 0, 1, 1], [0, 1, 2, 3], ("a", "b"))
    meter.update(torch.tensor([0, 2]), torch.tensor([[1, -1], [-1, -1]]))
    assert meter.figures() == {
        "mining_precision": 1.0,
        "mining_r@1": 1.0,
        "class_mining_recall_median": 0.25,
        "class_mining_recall_mean": 0.25,
        "class_mining_recall_std": 0.25,
        "mining_per_class": {"a": {"precision": 1.0, "recall": 0.5}, "b": {"precision": None, "recall": 0.0}},
    }


def test_videos_without_a_label_are_left_out_of_every_figure():
    meter = MiningMeter([0, 0, -1, 1], [0, 1, 2, 3])
    meter.update(torch.tensor([0, 2]), torch.tensor([[2, 1, 3], [0, 1, 3]]))
    figures = meter.measure()
    assert figures.entries == 2
    assert figures.precision == 0.5
    assert figures.recall_at_1 == 0.0
    assert set(figures.per_class) == {"0", "1"}


def test_nothing_mined_gives_no_figures():
    meter = MiningMeter([0, 1], [0, 1])
    assert meter.measure() is None
    meter.update(torch.tensor([0]), torch.tensor([[-1, -1]]))
    assert meter.figures() == {}


def test_reset_starts_a_new_epoch_and_a_state_goes_on_with_an_old_one():
    meter, other = (MiningMeter([0, 0, 0, 1], [0, 1, 2, 3]) for _ in range(2))
    meter.update(torch.tensor([0, 3]), torch.tensor([[1], [0]]))
    state = meter.state()
    meter.update(torch.tensor([0]), torch.tensor([[2]]))
    other.restore(state)
    assert other.figures()["mining_precision"] == 0.5
    other.update(torch.tensor([0]), torch.tensor([[2]]))
    assert other.figures() == meter.figures()
    assert other.figures()["mining_per_class"]["0"]["recall"] == pytest.approx(2 / 3)
    meter.reset()
    assert meter.figures() == {}
    with pytest.raises(CheckpointError, match="other videos"):
        MiningMeter([0, 1], [0, 1]).restore(state)


def test_bad_input_is_refused():
    for labels in (None, [-1, -1]):
        with pytest.raises(DataError, match=r"No video has a label(.|\n)*labels.csv"):
            MiningMeter(labels, [0, 1])
    with pytest.raises(ShapeError, match="3 labels and 2 sources"):
        MiningMeter([0, 1, 0], [0, 1])
    with pytest.raises(ShapeError, match="Label 1 has no name"):
        MiningMeter([0, 1], [0, 1], ["a"])
    meter = MiningMeter([0, 1], [0, 1])
    with pytest.raises(ShapeError, match="mined holds row 2"):
        meter.update(torch.tensor([0]), torch.tensor([[2]]))
    with pytest.raises(ShapeError, match="index holds row -1"):
        meter.update(torch.tensor([-1]), torch.tensor([[0]]))
    with pytest.raises(ShapeError, match="expected"):
        meter.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
