"""A clip that is brought: encoded as the library encodes it, refused where it is none, and gone afterwards."""

import io
import os

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hostile_inputs import UPLOAD_NAMES, UPLOADS
from hostile_inputs import upload as hostile_upload
from PIL import Image

from kinema.data.video import limits
from kinema.searching import database
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of
from kinema.serving import checking, uploads


def upload(client, body, **told):
    return client.post("/api/uploads", content=body, params=told)


@pytest.fixture
def inbox(client):
    """The folder of files that are being looked at."""
    found = []

    def seen(file, hears):
        found.append(file)
        return checking.look(file, with_sound=hears)

    return found, seen


@pytest.fixture
def here(monkeypatch, inbox):
    """Files are looked at in this process, which is quicker; whether they are in another has a test of its own."""
    monkeypatch.setattr(uploads, "_look", inbox[1])
    yield inbox[0]
    assert all(not file.exists() for file in inbox[0])


def test_a_clip_is_encoded_as_by_the_library_and_deleted(client, footage, model, table, here):
    data = (footage / "left/left2.mp4").read_bytes()
    told = upload(client, data, name="C:\\clips\\..\\my clip.MP4").json()
    assert (told["about"], told["video"], told["start"]) == ("my clip.MP4", None, None)
    hit = client.post("/api/search", json={"query": told["query"], "k": 1, "over": "videos"}).json()["hits"][0]
    assert (hit["name"], hit["score"]) == ("left/left2.mp4", pytest.approx(1, abs=1e-5))
    centre = centre_of(database.require_table(str(table)))
    ours = read_query(model, footage / "left/left2.mp4", centre=centre, device="cpu").vector
    kept = client.app.state.queries.find(told["query"]).vector
    np.testing.assert_allclose(kept, ours, atol=1e-6)
    assert len(here) == 1
    assert here[0].name.endswith(".mp4")


def test_a_stretch_of_a_clip(client, footage, here):
    data = (footage / "films/film.mp4").read_bytes()
    told = upload(client, data, name="film.mp4", start=4.0, end=4.9).json()
    assert (told["start"], told["end"]) == pytest.approx((4, 4.9), abs=0.05)
    asked = {"query": told["query"], "k": 1, "where": "label <> 'films'", "over": "videos"}
    found = client.post("/api/search", json=asked).json()
    assert found["hits"][0]["name"] == "down/down1.mp4"
    for start, end in ((2, 1), (50, 51)):
        assert upload(client, data, name="film.mp4", start=start, end=end).status_code == 400
    assert upload(client, data, name="film.mp4", start=2).status_code == 400


def test_a_picture(client, footage, here):
    with io.BytesIO() as file:
        Image.new("RGB", (40, 30), (200, 30, 30)).save(file, "PNG")
        data = file.getvalue()
    told = upload(client, data, name="still.png")
    assert told.status_code == 200, told.text
    assert client.post("/api/search", json={"query": told.json()["query"]}).json()["hits"]


def test_a_clip_is_looked_at_in_a_process_of_its_own(client, footage, monkeypatch):
    monkeypatch.setattr(checking, "look", None)
    data = (footage / "left/left2.mp4").read_bytes()
    assert upload(client, data, name="a.mp4").status_code == 200


def test_a_process_that_dies_is_an_answer(client, footage, monkeypatch):
    monkeypatch.setattr(uploads, "_look", lambda file, _: _look_by("kinema.no_such_module", file))
    told = upload(client, (footage / "left/left2.mp4").read_bytes(), name="a.mp4")
    assert told.status_code == 415
    assert "ended early" in told.json()["error"]["message"]


def _look_by(module, file):
    from kinema.data.workers import run_jobs

    answers = run_jobs(
        module, [[]], [{"file": str(file)}], lambda _, reason: {"health": "unreadable", "reason": reason}
    )
    return next(answer for _, answer in list(answers))


@pytest.mark.parametrize("name", UPLOAD_NAMES)
@pytest.mark.parametrize("body", UPLOADS)
def test_what_is_no_video_is_refused_and_follows_nothing(client, footage, here, body, name):
    answer = upload(client, hostile_upload(body, footage / "left/left2.mp4"), name=name)
    assert answer.status_code == 415, answer.text
    assert answer.json()["error"]["kind"] == "media"
    assert str(footage.parent) not in answer.text
    assert "kinema-serve" not in answer.text


def test_nothing_is_refused_too(client, here):
    assert upload(client, b"", name="a.mp4").json()["error"]["message"] == "The file is empty."


def test_a_damaged_clip_is_encoded_or_refused(client, footage, here):
    data = (footage / "left/left2.mp4").read_bytes()
    for size in (len(data) // 3, len(data) // 2, len(data) - 20):
        assert upload(client, data[:size], name="a.mp4").status_code in (200, 415)


def test_a_clip_that_is_too_large_is_refused_at_the_limit(client, inbox, monkeypatch):
    monkeypatch.setattr(uploads, "_look", inbox[1])
    announced = upload(client, b"x" * (1024 * 1024 + 1), name="a.mp4")
    assert (announced.status_code, announced.json()["error"]["kind"]) == (413, "too_large")
    taken = []

    def pieces():
        for number in range(100):
            taken.append(number)
            yield b"x" * 65536

    assert upload(client, pieces(), name="a.mp4").status_code == 413
    assert inbox[0] == []
    folder = client.app.state.uploads._folder.name
    assert os.listdir(folder) == []


def test_a_query_that_is_too_long_is_refused(serve, footage, named, here):
    data = (footage / "films/film.mp4").read_bytes()
    with TestClient(serve(query_seconds=2.0), base_url="http://127.0.0.1") as client:
        told = upload(client, data, name="film.mp4")
        assert (told.status_code, told.json()["error"]["kind"]) == (413, "too_long")
        assert upload(client, data, name="film.mp4", start=4, end=5).status_code == 200


def test_pictures_that_are_too_large_are_not_decoded(tmp_path, footage, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_PIXELS", 1000)
    reason = checking.look(footage / "left/left2.mp4")["reason"]
    assert reason == "its pictures have 32 x 32 pixels, more than the 1,000 that are decoded"


def test_nothing_is_left_when_the_server_ends(serve):
    with TestClient(serve(), base_url="http://127.0.0.1") as client:
        folder = client.app.state.uploads._folder.name
        assert os.path.isdir(folder)
        assert os.stat(folder).st_mode & 0o077 == 0
    assert not os.path.exists(folder)
