"""A run that answers questions is asked about a folder of videos by its API, and reads nothing else of the disk."""

import os
import shutil

import pytest
from answering import QUESTION
from made_questions import THINGS, things_of

import kinema
from kinema.core.errors import DataError, UsageError

HOST = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def reader(answering):
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")
    return kinema.load(answering / "run")


@pytest.fixture(scope="module")
def client(answering, reader):
    from fastapi.testclient import TestClient

    from kinema import serving

    app = serving.app(reader, videos=answering / "data/videos", device="cpu")
    with TestClient(app, base_url=HOST, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="module")
def named(client):
    return {video["name"]: video for video in client.get("/api/videos").json()["videos"]}


def ask(client, video, status=200, question=QUESTION, options=THINGS):
    asked = {"video": video, "question": question, "options": list(options)}
    answer = client.post("/api/ask", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_question_has_shares_a_stretch_and_what_is_said_there(client, named, answering):
    about = client.get("/api/archive").json()
    assert (about["asks"], about["searchable"], about["videos"], about["encoder"]) == (True, False, 2, "video-qa")
    assert {name: video["beside"] for name, video in named.items()} == {
        "show/bare.mp4": [],
        "v3.mp4": ["frames", "subtitles"],
    }
    found = client.get("/api/videos", params={"contains": "V3"}).json()
    assert (found["total"], [video["name"] for video in found["videos"]]) == (1, ["v3.mp4"])
    video = named["v3.mp4"]["id"]
    told = ask(client, video)
    assert told["options"][told["chosen"]] == things_of(3)[1]
    assert sum(told["shares"]) == pytest.approx(1, abs=1e-5)
    assert (told["start"], told["end"], told["missing"], told["notes"]) == (2.0, 4.0, [], [])
    assert things_of(3)[1] in told["said"][0]["text"]
    alone = ask(client, named["show/bare.mp4"]["id"])
    assert alone["missing"] == ["subtitles"]
    assert "answered without" in alone["notes"][0]
    assert str(answering) not in str(alone)
    part = client.get(f"/api/videos/{video}/file", headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.headers["content-type"]) == (206, "video/mp4")
    assert part.content == (answering / "data/videos/v3.mp4").read_bytes()[:100]


def test_what_cannot_be_asked_is_refused(client, named):
    video = named["v3.mp4"]["id"]
    for name, asked, status, said in (
        ("0" * 20, {}, 404, "no such video"),
        ("v3.mp4", {}, 422, "video"),
        (video, {"question": " "}, 400, "no question"),
        (video, {"options": ["jump"]}, 422, "options"),
        (video, {"options": ["jump", "Jump"]}, 400, "stands twice"),
        (video, {"options": ["jump", " "]}, 400, "is empty"),
    ):
        told = ask(client, name, status, **asked)
        assert said in told["error"]["message"]
    assert client.get(f"/api/videos/{'0' * 20}/file").status_code == 404


def test_what_is_wrong_with_a_video_is_said_without_its_folder(answering, reader, tmp_path):
    from fastapi.testclient import TestClient

    from kinema import serving
    from kinema.serving.settings import Settings

    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "broken.mp4").write_bytes(b"no video")
    shutil.copy(answering / "data/videos/v3.mp4", videos / "clip.mp4")
    shutil.copy(answering / "data/videos/v3.mp4", videos / "late.mp4")
    (videos / "late.srt").write_text("1\n00:01:00,000 --> 00:01:02,000\nmuch later\n")
    (tmp_path / "secret.mp4").write_bytes(b"nobody's")
    os.symlink(tmp_path / "secret.mp4", videos / "link.mp4")
    settings = Settings(query_seconds=5.0)
    with TestClient(
        serving.app(reader, videos=videos, settings=settings, device="cpu"),
        base_url=HOST,
        raise_server_exceptions=False,
    ) as made:
        ids = {video["name"]: video["id"] for video in made.get("/api/videos").json()["videos"]}
        for name, status, said in (
            ("broken.mp4", 422, "cannot be read as video"),
            ("late.mp4", 422, "begins at 60.00 s"),
            ("clip.mp4", 413, "features are made of 5 s at most"),
            ("link.mp4", 403, "link"),
        ):
            told = ask(made, ids[name], status)
            assert said in told["error"]["message"]
            assert str(tmp_path) not in str(told)
        (videos / "clip.mp4").unlink()
        assert ask(made, ids["clip.mp4"], 404)["error"]["kind"] == "missing"


def test_a_run_of_questions_needs_a_folder_of_videos_and_no_table(answering, reader, model, table, tmp_path):
    from kinema import serving

    with pytest.raises(UsageError, match="none is named"):
        serving.app(answering / "run", device="cpu")
    for given, error, said in (
        ({"table": table}, UsageError, "--table"),
        ({"videos": tmp_path}, DataError, "no video in"),
        ({"videos": tmp_path / "none"}, DataError, "no folder"),
    ):
        with pytest.raises(error, match=said):
            serving.app(reader, device="cpu", **given)
    with pytest.raises(UsageError, match="features_run is for a run of video-qa"):
        serving.app(model, table=table, features_run=answering / "eyes", device="cpu")
