"""A table of pairs is asked in words by its API: hits, their pictures, and nothing else of the disk."""

import io
import os
import shutil

import pytest
from PIL import Image
from searching_pairs import reader_of, write_colours

import kinema
from kinema.core.errors import DataError, UsageError

HOST = "http://127.0.0.1:8000"


@pytest.fixture
def colours(tmp_path):
    """Twelve pictures of colours, and a video of one with a text of its third second."""
    pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    return write_colours(tmp_path / "colours")


@pytest.fixture
def reader(tmp_path):
    return reader_of(tmp_path / "run")


@pytest.fixture
def client(colours, reader, tmp_path):
    """Makes a client of a table that keeps what is asked for."""
    from fastapi.testclient import TestClient

    from kinema import serving

    def make(**kept):
        kinema.embed(reader, colours, out=tmp_path / "index", device="cpu", **kept)
        app = serving.app(reader, table=tmp_path / "index", device="cpu")
        return TestClient(app, base_url=HOST, raise_server_exceptions=False)

    return make


def ask(client, status=200, **asked):
    answer = client.post("/api/words", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("kept", [{}, {"codes": True}, {"codes": True, "vectors": True}])
def test_words_find_pictures_which_can_be_seen_and_asked_with(client, colours, kept):
    made = client(**kept)
    about = made.get("/api/archive").json()
    assert (about["words"], about["images"], about["texts"], about["encoder"]) == (True, 12, 12, "dcvh")
    found = ask(made, words="something red", k=3)
    first = found["hits"][0]
    assert (first["labels"], first["picture"], first["video"], found["rows"]) == (["red", "square"], True, False, 12)
    assert (first["distance"] is None) == (not kept)
    small = made.get(f"/api/pictures/{first['id']}/thumbnail")
    assert small.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(small.content)).size == (32, 24)
    whole = made.get(f"/api/pictures/{first['id']}/file")
    assert (whole.headers["content-type"], whole.content) == ("image/png", (colours / first["name"]).read_bytes())
    again = ask(made, like=first["id"], k=2)
    assert again["hits"][0]["id"] == first["id"]
    texts = ask(made, words="blue", over="texts", k=2)["hits"]
    assert next((hit["kind"], hit["picture"], hit["text"]) for hit in texts) == ("text", False, "a blue square")
    assert {hit["name"] for hit in ask(made, words="red", where="place = 'shelf 1'")["hits"]} == {
        f"pictures/{name}1.png" for name in ("red", "green", "blue", "yellow", "purple", "cyan")
    }


def test_what_cannot_be_asked_is_refused(client):
    made = client()
    for asked, status, words in (
        ({}, 400, "Words or a hit"),
        ({"words": "red", "like": "0" * 20}, 400, "Words or a hit"),
        ({"words": "  "}, 400, "no word"),
        ({"words": "xylophone"}, 422, "xylophone"),
        ({"words": "red", "where": "1 = (SELECT 1)"}, 400, "where"),
        ({"words": "red", "over": "windows"}, 422, "over"),
        ({"like": "0" * 20}, 404, "search again"),
    ):
        assert words in ask(made, status, **asked)["error"]["message"], asked
    for path in ("thumbnail", "file"):
        assert made.get(f"/api/pictures/{'0' * 20}/{path}").status_code == 404
    assert made.get(f"/api/videos/{'0' * 20}/file").status_code == 404


def test_only_the_picture_that_was_embedded_is_read_and_only_below_the_folder(client, colours, tmp_path):
    made = client(codes=True)
    red, green, blue = (ask(made, words=word, k=1)["hits"][0] for word in ("red", "green", "blue"))
    Image.new("RGB", (8, 8)).save(colours / red["name"])
    (tmp_path / "secret.png").write_bytes((colours / green["name"]).read_bytes())
    state = (colours / green["name"]).stat()
    (colours / green["name"]).unlink()
    os.symlink(tmp_path / "secret.png", colours / green["name"])
    os.utime(tmp_path / "secret.png", ns=(state.st_atime_ns, state.st_mtime_ns))
    (colours / blue["name"]).unlink()
    for hit, status in ((red, 409), (green, 403), (blue, 404)):
        for path in ("thumbnail", "file"):
            answer = made.get(f"/api/pictures/{hit['id']}/{path}")
            assert answer.status_code == status, answer.text
            assert str(tmp_path) not in answer.text


def test_a_frame_of_footage_plays_from_its_moment(client, colours, make_tiny_video):
    make_tiny_video(colours / "talk.mp4", (0, 0), seed=1, frames=50)
    lines = (
        (colours / "pairs.csv").read_text("utf-8").replace("place", "at").replace("shelf 0", "").replace("shelf 1", "")
    )
    (colours / "pairs.csv").write_text(f"{lines}talk.mp4,a dark one,film,talk.mp4,1.2\n", "utf-8")
    made = client()
    found = ask(made, words="red", k=13)["hits"]
    frame = next(hit for hit in found if hit["video"])
    assert (frame["name"], frame["start"], frame["picture"]) == ("talk.mp4", pytest.approx(1.2), True)
    assert Image.open(io.BytesIO(made.get(f"/api/pictures/{frame['id']}/thumbnail").content)).format == "JPEG"
    part = made.get(f"/api/videos/{frame['id']}/file", headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, (colours / "talk.mp4").read_bytes()[:100])
    assert made.get(f"/api/pictures/{frame['id']}/file").status_code == 404
    still = next(hit for hit in found if not hit["video"])
    assert made.get(f"/api/videos/{still['id']}/file").status_code == 404
    shutil.copy(colours / "pictures/red0.png", colours / "talk.mp4")
    assert made.get(f"/api/videos/{frame['id']}/file").status_code == 409


def test_a_table_of_pairs_needs_its_own_run_which_knows_text(client, colours, model, tmp_path):
    from kinema import serving

    client()
    index = tmp_path / "index"
    with pytest.raises(DataError, match="holds pairs, and made reads clips"):
        serving.app(model, table=index, device="cpu")
    with pytest.raises(DataError, match="made by another encoder"):
        serving.app(reader_of(tmp_path / "other", seed=1), table=index, device="cpu")
    blind = reader_of(tmp_path / "blind", views=("image",))
    kinema.embed(blind, colours, out=tmp_path / "seen", device="cpu")
    with pytest.raises(UsageError, match="this run knows no text"):
        serving.app(blind, table=tmp_path / "seen", device="cpu")
