"""Re-identification against a slow oracle, by hand, and against the figures that two published evaluators gave."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import reid as slow

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation.colours import colour_stripes, colours_of
from kinema.evaluation.reid import REID_PRESETS, reid_figures

MARKET = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trl"
KINDS = ["person", "person", "person", "distractor", "junk"]


@st.composite
def galleries(draw):
    """Distances with many ties, few people and cameras; queries within the gallery and from elsewhere."""
    g, q = draw(st.integers(1, 14)), draw(st.integers(1, 6))
    few = st.integers(0, 3)
    ids, cameras, kinds = (draw(st.lists(each, min_size=g, max_size=g)) for each in (few, few, st.sampled_from(KINDS)))
    people = [row for row in range(g) if kinds[row] == "person"]
    own = [draw(st.sampled_from([-1, *people])) for _ in range(q)]
    query_ids = [ids[row] if row >= 0 else draw(few) for row in own]
    query_cameras = [cameras[row] if row >= 0 else draw(few) for row in own]
    distances = draw(st.lists(st.lists(st.integers(0, 5), min_size=g, max_size=g), min_size=q, max_size=q))
    return np.array(distances) / 5, query_ids, ids, query_cameras, cameras, own, kinds


@given(galleries(), st.sampled_from(REID_PRESETS))
@settings(max_examples=120, deadline=None)
def test_both_rules_are_the_slow_ones(world, preset):
    *arrays, own, kinds = world
    expected, outcomes = slow.figures(*arrays, preset=preset, own=own, kinds=kinds)
    if not expected:
        with pytest.raises(DataError, match="has a match"):
            reid_figures(*arrays, preset=preset, own=own, kinds=kinds)
        return
    found = reid_figures(*arrays, preset=preset, own=own, kinds=kinds)
    assert found.metrics == pytest.approx(expected)
    assert found.first.tolist() == [0 if outcome is None else outcome[0] for outcome in outcomes]
    assert found.ap.tolist() == pytest.approx([np.nan if each is None else each[1] for each in outcomes], nan_ok=True)
    assert found.unmatched == sum(outcome is None for outcome in outcomes)
    order = np.random.default_rng(0).permutation(len(kinds))
    at = {int(row): place for place, row in enumerate(order)} | {-1: -1}
    distances, query_ids, ids, query_cameras, cameras = map(np.array, arrays)
    again = reid_figures(
        distances[:, order],
        query_ids,
        ids[order],
        query_cameras,
        cameras[order],
        preset=preset,
        own=[at[row] for row in own],
        kinds=np.array(kinds)[order],
    )
    assert again.metrics == found.metrics, "the order of the gallery changes nothing, nor do ties"


def test_one_query_by_hand_under_both_rules():
    """Ranking after what is passed over: match, wrong, match."""
    distances = np.array([[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]])
    ids, cameras = ["a", "a", "b", "a", "-1", "a"], ["1", "2", "1", "1", "2", "3"]
    official = reid_figures(distances, ["a"], ids, ["1"], cameras, preset="official", own=[0])
    torchreid = reid_figures(distances, ["a"], ids, ["1"], cameras, preset="torchreid", own=[0])
    assert official.metrics["map"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert torchreid.metrics["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert (official.metrics["rank-1"], official.first.tolist(), official.fewest) == (1.0, [1], 3)
    assert (official.gallery, torchreid.gallery, official.junk) == (5, 4, 1)


def test_an_encoder_that_maps_all_to_one_point_finds_nobody():
    ids = np.repeat(np.arange(40), 2)
    cameras = np.tile([0, 1], 40)
    found = reid_figures(np.zeros((80, 80)), ids, ids, cameras, cameras, own=np.arange(80))
    assert found.metrics["rank-20"] == 0.0
    assert found.metrics["map"] < 0.01


def test_random_halves_are_the_same_for_all_and_hold_half_of_the_people():
    rng = np.random.default_rng(0)
    ids, cameras = np.repeat(np.arange(10), 4), np.tile([0, 0, 1, 1], 10)
    one, other = rng.random((40, 40)), rng.random((40, 40))
    kinds = ["person"] * 40
    first = reid_figures(one, ids, ids, cameras, cameras, kinds=kinds)
    assert len(first.splits) == 10
    assert first.mean["map"] == pytest.approx(np.mean([each["map"] for each in first.splits]))
    assert first.deviation["map"] == pytest.approx(np.std([each["map"] for each in first.splits], ddof=1))
    assert first.mean["map"] > first.metrics["map"], "half of the people are half of the wrong answers"
    again = reid_figures(one, ids, ids, cameras, cameras, kinds=kinds)
    assert again.splits == first.splits
    assert reid_figures(one, ids, ids, cameras, cameras, seed=1).splits != first.splits
    assert reid_figures(other, ids, ids, cameras, cameras).metrics != first.metrics
    few = ids < 3
    assert not reid_figures(one[few][:, few], ids[few], ids[few], cameras[few], cameras[few]).splits


def test_what_cannot_be_measured_is_refused():
    good = np.ones((2, 3)), ["a", "b"], ["a", "b", "c"], ["1", "2"], ["2", "1", "1"]

    def wrong(place, value, error, words, **options):
        with pytest.raises(error, match=words):
            reid_figures(*(value if n == place else each for n, each in enumerate(good)), **options)

    wrong(0, np.array([[1, np.nan, 0], [0, 0, 0]]), ShapeError, "1 of 6 distances are NaN")
    wrong(0, np.ones(3), ShapeError, "expected numbers")
    wrong(0, np.ones((0, 3)), DataError, "There are 0 queries")
    wrong(1, ["a", ""], DataError, "1 of 2 queries have no known identity; the first is query 1")
    wrong(2, ["a", "b"], ShapeError, "gallery_ids")
    wrong(4, ["1", "2", "1"], DataError, "None of 2 queries has a match")
    wrong(-1, None, ConfigError, "no preset 'mars'", preset="mars")
    wrong(-1, None, ConfigError, "'dog' is no kind", kinds=["person", "dog", "person"])
    wrong(-1, None, ShapeError, "'own'", own=[0, 3])
    wrong(-1, None, DataError, "which is no query", own=[0, 1], preset="torchreid")


def test_colours_tell_clothes_apart_and_not_the_light():
    def person(shirt, trousers):
        crop = np.zeros((1, 60, 20, 3), dtype=np.uint8)
        crop[:, :30], crop[:, 30:] = shirt, trousers
        return crop

    red, dark = colours_of(person((200, 20, 20), (20, 20, 200))), colours_of(person((100, 10, 10), (10, 10, 100)))
    swapped = colours_of(person((20, 20, 200), (200, 20, 20)))
    assert red @ dark == pytest.approx(1)
    assert red @ swapped == pytest.approx(0)
    assert np.linalg.norm(red) == pytest.approx(1)
    grey = np.random.default_rng(0).integers(0, 256, (2, 61, 9, 3), dtype=np.uint8)
    assert np.allclose(colour_stripes(grey).sum(axis=1), 1)
    assert np.allclose((colour_stripes(grey, root=True) ** 2).sum(axis=1), 1)
    with pytest.raises(ShapeError, match="5 rows"):
        colour_stripes(grey[:, :5])


@pytest.mark.parametrize("colour", [(255, 0, 0), (3, 250, 77), (10, 10, 10), (0, 0, 0), (255, 255, 254), (90, 7, 201)])
def test_hue_and_saturation_are_those_of_the_standard_library(colour):
    import colorsys

    hue, saturation, _ = colorsys.rgb_to_hsv(*(value / 255 for value in colour))
    found = colour_stripes(np.full((1, 6, 2, 3), colour, dtype=np.uint8), stripes=1)[0]
    assert found.argmax() == min(int(hue * 16), 15) * 8 + min(int(saturation * 8), 7)


@pytest.fixture(scope="module")
def market():
    """The tracklets of market198: identities, cameras, rows of queries, crops and OSNet's features by tracklet."""
    runtime = pytest.importorskip("onnxruntime")
    image = pytest.importorskip("PIL.Image")
    if not (MARKET / "market198").is_dir():
        pytest.skip("the real tracklets (../shared/data/trl) are not here")
    with (MARKET / "market198" / "tracklets.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(
        str(MARKET / "osnet" / "osnet_x0_25_msmt17.onnx"), options, providers=["CPUExecutionProvider"]
    )
    mean, deviation = (np.array(each, dtype=np.float32) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    crops, features, longest = [], [], {}
    for number, row in enumerate(rows):
        pictures = [image.open(MARKET / "market198" / "images" / name).convert("RGB") for name in row["files"].split()]
        crops.append(np.stack([np.asarray(picture) for picture in pictures]))
        large = [np.asarray(each.resize((128, 256), image.Resampling.BILINEAR), dtype=np.float32) for each in pictures]
        x = np.ascontiguousarray(((np.stack(large) / 255 - mean) / deviation).transpose(0, 3, 1, 2))
        features.append(session.run(None, {session.get_inputs()[0].name: x})[0])
        person = (row["person"], row["camera"])
        if person not in longest or int(row["n"]) > int(rows[longest[person]]["n"]):
            longest[person] = number
    ids, cameras = (np.array([row[key] for row in rows]) for key in ("person", "camera"))
    return ids, cameras, np.array(sorted(longest.values())), crops, features


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "official", "torchreid"),
    [
        ("mean", (0.765, 0.482), (0.649, 0.508)),
        ("first", (0.635, 0.370), (0.557, 0.432)),
        ("max", (0.740, 0.441), (0.596, 0.459)),
        ("colours", (0.2705, 0.1043), (0.1962, 0.1242)),
    ],
)
def test_market198_has_the_figures_that_were_published_for_it(market, name, official, torchreid):
    """The mean (or the largest, or the first frame) of OSNet's features as they are, compared by cosine.

    The features are not brought to length 1 before the mean. Of colours the figures to compare with, 28.5/10.5 and
    19.9/12.3, are of a histogram whose bins nobody wrote down; these are near.
    """
    ids, cameras, queries, crops, features = market
    pooled = {
        "mean": lambda: [each.mean(axis=0) for each in features],
        "first": lambda: [each[0] for each in features],
        "max": lambda: [each.max(axis=0) for each in features],
        "colours": lambda: [colours_of(each) for each in crops],
    }
    x = np.stack(pooled[name]())
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for preset, expected, matched in (("official", official, 965), ("torchreid", torchreid, 790)):
        found = reid_figures(
            1 - x[queries] @ x.T, ids[queries], ids, cameras[queries], cameras, preset=preset, own=queries
        )
        assert found.measured == matched
        assert [found.metrics["rank-1"], found.metrics["map"]] == pytest.approx(expected, abs=0.00055)
