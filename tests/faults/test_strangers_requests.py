"""Strangers who ask ``kinema serve``, and tables that a stranger made: slow connections, foreign roots, other files."""

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")

import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from searching_tables import model_of
from starlette.requests import Request
from starlette.responses import StreamingResponse

import kinema
from kinema import serving
from kinema.core.errors import DataError
from kinema.data.video.files import status
from kinema.data.video.manifest import Video
from kinema.searching import database
from kinema.serving import failures, uploads
from kinema.serving.archive import check_root
from kinema.serving.connections import limited_protocol
from kinema.serving.failures import RefusedError
from kinema.serving.footage import open_video
from kinema.serving.guard import Guard
from kinema.serving.settings import Settings
from kinema.serving.uploads import UploadService

ASK = b"GET /api/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
QUICK = {"head_seconds": 0.4, "body_seconds": 0.4, "stall_seconds": 0.4}


def application():
    """Says how long a body was, or sends without end."""
    made = FastAPI()
    failures.install(made)

    @made.api_route("/api/x", methods=["GET", "POST"])
    async def size(request: Request) -> int:
        return len(await request.body())

    @made.get("/api/much")
    async def much() -> StreamingResponse:
        return StreamingResponse(itertools.repeat(b"x" * 65536))

    return made


@contextlib.contextmanager
def listening(**settings):
    """The port of a server with these limits."""
    made = Settings(**{**QUICK, **settings})
    options = {"lifespan": "off", "log_level": "critical", "ws": "none", "timeout_keep_alive": 1}
    config = uvicorn.Config(Guard(application(), made), http=limited_protocol(made), **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


def connected(port):
    one = socket.create_connection(("127.0.0.1", port))
    one.settimeout(8)
    return one


def rest(one):
    """What a connection still says until the server closes it."""
    told = b""
    with contextlib.suppress(ConnectionError):
        while piece := one.recv(65536):
            told += piece
    return told


@pytest.mark.parametrize("said", [b"", b"GET", ASK[:-2], ASK[:-2] + b"X-A: 1\r\n"])
def test_a_head_that_does_not_come(said):
    with listening() as port, connected(port) as one:
        one.sendall(said)
        began = time.monotonic()
        assert rest(one) == b""
        assert time.monotonic() - began < 5


def test_a_head_that_drips():
    def drip(one):
        for _ in range(100):
            one.sendall(b"X")
            time.sleep(0.05)

    with listening() as port, connected(port) as one, pytest.raises(ConnectionError):
        drip(one)


def test_a_second_head_that_does_not_come():
    with listening() as port, connected(port) as one:
        one.sendall(ASK)
        told = one.recv(65536)
        assert told.startswith(b"HTTP/1.1 200")
        while not told.endswith(b"\r\n\r\n0"):
            told += one.recv(65536)
        one.sendall(ASK[:10])
        assert rest(one) == b""


def test_a_body_that_does_not_come():
    with listening() as port, connected(port) as one:
        one.sendall(ASK.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nab"))
        told = rest(one)
        assert told.startswith(b"HTTP/1.1 408")
        assert b"did not come within" in told


def comes_through(port, seconds=8):
    """Whether a further connection is answered within a time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with connected(port) as one, contextlib.suppress(ConnectionError):
            one.sendall(ASK)
            if one.recv(65536).startswith(b"HTTP/1.1 200"):
                return True
        time.sleep(0.1)
    return False


def test_a_client_that_takes_nothing_is_let_go():
    with listening(connections=1) as port, connected(port) as one:
        one.sendall(ASK.replace(b"/x", b"/much"))
        assert comes_through(port)


def test_one_address_has_so_many_connections_and_its_places_come_back():
    with listening(connections=3, head_seconds=30.0) as port:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connected(port))
            told = rest(stack.enter_context(connected(port)))
            assert told.startswith(b"HTTP/1.1 503")
            assert b"too many connections" in told
        assert comes_through(port)


def test_slow_connections_do_not_lock_others_out():
    with listening(connections=20) as port, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(port)).sendall(b"GET / HT")
        assert comes_through(port)


# Uploads


class _Queries:
    """What an upload service needs of the queries, without an encoder."""

    def __init__(self):
        self.settings = Settings(uploads=1)
        self.archive = type("Archive", (), {"model": type("Model", (), {"sound_spec": None})})

    async def encode(self, file, video, stretch, about):
        return about


def arriving(pieces, address):
    """A request whose body comes in pieces; a number waits for so many seconds."""
    left = iter(pieces)

    async def receive():
        for each in left:
            if isinstance(each, float):
                await asyncio.sleep(each)
                continue
            return {"type": "http.request", "body": each, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [], "path": "/", "query_string": b"", "client": (address, 1)}
    return Request(scope, receive)


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(uploads, "_look", lambda file, sound: {"health": "ok", "frames": 1})
    made = UploadService(_Queries())
    yield made
    made.close()


def test_slow_uploads_take_nobodys_turn(service):
    async def both():
        slow = asyncio.ensure_future(service.take(arriving([b"a", 30.0], "1.1.1.1"), "slow.mp4", None))
        await asyncio.sleep(0.05)
        quick = await asyncio.wait_for(service.take(arriving([b"a"], "2.2.2.2"), "quick.mp4", None), 5)
        slow.cancel()
        return quick

    assert asyncio.run(both()) == "quick.mp4"


def test_an_upload_that_pauses(service, monkeypatch):
    monkeypatch.setattr(uploads, "IDLE", 0.1)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(service.take(arriving([b"a", 5.0, b"b"], "1.1.1.1"), "a.mp4", None))
    assert caught.value.status == 408
    assert not os.listdir(service._folder.name)
    assert not service._under_way


def test_an_address_with_too_many_uploads(service):
    async def all_of_them():
        slow = [
            asyncio.ensure_future(service.take(arriving([b"a", 30.0], "1.1.1.1"), "slow.mp4", None))
            for _ in range(uploads.EACH)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(RefusedError) as caught:
            await service.take(arriving([b"a"], "1.1.1.1"), "one more.mp4", None)
        other = await service.take(arriving([b"a"], "2.2.2.2"), "other.mp4", None)
        for each in slow:
            each.cancel()
        return caught.value.status, other

    assert asyncio.run(all_of_them()) == (503, "other.mp4")


# Tables of strangers


@pytest.fixture(scope="module")
def archive(tmp_path_factory, make_tiny_video):
    """A folder with videos and other files, and a table of it."""
    root = tmp_path_factory.mktemp("foreign") / "videos"
    for number in range(3):
        make_tiny_video(root / f"{number}.mp4", (1, 0), seed=number)
    model = model_of()
    kinema.embed(model, root, out=root.parent / "index", workers=1)
    return model, root, root.parent / "index"


def moved(index, where, root):
    """A copy of a table that says that its videos lie elsewhere."""
    import shutil

    shutil.copytree(index, where)
    table = database.require_table(str(where))
    table.update_field_metadata({"path": "video", "metadata": {"root": root}})
    return where


@pytest.mark.parametrize(
    "root", ["/", "", "relative", os.path.expanduser("~"), os.path.dirname(os.path.expanduser("~"))]
)
def test_a_table_that_names_the_whole_disk(archive, tmp_path, root):
    model, home, index = archive
    table = moved(index, tmp_path / "index", root)
    with pytest.raises(DataError, match="more than a folder of videos"):
        serving.app(model, table=table)
    made = serving.app(model, table=table, videos=home)
    assert made.state.archive.snapshot().root == home


def test_a_folder_of_videos_is_none():
    from pathlib import Path

    check_root(Path("/srv/videos"), given=False)
    check_root(Path("/"), given=True)


def test_videos_that_are_no_folder(archive, tmp_path):
    model, _, index = archive
    with pytest.raises(DataError, match="There is no folder"):
        serving.app(model, table=index, videos=tmp_path / "none")


def test_videos_of_a_folder_that_moved_are_played(archive, tmp_path):
    model, root, index = archive
    home = tmp_path / "elsewhere"
    home.mkdir()
    for file in root.iterdir():
        os.link(file, home / file.name)
    table = moved(index, tmp_path / "index", str(tmp_path / "gone"))
    for videos, code in ((None, 404), (home, 200)):
        with TestClient(serving.app(model, table=table, videos=videos), base_url="http://127.0.0.1") as client:
            name = client.get("/api/videos").json()["videos"][0]["id"]
            assert client.get(f"/api/videos/{name}/file").status_code == code


def test_only_what_was_indexed_is_sent(tmp_path):
    for name in ("passwd", "key.pem", "film.mp4"):
        (tmp_path / name).write_bytes(b"secret")

    def asked(name, **changed):
        size, mtime_ns = status(tmp_path / name)
        descriptor, _ = open_video(tmp_path, Video(name, **{"size": size, "mtime_ns": mtime_ns, **changed}))
        os.close(descriptor)

    asked("film.mp4")
    refused = [
        ("passwd", {}, 403),
        ("key.pem", {}, 403),
        ("film.mp4", {"size": 5}, 409),
        ("film.mp4", {"mtime_ns": 1}, 409),
    ]
    for name, changed, code in refused:
        with pytest.raises(RefusedError) as caught:
            asked(name, **changed)
        assert caught.value.status == code


def test_a_search_with_a_column_of_many_values(archive):
    model, _, index = archive
    with TestClient(serving.app(model, table=index), base_url="http://127.0.0.1") as client:
        name = client.get("/api/videos").json()["videos"][0]["id"]
        for fields in ({"label": ["x"] * 201}, {"label": ["x" * 1001]}, {"x" * 201: ["x"]}):
            assert client.post("/api/search", json={"query": name, "fields": fields}).status_code == 422
        assert client.post("/api/search", json={"query": name, "fields": {"label": ["x"] * 200}}).status_code == 200
