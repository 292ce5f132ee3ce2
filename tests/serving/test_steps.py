"""The steps of videos over the API: told, of one video, named, and without a table."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from kinema import cli, serving
from kinema.core.errors import DataError, UsageError
from kinema.segmenting.segmentation import Segment, Segmentation, SegmentedVideo, Step, writing
from kinema.serving.settings import Settings

HOST = "http://127.0.0.1:8000"
TOKEN = "a-token-of-some-letters"
FILM = (Segment(0.0, 2.0, 1), Segment(2.0, 4.0, 2), Segment(4.0, 6.5, 1))


@pytest.fixture
def asking(serve, model, table, file):
    made = serving.app(model, table=table, segments=file, device="cpu")
    with TestClient(made, base_url=HOST, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def alone(file, tmp_path):
    """A run's folder with steps, and without a table or even a run."""
    place = tmp_path / "run" / "segments" / "segments.json"
    place.parent.mkdir(parents=True)
    shutil.move(file, place)
    return tmp_path / "run"


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def name(client, number, text, **more):
    return client.patch(f"/api/steps/{number}", json={"name": text}, **more)


def test_steps_are_told(asking, named):
    assert asking.get("/api/archive").json()["steps"] is True
    told = asking.get("/api/steps").json()
    assert (told["videos"], told["writable"]) == (2, True)
    assert told["left_out"] == [{"name": "videos/films/old.avi", "reason": "it is too old"}]
    first, second = told["steps"]
    assert [first[key] for key in ("number", "name", "title", "seconds", "segments")] == [1, "", "step 1", 4.5, 2]
    assert (second["title"], second["segments"], second["typical"]) == ("hold still", 2, [])
    clip, other = first["typical"]
    assert (clip["video"], clip["indexed"], clip["start"]) == (named["films/film.mp4"], True, 4.0)
    assert (other["name"], other["indexed"]) == ("more/new.mp4", False)
    assert other["video"] not in named.values()


def test_segments_are_those_of_the_file(asking, named):
    told = asking.get("/api/segments").json()
    assert (told["total"], [video["name"] for video in told["videos"]]) == (
        2,
        ["more/new.mp4", "videos/films/film.mp4"],
    )
    assert asking.get("/api/segments?limit=1&offset=1").json()["videos"] == told["videos"][1:]
    assert asking.get("/api/segments?contains=NEW").json() == {"total": 1, "videos": told["videos"][:1]}
    film = asking.get("/api/segments", params={"video": named["films/film.mp4"]}).json()["videos"][0]
    assert tuple(map(Segment, film["start"], film["end"], film["step"])) == FILM
    assert (film["duration"], film["indexed"], film["type"]) == (7.0, True, "video/mp4")
    none = asking.get("/api/segments", params={"video": named["left/left0.mp4"]}).json()
    assert none == {"total": 0, "videos": []}
    error_of(asking.get("/api/segments?video=" + "0" * 20), 404)


def test_a_video_that_only_the_steps_know_is_played(asking, root):
    new = asking.get("/api/segments?contains=new").json()["videos"][0]
    whole = (root / "more/new.mp4").read_bytes()
    answer = asking.get(f"/api/videos/{new['id']}/file", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, whole[10:20])
    error_of(asking.get(f"/api/videos/{new['id']}"), 404)
    error_of(asking.get(f"/api/videos/{'0' * 20}/file"), 404)


def test_a_step_is_named_and_the_file_holds_it(asking, file):
    told = name(asking, 1, "  pick up ").json()
    assert (told["name"], told["title"]) == ("pick up", "pick up")
    assert Segmentation.read(file).titles == {1: "pick up", 2: "hold still"}
    assert asking.get("/api/steps").json()["steps"][0]["title"] == "pick up"
    assert name(asking, 1, "").json()["title"] == "step 1"


def test_the_file_is_read_again_when_it_changes(asking, file):
    made = Segmentation.read(file)
    replace(made, steps=(*made.steps, Step(3, "new"))).write(file)
    assert [step["title"] for step in asking.get("/api/steps").json()["steps"]] == ["step 1", "hold still", "new"]
    file.write_text(file.read_text()[:-40])
    assert "segments.json" in error_of(asking.get("/api/steps"), 422)["message"]
    assert asking.get("/api/archive").status_code == 200, "the search goes on"
    file.unlink()
    assert "kinema segment" in error_of(asking.get("/api/steps"), 404)["hint"]
    assert asking.get("/api/archive").json()["steps"] is False


@pytest.mark.parametrize(
    ("number", "body", "status"),
    [
        (3, {"name": "x"}, 404),
        (1, {"name": "hold still"}, 400),
        (1, {"name": "a\nb"}, 400),
        (1, {"name": "x" * 201}, 400),
        (1, {"name": "x" * 1001}, 422),
        (1, {"name": 5}, 422),
        (1, {"name": "x", "number": 2}, 422),
        (1, {}, 422),
        (0, {"name": "x"}, 422),
        ("x", {"name": "x"}, 422),
    ],
)
def test_names_that_are_refused_change_nothing(asking, file, number, body, status):
    before = file.read_bytes()
    error_of(asking.patch(f"/api/steps/{number}", json=body), status)
    error_of(asking.patch("/api/steps/1", content=b'{"name": "\\ud800"}'), 422)
    assert file.read_bytes() == before


