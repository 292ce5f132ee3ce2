"""What the server answers is what search says and the table holds; what is wrong is told as an error of ours."""

import json
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient

import kinema
from kinema.searching.hits import Hit


def found(client, **asked):
    answer = client.post("/api/search", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"kind", "message", "hint"}
    return answer.json()["error"]


def test_the_archive_is_told(client):
    told = client.get("/api/archive").json()
    assert (told["videos"], told["view"], told["encoder"]) == (14, "rgb", "made")
    assert told["exact"]
    assert told["pictures"]
    columns = {each["name"]: each for each in told["columns"]}
    assert columns["label"]["values"] == ["down", "films", "left", "right"]
    assert columns["label"]["counts"] == [4, 2, 4, 4]
    assert columns["codec"]["values"] == ["h264", "mpeg4"]
    assert {"vector", "thumbnail"} & columns.keys() == set()
    assert [each["cluster"] for each in told["clusters"]] == [0, 1, 2]
    assert sum(each["size"] for each in told["clusters"]) == told["windows"]


def test_videos_are_listed_found_and_spread(client):
    told = client.get("/api/videos", params={"contains": "LEFT/", "limit": 3}).json()
    assert told["total"] == 4
    assert [video["name"] for video in told["videos"]] == ["left/left0.mp4", "left/left1.mp4", "left/left2.mp4"]
    told = client.get("/api/videos", params={"contains": "LEFT/", "limit": 3, "offset": 3}).json()
    assert [video["name"] for video in told["videos"]] == ["left/left3.mp4"]
    assert client.get("/api/videos?contains=nobody").json() == {"total": 0, "videos": []}
    assert client.get("/api/videos?offset=99").json() == {"total": 14, "videos": []}
    labels = {video["label"] for video in client.get("/api/videos?limit=4&spread=true").json()["videos"]}
    assert labels == {"down", "films", "left", "right"}


def test_all_videos_are_lines_of_json(client, named):
    answer = client.get("/api/videos/all")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert {json.loads(line)["name"] for line in answer.text.splitlines()} == set(named)


def test_one_video(client, named):
    told = client.get(f"/api/videos/{named['films/old.avi']}").json()
    assert (told["name"], told["codec"], told["type"]) == ("films/old.avi", "mpeg4", "application/octet-stream")
    assert told["duration"] == pytest.approx(7, abs=0.05)
    error_of(client.get("/api/videos/" + "0" * 20), 404)


def test_a_search_with_an_indexed_video_is_that_of_the_library(client, named, model, table, footage):
    told = found(client, query=named["left/left1.mp4"], k=5)
    ours = kinema.search(model, footage / "left/left1.mp4", k=5, table=table, device="cpu")
    assert [hit["name"] for hit in told["hits"]] == [hit.video for hit in ours.hits]
    np.testing.assert_allclose([hit["score"] for hit in told["hits"]], [hit.score for hit in ours.hits], atol=1e-5)
    assert [(hit["start"], hit["end"]) for hit in told["hits"]] == [(hit.start, hit.end) for hit in ours.hits]


def test_searching_an_indexed_video_encodes_nothing(client, named, model, monkeypatch):
    monkeypatch.setattr(model, "encode_clips", None)
    assert found(client, query=named["left/left1.mp4"])["hits"]
    told = client.get(f"/api/videos/{named['films/film.mp4']}/timeline").json()
    frame = next(frame for frame, start in zip(told["frame"], told["start"], strict=True) if start > 4.3)
    asked = client.post("/api/queries", json={"video": named["films/film.mp4"], "frame": frame}).json()
    hit = found(client, query=asked["query"], k=1)["hits"][0]
    assert (hit["name"], hit["frame"]) == ("films/film.mp4", frame)
    assert hit["score"] == pytest.approx(1, abs=1e-5)


def test_a_stretch_is_encoded_and_finds_what_it_shows(client, named, footage, model, table):
    asked = client.post("/api/queries", json={"video": named["films/film.mp4"], "start": 4.0, "end": 4.9}).json()
    assert asked["query"].startswith("~")
    assert (asked["start"], asked["end"]) == pytest.approx((4, 4.9), abs=0.05)
    best = found(client, query=asked["query"], k=1, where="label = 'down'")["hits"][0]
    ours = kinema.search(model, f"{footage}/films/film.mp4@4.0-4.9", k=1, where="label = 'down'", table=table)
    assert best["name"] == ours.hits[0].video == "down/down1.mp4"
    assert best["score"] == pytest.approx(ours.hits[0].score, abs=1e-5)


