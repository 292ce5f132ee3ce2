"""SentEval's transfer protocol, against a nested cross-validation written out."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation import transfer
from kinema.evaluation.transfer import FOLD_SEED, TRANSFER_PRESETS, interval_of_mean, transfer_figures


@pytest.fixture
def four_folds(monkeypatch):
    """Four folds, which are quick; fits to the end, so that where they begin does not matter."""
    monkeypatch.setattr(transfer, "FOLDS", 4)
    monkeypatch.setattr(transfer, "TOLERANCE", 1e-8)


def case(n=160, d=6, classes=2, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    rng.shuffle(y)
    return rng.normal(size=(classes, d))[y] + noise * rng.normal(size=(n, d)), y


def fitted(x, y, penalty):
    return LogisticRegression(C=penalty, tol=1e-8, max_iter=5000).fit(x, y)


def nested_oracle(x, y, grid, k):
    """For each fold: C by the others, each left out in turn, then fitted on all of them."""
    folds = [test for _, test in StratifiedKFold(k, shuffle=True, random_state=FOLD_SEED).split(x, y)]
    accuracies, chosen = [], []
    for i, test in enumerate(folds):
        hits = [0] * len(grid)
        for number, penalty in enumerate(grid):
            for j, held in enumerate(folds):
                if j != i:
                    training = [row for row in range(len(y)) if row not in test and row not in held]
                    named = fitted(x[training], y[training], penalty).predict(x[held])
                    hits[number] += sum(named == y[held])
        best = grid[hits.index(max(hits))]
        training = [row for row in range(len(y)) if row not in test]
        accuracies.append(np.mean(fitted(x[training], y[training], best).predict(x[test]) == y[test]))
        chosen.append(best)
    return accuracies, chosen


def test_folds_equal_a_nested_cross_validation_written_out(four_folds):
    x, y = case(n=162, d=20)
    figures = transfer_figures(x, y)
    accuracies, chosen = nested_oracle(x, y, TRANSFER_PRESETS["senteval"].grid, 4)
    assert figures.folds == pytest.approx(accuracies)
    assert figures.penalties == tuple(chosen)
    assert figures.accuracy == pytest.approx(np.mean(accuracies))
    assert len(set(chosen)) > 1
    assert 0.6 < figures.accuracy < 1
    assert figures.right.mean() == pytest.approx(figures.accuracy, abs=0.01)
    assert figures.interval[0] < figures.accuracy < figures.interval[1]
    assert (figures.chance, figures.majority, figures.unconverged) == (0.5, 0.5, 0)


def test_there_are_ten_folds_of_equal_size():
    x, y = case()
    figures = transfer_figures(x, y)
    assert len(figures.folds) == len(figures.penalties) == 10
    assert figures.accuracy == pytest.approx(figures.right.mean())
    np.testing.assert_array_equal(figures.tested, np.arange(160))


def test_no_fold_is_seen_by_the_fit_that_is_tested_on_it(four_folds):
    """Random labels are guessed by chance, however many dimensions there are to remember them by."""
    rng = np.random.default_rng(0)
    figures = transfer_figures(rng.normal(size=(400, 60)), rng.integers(0, 2, 400))
    assert 0.42 < figures.accuracy < 0.58


def parts_of(n, dev=True):
    third = ["train", "dev" if dev else "train", "test"]
    return [third[row % 3] for row in range(n)]


@pytest.mark.parametrize("dev", [True, False])
def test_the_test_part_chooses_nothing(dev):
    x, y = case(n=240, classes=4)
    parts = np.array(parts_of(240, dev))
    one = transfer_figures(x, y, parts)
    turned = np.where(parts == "test", (y + 1) % 4, y)
    other = transfer_figures(np.where((parts == "test")[:, None], x * 3, x), turned, parts)
    assert one.penalties == other.penalties
    assert one.accuracy > 0.4 > 0.35 > other.accuracy
    np.testing.assert_array_equal(one.tested, np.flatnonzero(parts == "test"))
    training = np.flatnonzero(parts == "train")
    named = fitted(x[training], y[training], one.penalties[0]).predict(x[one.tested])
    np.testing.assert_array_equal(one.right, named == y[one.tested])
    assert one.folds == (one.accuracy,)


def test_the_penalty_is_the_best_on_dev(four_folds):
    x, y = case(n=300, d=40, noise=4)
    parts = np.array(parts_of(300))
    training, dev = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "dev")
    grid = TRANSFER_PRESETS["senteval"].grid
    found = [np.mean(fitted(x[training], y[training], c).predict(x[dev]) == y[dev]) for c in grid]
    assert len(set(found)) > 1
    assert transfer_figures(x, y, parts).penalties == (grid[int(np.argmax(found))],)


def test_standardising_takes_any_scale_and_sees_training_alone():
    x, y = case(n=240)
    parts = np.array(parts_of(240))
    scale, shift = 10.0 ** np.arange(-3, 3), np.arange(6) * 4.0
    base = transfer_figures(x, y, parts, preset="standardised")
    other = transfer_figures(x * scale + shift, y, parts, preset="standardised")
    np.testing.assert_array_equal(base.right, other.right)
    alone = np.array(["train"] * 240, dtype=object)
    alone[parts == "dev"] = "dev"
    alone[2] = "test"
    kept = np.flatnonzero((parts != "test") | (np.arange(240) == 2))
    single = transfer_figures(x[kept], y[kept], alone[kept], preset="standardised")
    assert single.right[0] == base.right[0]


def test_sparse_features_give_what_dense_ones_give(four_folds):
    rng = np.random.default_rng(0)
    x, y = rng.poisson(0.3, size=(200, 30)).astype(float), np.arange(200) % 2
    x[:, 0] += y * rng.integers(0, 2, 200)
    dense, sparse = transfer_figures(x, y), transfer_figures(csr_matrix(x), y)
    np.testing.assert_array_equal(dense.right, sparse.right)
    assert dense.penalties == sparse.penalties
    with pytest.raises(ConfigError, match="Sparse features cannot be standardised"):
        transfer_figures(csr_matrix(x), y, preset="standardised")


def test_the_same_twice_and_the_same_folds_by_any_seed(four_folds):
    x, y = case(n=161)
    one, two, other = transfer_figures(x, y), transfer_figures(x, y), transfer_figures(x, y, seed=1)
    assert (one.folds, one.interval) == (two.folds, two.interval)
    assert (one.folds, one.penalties) == (other.folds, other.penalties)


def test_the_interval_of_a_mean_is_narrower_than_those_of_its_tasks():
    x, y = case(n=300, noise=3)
    tasks = [transfer_figures(x, y, parts_of(300)), transfer_figures(x[::-1], y[::-1], parts_of(300))]
    low, high = interval_of_mean(tasks)
    assert low < np.mean([task.accuracy for task in tasks]) < high
    width = np.mean([task.interval[1] - task.interval[0] for task in tasks])
    assert high - low == pytest.approx(width / 2**0.5, rel=0.15)


def test_fits_that_were_stopped_are_counted(monkeypatch):
    monkeypatch.setattr(transfer, "FOLDS", 3)
    monkeypatch.setattr(transfer, "MAX_ITERATIONS", 1)
    assert transfer_figures(*case()).unconverged == 3


def test_what_cannot_be_asked_is_refused():
    x, y = case(n=60)
    with pytest.raises(ConfigError, match="no transfer preset 'best'"):
        transfer_figures(x, y, preset="best")
    with pytest.raises(DataError, match="9 of the rarest; 10 folds need"):
        transfer_figures(x, (np.arange(60) < 9).astype(int))
    with pytest.raises(DataError, match="Training has no sentence of 1 classes"):
        transfer_figures(x, np.r_[np.arange(59) % 2, 2], ["train"] * 40 + ["dev"] * 10 + ["test"] * 10)
    with pytest.raises(DataError, match="one class"):
        transfer_figures(x, np.zeros(60, dtype=int), parts_of(60))
    with pytest.raises(DataError, match="part 'test'"):
        transfer_figures(x, y, ["train"] * 60)
    with pytest.raises(ShapeError, match="unknown ones: valid"):
        transfer_figures(x, y, ["train", "valid"] * 30)
    with pytest.raises(ShapeError, match="1 entries of the features are not finite"):
        transfer_figures(np.where((np.arange(60) == 3)[:, None] & (np.arange(6) == 2), np.inf, x), y)
    with pytest.raises(ShapeError, match="expected"):
        transfer_figures(x, y[:-1])
