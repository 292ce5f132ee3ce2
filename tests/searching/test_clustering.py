"""Clusters are what scikit-learn finds, names follow what stays, and pairs are those of a plain search."""

import time
from datetime import timedelta

import numpy as np
import pytest
from searching_tables import rows_by_id

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.searching import database, index
from kinema.searching.clustering import NOISE, match_names
from kinema.searching.near_duplicates import _nearest_pairs, near_duplicates


def test_a_name_follows_the_cluster_that_is_mostly_the_same():
    before = [0, 0, 0, 0, 1, 1, 1, None]
    names = ["walk"] * 4 + ["run"] * 3 + [None]
    assert match_names(before, names, [5, 5, 5, 2, 2, 2, 2, 2]) == ({5: "walk", 2: "run"}, ())
    assert match_names(before, names, [5, 5, 2, 2, 2, 2, 2, 2]) == ({2: "run"}, ("walk",))  # of walk half is left
    assert match_names(before, names, [0] * 8) == ({0: "walk"}, ("run",))  # 4 of 7
    assert match_names(before, names, [NOISE] * 8) == ({}, ("run", "walk"))
    assert match_names([None] * 8, [None] * 8, [0] * 8) == ({}, ())


def test_rows_that_were_not_there_before_do_not_count():
    assert match_names([0, 0] + [None] * 50, ["walk"] * 2 + [None] * 50, [3] * 52) == ({3: "walk"}, ())


@pytest.fixture
def run(make_table, tmp_path):
    """Thirty videos of four windows about three directions: 15, 9 and 6 of them."""
    draw = np.random.default_rng(0)
    directions = np.repeat([0] * 15 + [1] * 9 + [2] * 6, 4)
    vectors = np.eye(8)[directions] + 0.1 * draw.normal(size=(120, 8))
    names = [f"{'abc'[direction]}{number // 4:02d}.mp4" for number, direction in enumerate(directions)]
    make_table(tmp_path / "run/index", vectors, names)
    return tmp_path / "run"


def members(run, kind="video"):
    held = rows_by_id(database.require_table(str(run / "index")), "kind", "video", "cluster", "cluster_name")
    found = {}
    for what, video, cluster, name in zip(*held.values(), strict=True):
        if what == kind:
            found.setdefault((cluster, name), []).append(video[0])
    return found


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_clusters_are_found_largest_first(run, method):
    found = kinema.cluster(run, method=method, k=3)
    assert [each.size for each in found.clusters] == [15, 9, 6]
    assert {key: set(value) for key, value in members(run).items()} == {
        (0, None): {"a"},
        (1, None): {"b"},
        (2, None): {"c"},
    }
    assert {key: len(value) for key, value in members(run, "window").items()} == {
        (0, None): 60,
        (1, None): 36,
        (2, None): 24,
    }
    for each, letter in zip(found.clusters, "abc", strict=True):
        shown = [clip.video for clip in each.representatives]
        assert len(set(shown)) == 3
        assert {video[0] for video in shown} == {letter}
    held = database.require_table(str(run / "index")).search().where("kind = 'video' AND cluster = 0").to_arrow()
    vectors = held["vector"].combine_chunks().flatten().to_numpy().reshape(15, 8)
    best = held["video"].to_pylist()[int((vectors @ vectors.mean(0)).argmax())]
    assert found.clusters[0].representatives[0].video == best


def test_windows_can_be_clustered_for_themselves(run):
    found = kinema.cluster(run, k=3, over="windows")
    assert [each.size for each in found.clusters] == [60, 36, 24]
    assert set(members(run)) == {(None, None)}
    assert [each.name for each in kinema.cluster(run, names={2: "rare"}).clusters] == [None, None, "rare"]


