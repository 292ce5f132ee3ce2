"""The server's table in memory: read in the background, and again when it has changed."""

import shutil

import numpy as np
import pytest
from fastapi.testclient import TestClient

import kinema
from kinema.serving import keeper

HOST = "http://127.0.0.1:8000"


def searched(client, **asked):
    answer = client.post("/api/search", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_memory_answers_as_the_store_does_with_any_filter(serve):
    with TestClient(serve(), base_url=HOST) as quick, TestClient(serve(memory_gib=0), base_url=HOST) as slow:
        archive = quick.app.state.archive
        assert archive.keeper.wait(60)
        assert quick.get("/api/archive").json()["memory"]["state"] == "ready"
        told = slow.get("/api/archive").json()["memory"]
        assert (told["state"], slow.app.state.archive.keeper.wait(60)) == ("off", True)
        videos = quick.get("/api/videos").json()["videos"]
        one = videos[0]["id"]
        frame = quick.get(f"/api/videos/{one}/timeline").json()["frame"][1]
        for options in (
            {},
            {"where": "label = 'down'"},
            {"fields": {"label": ["left", None]}},
            {"others": True},
            {"over": "videos", "k": 5},
            {"fields": {"label": ["left"]}, "others": True, "k": 90},
        ):
            for query in (one, f"{one}@{frame}"):
                ours, theirs = (searched(each, query=query, **options) for each in (quick, slow))
                assert ours["exact"]
                for name in ("video", "frame", "start", "label", "cluster", "cluster_name"):
                    assert [hit[name] for hit in ours["hits"]] == [hit[name] for hit in theirs["hits"]]
                scores = [[hit["score"] for hit in each["hits"]] for each in (ours, theirs)]
                np.testing.assert_allclose(*scores, atol=1e-5)
        picture = f"/api/videos/{one}/thumbnail?frame={frame}"
        assert quick.get(picture).content == slow.get(picture).content != b""
        assert quick.get(f"/api/videos/{one}/thumbnail?frame=999999").status_code == 404


def test_a_table_that_changed_is_read_again(serve, table, tmp_path, monkeypatch, footage):
    monkeypatch.setattr(keeper, "REST", 0.1)
    monkeypatch.setattr("kinema.serving.archive.LOOK_AGAIN", 0.0)
    shutil.copytree(table, tmp_path / "index")
    with TestClient(serve(tmp_path / "index"), base_url=HOST) as client:
        archive = client.app.state.archive
        assert archive.keeper.wait(60)
        first = archive.held(archive.snapshot())
        kinema.cluster(tmp_path, table=tmp_path / "index", k=2, over="windows")
        now = archive.snapshot()
        assert now.version != first.version
        assert archive.held(now) is None, "the store answers until it has been read"
        query = client.get("/api/videos").json()["videos"][0]["id"]
        assert {hit["cluster"] for hit in searched(client, query=query)["hits"]} <= {0, 1}
        assert archive.keeper.wait(60)
        assert archive.held(now).version == now.version
        assert {hit["cluster"] for hit in searched(client, query=query)["hits"]} <= {0, 1}


def test_what_does_not_fit_stays_in_the_store(serve):
    with TestClient(serve(memory_gib=1e-6), base_url=HOST) as client:
        assert client.app.state.archive.keeper.wait(60)
        told = client.get("/api/archive").json()["memory"]
        assert told["state"] == "off"
        assert "--memory_gib" in told["note"]
        assert searched(client, query=client.get("/api/videos").json()["videos"][0]["id"])["hits"]


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf")])
def test_memory_below_nothing_is_refused(serve, wrong):
    with pytest.raises(kinema.KinemaError, match="memory_gib"):
        serve(memory_gib=wrong)