def test_filters(client, named):
    query = named["left/left1.mp4"]
    assert {hit["label"] for hit in found(client, query=query, fields={"label": ["down", "right"]}, k=50)["hits"]} == {
        "down",
        "right",
    }
    assert {hit["label"] for hit in found(client, query=query, where="label = 'down'", k=50)["hits"]} == {"down"}
    both = {"fields": {"label": ["down"], "cluster": [0, 1, 2, None]}, "where": "video LIKE '%2.mp4'"}
    assert {hit["name"] for hit in found(client, query=query, k=50, **both)["hits"]} == {"down/down2.mp4"}
    assert found(client, query=query, fields={"label": [None]})["hits"] == []
    assert found(client, query=query, fields={"audio": [True]})["hits"] == []
    assert query not in {hit["video"] for hit in found(client, query=query, others=True, k=50)["hits"]}
    whole = found(client, query=query, over="videos", k=50)["hits"]
    assert 6 < len({hit["video"] for hit in whole}) == len(whole) < 14  # what is unlike is no hit
    assert min(hit["score"] for hit in whole) >= 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"nosuch": ["a"]}, "no column 'nosuch'"),
        ({"vector": [1]}, "no column 'vector'"),
        ({"label": [1]}, "label is a text"),
        ({"duration": ["1"]}, "duration is a number"),
        ({"duration": [True]}, "duration is a number"),
        ({"audio": ["x"]}, "audio is a truth"),
        ({"label": ["a\0b"]}, "characters that no text has"),
    ],
)
def test_filters_that_cannot_be(client, named, fields, said):
    told = error_of(client.post("/api/search", json={"query": named["left/left1.mp4"], "fields": fields}), 400)
    assert said in told["message"]


def test_values_of_filters_are_values_whatever_they_hold(client, named, rows):
    before = rows()
    evil = ["x') OR (1 = 1", "'; DROP TABLE windows; --", "`", "down' --"]
    assert found(client, query=named["left/left1.mp4"], fields={"label": evil})["hits"] == []
    assert rows() == before


def test_lines_are_the_hits_of_a_search(client, named):
    asked = {"query": named["left/left1.mp4"], "k": 1000}
    answer = client.post("/api/search/lines", json=asked)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == found(client, **asked)["hits"]
    assert len(lines) > 14


def test_a_timeline_has_the_likeness_of_every_window(client, named, table):
    video, query = named["films/film.mp4"], named["down/down1.mp4"]
    told = client.get(f"/api/videos/{video}/timeline", params={"query": query}).json()
    assert told["frame"] == sorted(told["frame"])
    assert len(told["score"]) == len(told["start"]) == len(told["cluster"])
    best = found(client, query=query, where="video = 'films/film.mp4'", k=1)["hits"][0]
    at = int(np.argmax(told["score"]))
    assert (told["frame"][at], told["start"][at]) == (best["frame"], best["start"])
    assert told["score"][at] == pytest.approx(best["score"], abs=1e-5)
    assert 3.8 <= best["start"] <= 5
    assert client.get(f"/api/videos/{video}/timeline").json()["score"] is None


