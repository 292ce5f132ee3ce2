"""A table of sounds as a page has it: pictures and videos as ever, files of sound as queries, and a word where not."""

import pytest
from sounding import RATE, tone, write_sounding
from sounding_runs import make_run, write_tones

import kinema

HOST = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    from fastapi.testclient import TestClient

    from kinema import serving

    videos = write_tones(tmp_path_factory.mktemp("served") / "videos")
    run = make_run(videos.parent / "run", videos)
    kinema.embed(run, videos, space="projection", out=videos.parent / "seen", workers=1, device="cpu")
    kinema.embed(run, videos, view="sound", out=videos.parent / "sounds", workers=1, device="cpu")
    apps = {
        name: serving.app(run, table=videos.parent / name, view="sound", device="cpu") for name in ("sounds", "seen")
    }
    with (
        TestClient(apps["sounds"], base_url=HOST, raise_server_exceptions=False) as sounds,
        TestClient(apps["seen"], base_url=HOST, raise_server_exceptions=False) as seen,
    ):
        yield {"sounds": sounds, "seen": seen, "videos": videos}


def _wav(sound):
    import io
    import wave

    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(RATE)
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())
    return held.getvalue()


@pytest.mark.parametrize("table", ["sounds", "seen"])
def test_a_file_of_sound_is_a_query(client, table):
    """Of a table of pictures' projections too: the query alone is heard."""
    asked = client[table]
    assert asked.get("/api/archive").json()["sounds"] is True
    told = asked.post("/api/uploads", content=_wav(tone(700, 1.2, 1)), params={"name": "b.wav"})
    assert told.status_code == 200, told.text
    found = asked.post("/api/search", json={"query": told.json()["query"], "k": 1, "over": "videos"}).json()
    assert found["hits"][0]["name"] == "b.mkv"


def test_its_windows_have_pictures_and_its_videos_play(client):
    asked = client["sounds"]
    (video,) = [each for each in asked.get("/api/videos").json()["videos"] if each["name"] == "c.mkv"]
    line = asked.get(f"/api/videos/{video['id']}/timeline").json()
    assert len(line["frame"]) > 5
    shown = asked.get(f"/api/videos/{video['id']}/thumbnail", params={"frame": line["frame"][2]})
    assert shown.content[:2] == b"\xff\xd8"
    assert asked.get(f"/api/videos/{video['id']}/file").content == (client["videos"] / "c.mkv").read_bytes()
    stretch = asked.post("/api/queries", json={"video": video["id"], "start": 0.2, "end": 0.8}).json()
    hits = asked.post("/api/search", json={"query": stretch["query"], "k": 1, "over": "videos"}).json()["hits"]
    assert hits[0]["name"] == "c.mkv"


def test_what_cannot_be_heard_is_told(client, tmp_path):
    asked = client["sounds"]
    mute = write_sounding(tmp_path / "mute.mp4", None).read_bytes()
    told = asked.post("/api/uploads", content=mute, params={"name": "mute.mp4"})
    assert told.status_code == 415
    assert told.json()["error"]["message"] == (
        "'mute.mp4' cannot be heard: it has no sound; this archive is searched by sound."
    )
    silent = asked.post("/api/uploads", content=_wav(0 * tone(700, 1)), params={"name": "still.wav"})
    assert (silent.status_code, "its sound is silent" in silent.json()["error"]["message"]) == (422, True)
    neither = asked.post("/api/uploads", content=b"neither", params={"name": "a.wav"})
    assert neither.status_code == 415
    assert "cannot be read as video or sound" in neither.json()["error"]["message"]
