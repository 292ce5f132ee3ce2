"""The map: principal components, and a lasso that holds what lies within it."""

import math

import numpy as np
import pytest

from kinema.serving.projection_map import plane, within


def crossings(point, polygon):
    """The winding of a polygon round a point, from the angles of its corners: odd within, even outside."""
    turns = 0.0
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        one, two = (math.atan2(y - point[1], x - point[0]) for x, y in ((x0, y0), (x1, y1)))
        turns += (two - one + math.pi) % (2 * math.pi) - math.pi
    return round(turns / (2 * math.pi))


@pytest.mark.parametrize("corners", [3, 4, 9, 40])
def test_a_lasso_holds_what_lies_within(corners):
    draw = np.random.default_rng(corners)
    angles = np.sort(draw.uniform(0, 2 * np.pi, corners))
    reach = draw.uniform(0.2, 0.6, corners)
    polygon = np.stack([0.5 + reach * np.cos(angles), 0.5 + reach * np.sin(angles)], axis=1)
    points = draw.uniform(0, 1, (400, 2))
    expected = [crossings(point, polygon.tolist()) % 2 != 0 for point in points.tolist()]
    assert within(points, polygon).tolist() == expected
    assert within(points, polygon[::-1]).tolist() == expected
    assert 0 < sum(expected) < 400


def test_a_lasso_that_crosses_itself_leaves_its_middle_out():
    star = np.array(
        [[0.5 + 0.4 * math.sin(a), 0.5 - 0.4 * math.cos(a)] for a in (n * 4 * math.pi / 5 for n in range(5))]
    )
    assert within(np.array([[0.5, 0.5], [0.5, 0.2]]), star).tolist() == [False, True]


def test_the_plane_is_that_of_the_largest_spread():
    draw = np.random.default_rng(0)
    spread = draw.normal(size=(300, 2)) * [5, 2]
    basis, _ = np.linalg.qr(draw.normal(size=(16, 16)))
    vectors = (spread @ basis[:2] + 0.01 * draw.normal(size=(300, 16))).astype(np.float32)
    placed, share = plane(vectors)
    assert share > 0.99
    assert (placed.min(), placed.max()) == pytest.approx((0, 1), abs=1e-9)
    scale = np.ptp(spread[:, 0]) / np.ptp(placed[:, 0])
    for axis in range(2):
        ours = (placed[:, axis] - placed[:, axis].mean()) * scale
        np.testing.assert_allclose(np.abs(ours), np.abs(spread[:, axis] - spread[:, axis].mean()), atol=0.4)
    assert np.array_equal(plane(vectors)[0], placed)


@pytest.mark.parametrize("vectors", [np.ones((1, 8)), np.ones((5, 8)), np.eye(2, 8), np.zeros((0, 8)), np.ones((3, 1))])
def test_few_or_equal_rows_have_a_place_too(vectors):
    placed, share = plane(vectors.astype(np.float32))
    assert placed.shape == (len(vectors), 2)
    assert np.isfinite(placed).all()
    assert 0 <= share <= 1


def test_many_windows_are_drawn_as_videos_and_many_videos_evenly(serve, client, monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setattr("kinema.serving.projection_map.MOST", 10)
    with TestClient(serve(), base_url="http://127.0.0.1") as few:
        chart = few.get("/api/map").json()
        assert (chart["over"], chart["total"], len(chart["x"])) == ("videos", 14, 10)
        assert len(set(chart["names"])) == 10
        every = {"version": chart["version"], "polygon": [[-1, -1], [2, -1], [2, 2], [-1, 2]]}
        asked = {"query": chart["videos"][0], "lasso": every, "k": 1000}
        videos = few.post("/api/search", json=asked | {"over": "videos"}).json()["hits"]
        assert {hit["name"] for hit in videos} <= set(chart["names"])
        assert len(videos) > 4
        assert {hit["name"] for hit in few.post("/api/search", json=asked).json()["hits"]} <= set(chart["names"])