def test_thumbnails(client, named):
    video = named["films/film.mp4"]
    whole = client.get(f"/api/videos/{video}/thumbnail")
    assert (whole.headers["content-type"], whole.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    frame = client.get(f"/api/videos/{video}/timeline").json()["frame"][-1]
    assert client.get(f"/api/videos/{video}/thumbnail?frame={frame}").content != b""
    error_of(client.get(f"/api/videos/{video}/thumbnail?frame=999999"), 404)


def test_the_map_and_the_lasso(client, named):
    chart = client.get("/api/map").json()
    points = np.array([chart["x"], chart["y"]]).T
    assert chart["over"] == "windows"
    assert points.min() >= 0
    assert points.max() <= 1
    assert len(points) == client.get("/api/archive").json()["windows"]
    middle = float(np.median(points[:, 0]))
    half = {"version": chart["version"], "polygon": [[-1, -1], [middle, -1], [middle, 2], [-1, 2]]}
    inside = points[:, 0] < middle
    assert client.post("/api/map/lasso", json=half).json() == {"over": "windows", "count": int(inside.sum())}
    expected = {
        (chart["videos"][chart["video"][at]], chart["frame"][at]) for at in np.flatnonzero(points[:, 0] <= middle)
    }
    hits = found(client, query=named["down/down1.mp4"], lasso=half, k=1000)["hits"]
    assert hits
    assert {(hit["video"], hit["frame"]) for hit in hits} <= expected
    videos = found(client, query=named["down/down1.mp4"], lasso=half, k=1000, over="videos")["hits"]
    assert {hit["video"] for hit in videos} <= {video for video, _ in expected}
    nothing = half | {"polygon": [[5, 5], [6, 5], [6, 6]]}
    assert found(client, query=named["down/down1.mp4"], lasso=nothing)["hits"] == []
    told = error_of(client.post("/api/map/lasso", json=half | {"version": chart["version"] + 1}), 409)
    assert told["kind"] == "changed"


def test_a_condition_that_is_wrong_names_the_columns(client, named):
    answer = client.post("/api/search", json={"query": named["left/left1.mp4"], "where": "lable = 'left'"})
    told = error_of(answer, 400)
    assert "there is no column 'lable'" in told["message"]
    assert "label, source, split" in told["hint"]
    assert "--where" not in answer.text


def test_queries_that_are_none(client, named):
    video = named["films/film.mp4"]
    for asked in ({"start": 1}, {"start": 2, "end": 1}, {"end": 1}, {"start": 1, "end": 2, "frame": 0}):
        error_of(client.post("/api/queries", json={"video": video, **asked}), 400)
    assert (
        "lasts" in error_of(client.post("/api/queries", json={"video": video, "start": 50, "end": 51}), 400)["message"]
    )
    error_of(client.post("/api/queries", json={"video": video, "frame": 999}), 404)
    error_of(client.post("/api/search", json={"query": "~" + "x" * 16}), 404)


def test_queries_are_forgotten_in_their_turn(client, named, monkeypatch):
    monkeypatch.setattr("kinema.serving.queries.MOST_QUERIES", 2)
    body = {"video": named["films/film.mp4"], "start": 4.0, "end": 4.5}
    names = [client.post("/api/queries", json=body).json()["query"] for _ in range(3)]
    assert [client.post("/api/search", json={"query": name}).status_code for name in names] == [404, 200, 200]


def test_what_was_changed_since_is_not_read(serve, footage, model, tmp_path, make_tiny_video):
    make_tiny_video(tmp_path / "videos/a.mp4", (1, 0), seed=1)
    kinema.embed(model, tmp_path / "videos", out=tmp_path / "index", workers=1)
    with TestClient(serve(tmp_path / "index"), base_url="http://127.0.0.1") as client:
        video = client.get("/api/videos").json()["videos"][0]["id"]
        make_tiny_video(tmp_path / "videos/a.mp4", (0, 1), seed=2, frames=40)
        told = error_of(client.post("/api/queries", json={"video": video, "start": 0.1, "end": 0.5}), 409)
        assert "kinema embed" in told["hint"]
        make_tiny_video(tmp_path / "videos/b.mp4", (0, 1), seed=3)
        kinema.embed(model, tmp_path / "videos", out=tmp_path / "index", workers=1)
        client.app.state.archive._looked = 0
        assert client.get("/api/archive").json()["videos"] == 2


def test_a_table_that_another_encoder_made_meanwhile_is_refused(serve, tmp_path, make_tiny_video, model):
    from searching_tables import model_of

    make_tiny_video(tmp_path / "videos/a.mp4", (1, 0), seed=1)
    kinema.embed(model, tmp_path / "videos", out=tmp_path / "index", workers=1)
    with TestClient(serve(tmp_path / "index"), base_url="http://127.0.0.1") as client:
        kinema.embed(model_of(seed=1), tmp_path / "videos", out=tmp_path / "index", workers=1, replace=True)
        client.app.state.archive._looked = 0
        answer = client.get("/api/archive")
        assert "another encoder" in error_of(answer, 422)["message"]
        assert str(tmp_path) not in answer.text


def test_a_query_that_was_seen_from_another_centre_is_forgotten(serve, tmp_path, make_tiny_video, model):
    """What is only added to a table leaves its centre, and the query; a table made anew has another."""
    for name, motion in (("a", (1, 0)), ("c", (-2, 0))):
        make_tiny_video(tmp_path / f"videos/{name}.mp4", motion, seed=1, frames=30)
    settings = {"out": tmp_path / "index", "workers": 1, "device": "cpu"}
    kinema.embed(model, tmp_path / "videos", **settings)
    with TestClient(serve(tmp_path / "index"), base_url="http://127.0.0.1") as client:
        video = client.get("/api/videos").json()["videos"][0]["id"]
        name = client.post("/api/queries", json={"video": video, "start": 0.1, "end": 0.5}).json()["query"]
        make_tiny_video(tmp_path / "videos/b.mp4", (0, 1), seed=3, frames=40)
        kinema.embed(model, tmp_path / "videos", **settings)
        client.app.state.archive._looked = 0
        assert client.post("/api/search", json={"query": name}).status_code == 200
        kinema.embed(model, tmp_path / "videos", **settings, replace=True)
        client.app.state.archive._looked = 0
        told = error_of(client.post("/api/search", json={"query": name}), 404)
        assert "bring the clip again" in told["message"]
        assert client.post("/api/search", json={"query": video}).status_code == 200
        again = client.post("/api/queries", json={"video": video, "start": 0.1, "end": 0.5}).json()["query"]
        hits = client.post("/api/search", json={"query": again, "k": 1}).json()["hits"]
        assert hits[0]["video"] == video
        assert hits[0]["score"] > 0.9


def test_an_application_is_mounted_in_another(serve):
    from fastapi import FastAPI

    outer = FastAPI()
    outer.mount("/search", serve(token="a-token-of-some-letters", host="0.0.0.0"))
    client = TestClient(outer, base_url="http://127.0.0.1")
    assert "kinema" in client.get("/search/").text
    assert client.get("/search/api/archive").status_code == 401
    headers = {"Authorization": "Bearer a-token-of-some-letters"}
    assert client.get("/search/api/archive", headers=headers).json()["videos"] == 14


def test_two_hundred_searches_at_once(client, named):
    from concurrent.futures import ThreadPoolExecutor

    names = list(named.values())
    alone = {name: found(client, query=name, k=3)["hits"] for name in names}

    def right(number):
        name = names[number % len(names)]
        return found(client, query=name, k=3)["hits"] == alone[name]

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(right, range(200))) == 200


