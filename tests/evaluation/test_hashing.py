"""mAP and precision of codes against every order of their ties, by hand, and against what two copied functions give."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import hashing as slow

from kinema.core.codes import hamming, pack
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation.hashing import average_precision_ties, hashing_figures, precision_at_ties
from kinema.evaluation.hashing_floors import itq_codes, lsh_codes, random_codes, ridge
from kinema.evaluation.interval import bootstrap_interval, mean_interval
from kinema.evaluation.tagging import tagging_figures


@st.composite
def rankings(draw):
    """Distances with many ties, and what is relevant, of a few queries."""
    q, g = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    table = st.lists(st.lists(st.integers(0, 3), min_size=g, max_size=g), min_size=q, max_size=q)
    return np.array(draw(table)), np.array(draw(table)) < 2


@given(rankings(), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_ties_are_averaged_over_all_their_orders(world, k):
    distances, relevant = world
    g = distances.shape[1]
    for at in (None, k):
        found = average_precision_ties(distances, relevant, at)
        for query, row in enumerate(relevant):
            if not row.any():
                assert np.isnan(found[query])
                continue
            expected = slow.averaged(distances[query], row, lambda hits, at=at: slow.one_ap(hits, at))
            assert found[query] == pytest.approx(expected, abs=1e-12)
    expected = [
        slow.averaged(d, row, lambda hits: slow.one_precision(hits, k))
        for d, row in zip(distances, relevant, strict=True)
    ]
    assert precision_at_ties(distances, relevant, k) == pytest.approx(expected, abs=1e-12)
    assert average_precision_ties(distances / 7, relevant) == pytest.approx(
        average_precision_ties(distances, relevant), nan_ok=True, abs=1e-12
    )
    order = np.random.default_rng(g).permutation(g)
    assert average_precision_ties(distances[:, order], relevant[:, order]) == pytest.approx(
        average_precision_ties(distances, relevant), nan_ok=True, abs=1e-12
    )


def test_by_hand():
    """One item nearest, then two tied of which one is relevant, then one relevant: places 1, 2 or 3, and 4."""
    distances, relevant = np.array([[0, 1, 1, 2]]), np.array([[True, True, False, True]])
    expected = (1 + (2 / 2 + 2 / 3) / 2 + 3 / 4) / 3
    assert average_precision_ties(distances, relevant)[0] == pytest.approx(expected)
    assert average_precision_ties(distances, relevant, 2)[0] == pytest.approx((1 + 0.5 * 1) / 2)
    assert precision_at_ties(distances, relevant, 2)[0] == pytest.approx((1 + 0.5) / 2)


def made(seed=0, q=6, g=9, bits=8, c=3):
    rng = np.random.default_rng(seed)
    codes = [random_codes(n, bits, seed=seed + n) for n in (q, g)]
    labels = [rng.random((n, c)) < 0.3 for n in (q, g)]
    labels[0][0] = False  # a query without anything relevant
    labels[0][1] = labels[1][0] = True
    return *codes, *labels


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_means_over_queries_that_can_find_something(seed):
    queries, gallery, of_queries, of_gallery = made(seed)
    own = [-1, 3, -1, 0, -1, -1]
    found = hashing_figures(queries, gallery, of_queries, of_gallery, own=own, ks=(3, 99), ns=(4,), radius=2)
    expected = {name: [] for name in ("map", "map@3", "precision@4", "precision_radius_2")}
    unmatched = 0
    for row, code in enumerate(queries):
        rows = [n for n in range(len(gallery)) if n != own[row]]
        distances = [sum(bin(a ^ b).count("1") for a, b in zip(code, gallery[n], strict=True)) for n in rows]
        hits = [bool((of_queries[row] & of_gallery[n]).any()) for n in rows]
        if not any(hits):
            unmatched += 1
            continue
        near = [hit for hit, distance in zip(hits, distances, strict=True) if distance <= 2]
        expected["map"].append(slow.averaged(distances, hits, slow.one_ap))
        expected["map@3"].append(slow.averaged(distances, hits, lambda x: slow.one_ap(x, 3)))
        expected["precision@4"].append(slow.averaged(distances, hits, lambda x: slow.one_precision(x, 4)))
        expected["precision_radius_2"].append(sum(near) / len(near) if near else 0.0)
    assert found.metrics == pytest.approx({name: np.mean(values) for name, values in expected.items()})
    assert (found.unmatched, found.omitted, np.isnan(found.ap).sum()) == (unmatched, (99,), unmatched)
    assert found.unmatched + found.measured == len(queries)
    signs = [np.unpackbits(x, axis=1) * 2.0 - 1 for x in (queries, gallery)]  # the cosine of signs orders as Hamming
    real = hashing_figures(*signs, of_queries, of_gallery, own=own, ks=(3,), ns=(4,))
    assert real.metrics == pytest.approx({name: found.metrics[name] for name in ("map", "map@3", "precision@4")})


def test_chance_is_what_codes_that_say_nothing_have():
    queries, gallery, of_queries, of_gallery = made(q=5, g=7)
    same = hashing_figures(np.zeros_like(queries), np.zeros_like(gallery), of_queries, of_gallery)
    assert same.metrics["map"] == pytest.approx(same.chance)
    hits = of_queries.astype(int) @ of_gallery.T > 0
    assert same.chance == pytest.approx(
        np.mean([slow.averaged([0] * 7, row, slow.one_ap) for row in hits if row.any()])
    )
    rng = np.random.default_rng(0)
    labels = [rng.random((n, 3)) < 0.3 for n in (200, 400)]
    drawn = hashing_figures(random_codes(200, 64, seed=1), random_codes(400, 64, seed=2), *labels)
    assert drawn.metrics["map"] == pytest.approx(drawn.chance, abs=0.02)


@pytest.mark.parametrize("preset", ["calc-map-k", "calc-top-map"])
@pytest.mark.parametrize("seed", range(3))
def test_copied_functions_give_what_they_give(preset, seed):
    queries, gallery, of_queries, of_gallery = made(seed, q=8, g=12)
    found = hashing_figures(queries, gallery, of_queries, of_gallery, preset=preset, ks=(5,))
    distances, relevant = hamming(queries, gallery), of_queries.astype(int) @ of_gallery.T > 0
    ranked = [relevant[n][np.argsort(distances[n], kind="stable")] for n in range(len(queries))]
    rule = {"calc-map-k": slow.calc_map_k, "calc-top-map": slow.calc_top_map}[preset]
    assert found.metrics["map"] == pytest.approx(np.mean([rule(hits) for hits in ranked]))
    assert found.metrics["map@5"] == pytest.approx(np.mean([rule(hits, 5) for hits in ranked]))
    usual = hashing_figures(queries, gallery, of_queries, of_gallery, ks=(5,))
    assert found.metrics["precision_radius_2"] == usual.metrics["precision_radius_2"]


def test_what_the_copied_functions_do_wrong():
    """One relevant item first and one last of ten: mAP@2 is .5. One counts the last as a hit, one forgets it."""
    distances = np.arange(10)
    hits = np.isin(distances, (0, 9))
    gallery = pack(np.arange(16)[None] < distances[:, None])
    arrays = (pack(np.zeros((1, 16))), gallery, np.ones((1, 1), bool), hits[:, None])
    right = hashing_figures(*arrays, ks=(2,), ns=()).metrics
    elsewhere = hashing_figures(*arrays, preset="calc-map-k", ks=(2,), ns=()).metrics
    found_only = hashing_figures(*arrays, preset="calc-top-map", ks=(2,), ns=()).metrics
    assert (right["map@2"], elsewhere["map@2"], found_only["map@2"]) == pytest.approx((0.5, 0.6, 1.0))
    assert (right["map"], elsewhere["map"], found_only["map"]) == pytest.approx((0.6, 0.6, 1.0))


def test_what_cannot_be_measured_is_refused():
    queries, gallery, of_queries, of_gallery = made()
    with pytest.raises(ConfigError, match="no preset"):
        hashing_figures(queries, gallery, of_queries, of_gallery, preset="calc_map")
    with pytest.raises(ShapeError, match="one width"):
        hashing_figures(queries, gallery.astype(float), of_queries, of_gallery)
    with pytest.raises(ShapeError, match="same columns"):
        hashing_figures(queries, gallery, of_queries[:, :2], of_gallery)
    with pytest.raises(ShapeError, match="not finite"):
        hashing_figures(np.full((6, 4), np.nan), np.ones((9, 4)), of_queries, of_gallery)
    with pytest.raises(ShapeError, match="own"):
        hashing_figures(queries, gallery, of_queries, of_gallery, own=[9] * 6)
    with pytest.raises(DataError, match="shares a label"):
        hashing_figures(queries, gallery, np.zeros_like(of_queries), of_gallery)
    with pytest.raises(DataError, match="0 queries"):
        hashing_figures(queries[:0], gallery, of_queries[:0], of_gallery)
    with pytest.raises(ConfigError, match="places"):
        average_precision_ties(np.zeros((1, 2)), np.ones((1, 2), bool), 0)
    with pytest.raises(ShapeError, match="not finite"):
        average_precision_ties(np.full((1, 2), np.nan), np.ones((1, 2), bool))


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_tagging_is_the_slow_one(seed, top):
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 8)), int(rng.integers(top, 7))
    scores = rng.permutation(n * c).reshape(n, c).astype(float)
    labels = rng.random((n, c)) < 0.3
    if not labels.any():
        with pytest.raises(DataError, match="has a label"):
            tagging_figures(scores, labels, top=top)
        return
    found = tagging_figures(scores, labels, top=top)
    assert found.metrics == pytest.approx(slow.tags(scores, labels, top))
    assert (found.unlabelled, found.classes) == ((~labels.any(axis=1)).sum(), labels.any(axis=0).sum())


def test_equal_scores_share_the_places_left():
    """Three of four labels tied for two places: two thirds each; a class nobody has is counted apart."""
    found = tagging_figures(np.array([[9.0, 1, 1, 1, 0]]), np.array([[True, True, False, False, False]]))
    assert found.metrics["precision"] == pytest.approx((1 + 2 / 3) / 3)
    assert found.metrics["class_recall"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found.untested, found.never) == ((2, 3, 4), 0)
    with pytest.raises(ShapeError, match="NaN"):
        tagging_figures(np.array([[np.nan, 1.0]]), np.array([[True, False]]))
    with pytest.raises(ConfigError, match="top"):
        tagging_figures(np.ones((1, 2)), np.ones((1, 2), bool), top=0)


def test_the_interval_of_a_mean_is_that_of_hits_where_they_are_hits():
    hits = np.arange(200) < 150
    assert mean_interval(hits.astype(float), 0) == pytest.approx(bootstrap_interval(torch.tensor(hits), 0), abs=0.01)
    assert mean_interval(np.full(3, 0.5), 0) == (0.5, 0.5)


def test_floors_order_by_the_angle():
    """Clusters along few directions, far from zero: near vectors get near codes, and itq loses less than lsh."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 8, 400)
    x = 50 + 3 * rng.standard_normal((8, 16))[kinds] + 0.3 * rng.standard_normal((400, 16))
    labels = np.eye(8, dtype=bool)[kinds]
    maps = {}
    for name, codes in {"random": None, "lsh": lsh_codes, "itq": itq_codes}.items():
        sets = (
            [random_codes(n, 16, seed=n) for n in (100, 300)]
            if codes is None
            else codes(x[100:], [x[:100], x[100:]], 16)
        )
        assert [each.shape for each in sets] == [(100, 2), (300, 2)]
        maps[name] = hashing_figures(*sets, labels[:100], labels[100:]).metrics["map"]
    assert maps["random"] < 0.2 < 0.7 < maps["lsh"] < maps["itq"]
    scores = ridge(x[100:], labels[100:], [x[:100]])[0]
    assert (scores.argmax(axis=1) == kinds[:100]).mean() > 0.95
    again = lsh_codes(x[100:], [x[:100]], 16)[0]
    assert (again == lsh_codes(x[100:], [x[:100]], 16)[0]).all()
    assert (again != lsh_codes(x[100:], [x[:100]], 16, seed=1)[0]).any()


def test_itq_loses_less_with_every_turn():
    x = np.random.default_rng(0).standard_normal((200, 8)) * np.arange(1, 9)
    lost = []
    for turns in (0, 50):
        signs = np.unpackbits(itq_codes(x, [x], 8, turns=turns)[0], axis=1) * 2.0 - 1
        left, _, right = np.linalg.svd((x - x.mean(0)).T @ signs)  # the best turn of the same signs
        lost.append(np.square(signs - (x - x.mean(0)) @ left @ right).sum())
    assert lost[1] < lost[0]


def test_floors_refuse_what_they_cannot_make():
    x = np.ones((4, 6))
    with pytest.raises(ConfigError, match="multiple of 8"):
        random_codes(3, 12)
    with pytest.raises(ConfigError, match="bit a component"):
        itq_codes(x, [x], 8)
    with pytest.raises(ShapeError, match="one F"):
        lsh_codes(x, [np.ones((4, 5))], 8)
    with pytest.raises(DataError, match="no vectors"):
        lsh_codes(x[:0], [x], 8)
    with pytest.raises(ConfigError, match="alpha"):
        ridge(x, np.ones((4, 1), bool), [x], alpha=0)