def test_names_stay_through_another_clustering_and_go_with_their_cluster(run):
    kinema.cluster(run, k=3)
    named = kinema.cluster(run, names={1: "run", 2: "cart'wheel"})
    assert [(each.number, each.name, each.size) for each in named.clusters] == [
        (0, None, 15),
        (1, "run", 9),
        (2, "cart'wheel", 6),
    ]
    again = kinema.cluster(run, k=3, seed=5)
    assert (again.kept, again.dropped) == (("cart'wheel", "run"), ())
    assert set(members(run)) == {(0, None), (1, "run"), (2, "cart'wheel")}
    merged = kinema.cluster(run, k=1)
    assert (merged.kept, merged.dropped) == ((), ("cart'wheel", "run"))
    assert set(members(run)) == {(0, None)}
    assert [each.name for each in kinema.cluster(run, names={0: "all"}).clusters] == ["all"]
    assert [each.name for each in kinema.cluster(run, names={0: ""}).clusters] == [None]


def test_what_cannot_be_named_or_clustered(run, tmp_path, lancedb):
    with pytest.raises(DataError, match="was not clustered"):
        kinema.cluster(run, names={0: "x"})
    kinema.cluster(run, k=3)
    with pytest.raises(UsageError, match="no cluster 3"):
        kinema.cluster(run, names={3: "x"})
    with pytest.raises(UsageError, match="Two clusters would be called 'x'"):
        kinema.cluster(run, names={0: "x", 1: "x"})
    with pytest.raises(DataError, match="30 rows to make 31"):
        kinema.cluster(run, k=31)
    with pytest.raises(DataError, match="fewer than the smallest cluster of 40"):
        kinema.cluster(run, method="hdbscan", least=40)
    for settings in ({"k": 0}, {"method": "ward"}, {"over": "frames"}, {"least": 1}):
        with pytest.raises(UsageError):
            kinema.cluster(run, **settings)
    with pytest.raises(DataError, match="There is no table"):
        kinema.cluster(tmp_path / "nowhere")
    assert set(members(run)) == {(0, None), (1, None), (2, None)}


def test_pairs_are_those_of_a_plain_search(run):
    held = database.require_table(str(run / "index")).search().where("kind = 'window'").to_arrow()
    vectors = held["vector"].combine_chunks().flatten().to_numpy().reshape(120, 8)
    names, starts = held["video"].to_pylist(), held["start"].to_pylist()
    best = {}
    for i in range(120):
        for j in range(120):
            score = float(vectors[i].astype(np.float64) @ vectors[j])
            if names[i] < names[j] and score >= 0.97 and score > best.get((names[i], names[j]), (0,))[0]:
                best[names[i], names[j]] = (score, starts[i], starts[j])
    found = near_duplicates(str(run / "index"), threshold=0.97)
    assert 50 < len(best) < 435
    assert {(pair.a, pair.b): (pair.start_a, pair.start_b) for pair in found} == {
        pair: value[1:] for pair, value in best.items()
    }
    assert [pair.score for pair in found] == pytest.approx(
        sorted((v[0] for v in best.values()), reverse=True), abs=1e-6
    )
    with pytest.raises(UsageError, match="least score"):
        near_duplicates(str(run / "index"), threshold=0)


def test_more_pairs_than_anybody_looks_at_are_refused(monkeypatch):
    monkeypatch.setattr("kinema.searching.near_duplicates.MAX_PAIRS", 5)
    vectors = np.tile(np.asarray([[1, 0]], np.float32), (6, 1))
    with pytest.raises(DataError, match="More than 5 pairs"):
        _nearest_pairs(vectors, list("abcdef"), 0.9)


def test_a_table_does_not_grow_when_it_is_clustered_again(run, monkeypatch):
    monkeypatch.setattr(index, "GRACE", timedelta(seconds=0.5))

    def size():
        return sum(file.stat().st_size for file in (run / "index").rglob("*.lance") if "data" in file.parts)

    first, sizes = size(), []
    for seed in range(6):
        time.sleep(0.6)
        before = database.require_table(str(run / "index")).version
        kinema.cluster(run, k=3, seed=seed)
        sizes.append(size())
    assert max(sizes[2:]) <= 2.5 * first
    assert sizes[-1] <= 1.05 * sizes[2]
    table = database.require_table(str(run / "index"))
    assert len(table.list_versions()) < 10
    rows = table.count_rows()
    table.checkout(before)  # the last good one
    assert table.to_arrow().num_rows == rows