def test_what_waits_to_be_encoded_is_bounded(serve, named, model, monkeypatch):
    import threading
    from concurrent.futures import ThreadPoolExecutor

    free, real = threading.Event(), model.encode_clips
    monkeypatch.setattr(model, "encode_clips", lambda *a, **k: (free.wait(20), real(*a, **k))[1])
    body = {"video": named["films/film.mp4"], "start": 4.0, "end": 4.5}
    with TestClient(serve(waiting=2), base_url="http://127.0.0.1") as client, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, "/api/queries", json=body) for _ in range(4)]
        while sum(each.done() for each in asked) < 2:
            pass
        free.set()
        answers = [each.result() for each in asked]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    assert {answer.json()["error"]["kind"] for answer in answers if answer.status_code == 503} == {"busy"}


def test_a_hit_is_told_without_its_picture(client, named):
    told = found(client, query=named["left/left1.mp4"], k=1)["hits"][0]
    assert set(told) == {"video", "name", "frame", "start", "end", "score", "label", "cluster", "cluster_name"}
    assert "thumbnail" in Hit.__dataclass_fields__


def test_the_document_names_every_operation_and_loads_nothing(client):
    told = client.get("/openapi.json").json()
    assert {path for path in told["paths"] if not path.startswith("/api/")} == set()
    assert len(told["paths"]) == 17
    for page in ("/", "/docs"):
        text = client.get(page).text
        assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text) == []
        for name in re.findall(r"""(?:src|href)="(static/[\w.]+)\"""", text):
            assert client.get(f"/{name}").status_code == 200
