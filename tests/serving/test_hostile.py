"""What strangers try, and what each gets: an error of ours without a place on the disk; the table stays as it was."""

import json

import pytest
from hostile_inputs import BODIES, CONDITIONS, NUMBERS, PATHS, RANGES


def judged(answer, footage, allowed=(400, 404, 405, 413, 416, 422)):
    assert answer.status_code in allowed, (answer.status_code, answer.text[:300])
    assert set(json.loads(answer.text)["error"]) == {"kind", "message", "hint"}
    for secret in (str(footage.parent), "site-packages", "Traceback", "root:", ".py"):
        assert secret not in answer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_paths(client, footage, path, method):
    judged(client.request(method, path), footage)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["offset", "limit", "frame", "start"])
def test_numbers(client, footage, named, name, number):
    video = named["left/left0.mp4"]
    where = {
        "offset": f"/api/videos?offset={number}",
        "limit": f"/api/videos?limit={number}",
        "frame": f"/api/videos/{video}/thumbnail?frame={number}",
        "start": f"/api/uploads?start={number}&end=1",
    }[name]
    answer = client.post(where, content=b"x") if name == "start" else client.get(where)
    judged(answer, footage)


@pytest.mark.parametrize("where", CONDITIONS)
def test_conditions(client, footage, named, rows, where):
    before = rows()
    answer = client.post("/api/search", json={"query": named["left/left0.mp4"], "where": where})
    judged(answer, footage)
    assert rows() == before


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:40].decode("latin-1"))
@pytest.mark.parametrize("path", ["/api/search", "/api/search/lines", "/api/queries", "/api/map/lasso", "/api/session"])
def test_bodies(client, footage, path, body):
    judged(client.post(path, content=body, headers={"Content-Type": "application/json"}), footage)


@pytest.mark.parametrize("header", RANGES)
def test_ranges_that_are_none_get_the_whole(client, footage, named, header):
    answer = client.get(f"/api/videos/{named['left/left0.mp4']}/file", headers={"Range": header})
    assert answer.status_code == 200
    assert answer.content == (footage / "left/left0.mp4").read_bytes()


def test_errors_of_the_library_lose_their_places(client, named, footage, monkeypatch):
    from kinema.core.errors import DataError, StorageError

    told = [
        DataError(f"The query '{footage}/left/left0.mp4' cannot be read: {footage}/a b.mp4."),
        StorageError(
            f"The table in '{footage.parent}/index' could not be read or written: no {footage}/x.", "See /etc/a/b"
        ),
        RuntimeError(f"{footage}/secret"),
    ]
    for error, status in zip(told, (422, 503, 500), strict=True):

        def fail(*_, error=error, **__):
            raise error

        monkeypatch.setattr(client.app.state.archive, "search", fail)
        answer = client.post("/api/search", json={"query": named["left/left0.mp4"]})
        judged(answer, footage, allowed=(status,))
        assert "/etc/" not in answer.text
