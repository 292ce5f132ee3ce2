import numpy as np
import pytest
import torch
from sklearn import metrics

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation import accuracy_of, class_columns


def random_case(q=200, c=9, seed=0):
    g = torch.Generator().manual_seed(seed)
    columns = torch.randint(c - 1, (q,), generator=g)  # the last class does not occur
    return torch.randn(q, c, generator=g, dtype=torch.float64), columns, 10 + torch.arange(c)


def test_figures_equal_those_of_scikit_learn():
    scores, columns, classes = random_case()
    figures = accuracy_of(scores, columns, classes)
    true, named, every = columns.numpy(), scores.numpy().argmax(1), np.arange(9)
    assert figures.metrics == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, named),
            "accuracy_top5": metrics.top_k_accuracy_score(true, scores.numpy(), k=5, labels=every),
            "mean_class_accuracy": metrics.recall_score(true, named, average="macro", labels=every[:8]),
        }
    )
    np.testing.assert_array_equal(figures.confusion, metrics.confusion_matrix(true, named, labels=every))
    assert figures.per_class == pytest.approx(
        dict(zip(range(10, 18), metrics.recall_score(true, named, average=None, labels=every[:8]), strict=True))
    )
    assert figures.interval[0] < figures.metrics["accuracy"] < figures.interval[1]
    assert figures.majority == pytest.approx(np.bincount(true).max() / 200)
    assert figures.chance == pytest.approx(1 / 9)


def test_by_hand():
    """Three of class 0, all right; one of class 1, taken for class 0."""
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    figures = accuracy_of(scores, torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1]))
    assert figures.metrics == {"accuracy": 0.75, "mean_class_accuracy": 0.5}
    assert figures.omitted == ("accuracy_top5",)
    assert figures.confusion.tolist() == [[3, 0], [1, 0]]
    assert figures.confused(("jump", "walk")) == {"jump": {"jump": 3}, "walk": {"jump": 1}}
    assert figures.per_class == {0: 1.0, 1: 0.0}
    assert (figures.chance, figures.majority) == (0.5, 0.75)


def test_five_of_five_classes_say_nothing_and_five_of_six_do():
    for c, told in ((5, False), (6, True)):
        figures = accuracy_of(torch.randn(8, c), torch.arange(8) % c, torch.arange(c))
        assert ("accuracy_top5" in figures.metrics) is told
        assert figures.omitted == (() if told else ("accuracy_top5",))


def test_scores_that_tell_nothing_apart_are_right_by_chance():
    figures = accuracy_of(torch.ones(20, 10), torch.arange(20) % 10, torch.arange(10))
    assert figures.metrics == {"accuracy": 0.1, "accuracy_top5": 0.5, "mean_class_accuracy": 0.1}


def test_a_class_that_is_not_named_is_not_right():
    scores = torch.full((6, 6), -torch.inf)
    scores[:, 2] = 1.0
    figures = accuracy_of(scores, torch.arange(6), torch.arange(6))
    assert figures.metrics["accuracy_top5"] == pytest.approx(1 / 6)


def test_classes_that_cannot_be_named_are_refused():
    train, names = torch.tensor([0, 2, 2]), ["jump", "walk", "crawl"]
    classes, columns = class_columns(train, torch.tensor([2, 0]), names)
    assert (classes.tolist(), columns.tolist()) == ([0, 2], [1, 0])
    with pytest.raises(DataError, match="1 of its classes that no training video shows: 'walk'"):
        class_columns(train, torch.tensor([0, 1]), names)
    with pytest.raises(DataError, match="All 2 training videos are of one class, 'crawl'"):
        class_columns(train[1:], torch.tensor([2]), names)
    with pytest.raises(DataError, match="no training video"):
        class_columns(train[:0], torch.tensor([2]), names)


def test_bad_arrays_are_refused():
    with pytest.raises(ShapeError, match=r"scores are \(3, 2\); expected \[4, 2\]"):
        accuracy_of(torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64), torch.arange(2))
    with pytest.raises(ShapeError, match="1 of 4 scores are NaN"):
        accuracy_of(torch.tensor([[0.0, float("nan")], [0, 1]]), torch.tensor([0, 1]), torch.arange(2))
