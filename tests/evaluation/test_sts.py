"""Correlations of cosine and gold score, against scipy and against ranks that are counted pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation.sts import cosine_similarities, sts_figures


def rank_oracle(values):
    """1 + how many are smaller + half of the others that are equal."""
    return [1 + sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]


def correlation_oracle(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return above / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5


GRADES = st.integers(0, 4).map(float)  # few values, so that ties are the rule


@given(st.lists(st.tuples(GRADES, GRADES), min_size=2, max_size=12))
def test_both_correlations_equal_the_oracle_and_scipy_with_ties(rows):
    x, y = (list(column) for column in zip(*rows, strict=True))
    if len(set(y)) < 2:
        with pytest.raises(DataError, match="1 different scores"):
            sts_figures(x, y)
        return
    figures = sts_figures(x, y)
    if len(set(x)) < 2:
        assert figures.metrics == {"spearman": 0.0, "pearson": 0.0}
        return
    assert figures.metrics["spearman"] == pytest.approx(correlation_oracle(rank_oracle(x), rank_oracle(y)), abs=1e-12)
    assert figures.metrics["spearman"] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert figures.metrics["pearson"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)


def two_subsets(seed=0):
    """Alike within a subset, but one subset's similarities are at another level than its scores."""
    rng = np.random.default_rng(seed)
    gold = np.concatenate([rng.uniform(0, 5, 30), rng.uniform(0, 5, 12)])
    similarity = gold + rng.normal(size=42)
    similarity[30:] += 20
    return similarity, gold, ["a"] * 30 + ["b"] * 12


def test_mean_is_over_subsets_and_all_over_pairs():
    x, y, names = two_subsets()
    mean, pooled = sts_figures(x, y, names, preset="mean"), sts_figures(x, y, names, preset="all")
    each = [spearmanr(x[:30], y[:30]).statistic, spearmanr(x[30:], y[30:]).statistic]
    assert mean.metrics["spearman"] == pytest.approx(np.mean(each))
    assert pooled.metrics["spearman"] == pytest.approx(spearmanr(x, y).statistic)
    assert mean.metrics["spearman"] > pooled.metrics["spearman"] + 0.1
    assert mean.per_subset == pooled.per_subset
    assert [(n, c.pairs, pytest.approx(c.spearman)) for n, c in mean.per_subset.items()] == [
        ("a", 30, each[0]),
        ("b", 12, each[1]),
    ]
    assert list(mean.metrics) == ["spearman", "pearson"]


def test_the_order_of_pairs_does_not_matter_and_the_pairing_does():
    x, y, names = two_subsets()
    order = np.random.default_rng(1).permutation(42)
    base = sts_figures(x, y, names)
    shuffled = sts_figures(x[order], y[order], [names[row] for row in order])
    assert shuffled.metrics == pytest.approx(base.metrics)
    assert abs(sts_figures(x, y[order], names).metrics["spearman"]) < base.metrics["spearman"] - 0.3


def test_spearman_takes_any_rising_scale_and_pearson_does_not():
    x, y, _ = two_subsets()
    base, other = sts_figures(x, y).metrics, sts_figures(np.exp(x), y).metrics
    assert other["spearman"] == base["spearman"]
    assert other["pearson"] != pytest.approx(base["pearson"], abs=0.01)
    assert sts_figures(-x, y).metrics["spearman"] == pytest.approx(-base["spearman"])


@pytest.mark.parametrize("preset", ["mean", "all"])
def test_the_interval_equals_a_bootstrap_written_out(preset):
    x, y, names = two_subsets()
    parts = [np.arange(30), np.arange(30, 42)] if preset == "mean" else [np.arange(42)]
    rng, found = np.random.default_rng(5), []
    for _ in range(2000):
        drawn = [rng.choice(part, len(part)) for part in parts]
        found.append(np.mean([spearmanr(x[rows], y[rows]).statistic for rows in drawn]))
    low, high = np.quantile(found, [0.025, 0.975])
    figures = sts_figures(x, y, names, preset=preset)
    assert figures.interval == pytest.approx((low, high), abs=0.03)
    assert figures.interval[0] < figures.metrics["spearman"] < figures.interval[1]
    assert sts_figures(x, y, names, preset=preset).interval == figures.interval
    assert sts_figures(x, y, names, preset=preset, seed=1).interval != figures.interval


def test_a_collapsed_encoder_correlates_with_nothing():
    """All vectors alike but for rounding: the order of the cosines is noise."""
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=64) + 1e-7 * rng.normal(size=(40, 64))).astype(np.float32)
    similarity = cosine_similarities(vectors[:20], vectors[20:])
    figures = sts_figures(similarity, np.arange(20.0))
    assert figures.metrics == {"spearman": 0.0, "pearson": 0.0}
    assert figures.interval == (0.0, 0.0)


def test_cosines():
    a = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    b = np.array([[6.0, 8.0], [0.0, 2.0], [1.0, 1.0], [-2.0, -2.0]])
    np.testing.assert_allclose(cosine_similarities(a, b), [1, 0, 0, -1], atol=1e-15)
    with pytest.raises(ShapeError, match=r"\(4, 2\) and \(3, 2\)"):
        cosine_similarities(a, b[:3])
    with pytest.raises(ShapeError, match="1 of 4 pairs are not finite"):
        cosine_similarities(a, np.where(np.arange(4)[:, None] == 2, np.nan, b))


def test_what_has_no_correlation_is_refused():
    with pytest.raises(ConfigError, match="no sts preset 'wmean'; there are: mean, all"):
        sts_figures([1, 2], [1, 2], preset="wmean")
    with pytest.raises(DataError, match="'b': 1 pairs"):
        sts_figures([1, 2, 3], [1, 2, 3], ["a", "a", "b"])
    with pytest.raises(ShapeError, match=r"\(3,\) similarities, \(2,\) scores"):
        sts_figures([1, 2, 3], [1, 2])
    with pytest.raises(ShapeError, match="not finite"):
        sts_figures([1, np.nan], [1, 2])