def test_another_process_that_writes_is_waited_for(asking, file):
    with writing(file):
        said = error_of(name(asking, 1, "x"), 503)
    assert "try again" in said["hint"]
    assert str(file.parent) not in json.dumps(said)
    assert name(asking, 1, "x").status_code == 200


def test_two_at_once_are_both_kept(asking, file):
    with ThreadPoolExecutor(2) as both:
        told = list(both.map(lambda number: name(asking, number, f"part {number}").status_code, (1, 2)))
    assert told == [200, 200]
    assert list(Segmentation.read(file).titles.values()) == ["part 1", "part 2"]


def test_strangers_and_servers_that_only_read_name_nothing(model, table, file):
    before = file.read_bytes()
    made = serving.app(model, table=table, segments=file, settings=Settings(token=TOKEN, read_only=True), device="cpu")
    right = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(made, base_url=HOST) as client:
        assert error_of(name(client, 1, "x"), 401)["kind"] == "token"
        assert error_of(client.get("/api/steps"), 401)["kind"] == "token"
        foreign = right | {"Origin": "http://evil.example"}
        assert error_of(name(client, 1, "x", headers=foreign), 403)["kind"] == "origin"
        assert error_of(name(client, 1, "x", headers=right), 403)["message"] == "This server only reads."
        assert client.get("/api/steps", headers=right).json()["writable"] is False
    assert file.read_bytes() == before


def test_steps_need_no_table(alone, root):
    with TestClient(serving.app(alone), base_url=HOST) as client:
        told = client.get("/api/archive").json()
        assert (told["searchable"], told["steps"], told["videos"]) == (False, True, 0)
        film = client.get("/api/segments?contains=film").json()["videos"][0]
        answer = client.get(f"/api/videos/{film['id']}/file")
        assert answer.content == (root / "videos/films/film.mp4").read_bytes()
        assert not film["indexed"]
        assert name(client, 2, "sit").json()["title"] == "sit"
        error_of(client.get("/api/segments?video=" + "0" * 20), 404)
        error_of(client.get(f"/api/videos/{'0' * 20}/file"), 404)
        assert client.get("/").status_code == 200
        assert client.post("/api/search", json={}).status_code == 404
    assert Segmentation.read(alone / "segments/segments.json").titles[2] == "sit"


def test_a_file_of_segments_opens_no_other_files(alone, root, tmp_path):
    """What a stranger wrote into it: a file that is no video, a link that leads away, the whole home."""
    place = alone / "segments/segments.json"
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "secret.txt").write_text("secret")
    (tmp_path / "v" / "link.mp4").symlink_to(root / "more/new.mp4")
    videos = tuple(SegmentedVideo(path, 1.0, ()) for path in ("secret.txt", "link.mp4"))
    Segmentation(tmp_path / "v", videos, (), {}).write(place)
    with TestClient(serving.app(alone), base_url=HOST) as client:
        for video in client.get("/api/segments").json()["videos"]:
            assert error_of(client.get(f"/api/videos/{video['id']}/file"), 403)["kind"] == "refused"
    content = json.loads(place.read_text()) | {"root": os.path.expanduser("~"), "root_from_here": ""}
    place.write_text(json.dumps(content))
    with pytest.raises(DataError, match="more than a folder of videos"):
        serving.app(alone)


def test_videos_that_moved_are_named(alone, root, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(root / "more", moved / "more")
    place = alone / "segments/segments.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"root": "/nowhere/x", "root_from_here": ""}))
    with TestClient(serving.app(alone, videos=moved), base_url=HOST) as client:
        new = client.get("/api/segments?contains=new").json()["videos"][0]
        assert client.get(f"/api/videos/{new['id']}/file").status_code == 200


def test_what_cannot_be_served(alone, model, table, tmp_path):
    with pytest.raises(UsageError, match="There is no file"):
        serving.app(model, table=table, segments=tmp_path / "none.json")
    with pytest.raises(DataError, match="no table of embeddings"):
        serving.app(alone, table=tmp_path / "index")
    (alone / "segments/segments.json").write_text("{}")
    with pytest.raises(DataError, match=r"segments\.json"):
        serving.app(alone)


def test_the_verb_says_that_there_are_steps_alone(alone, root, monkeypatch, capsys):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    for words in (["--json"], []):
        with pytest.raises(SystemExit) as left:
            cli.main(["serve", str(alone), "--port", "0", *words])
        assert left.value.code == 0
    first, second = capsys.readouterr().out.split("\n", 1)
    told = json.loads(first)
    assert (told["videos"], told["steps"], told["root"]) == (2, 2, str(root))
    assert "2 videos in 2 steps, and no table to search" in second
