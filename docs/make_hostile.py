"""Makes the page that says what hostile requests get: sends each to a server that runs, and writes down its answer.

    python docs/make_hostile.py

The requests are those of the tests (``tests/hostile_inputs.py``). Needs the extra kinema[serve].
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import torch
import uvicorn

import kinema
from kinema import serving
from kinema.core.clips import ClipSpec
from kinema.data.clips.reader import Model
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.serving.settings import Settings

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "benchmarks")]

import hostile_inputs as hostile  # noqa: E402
from film import film  # noqa: E402

PAGE = Path(__file__).parent / "how-to" / "hostile.md"
HEAD = """# What hostile requests get

Every request below was sent to a running `kinema serve`, and the answer is what it gave. The tests send the same and
more, and hold every answer to four rules: an error of the API's own form, no path of the disk in it, no traceback, and
the table as it was before.

This page is made by `python docs/make_hostile.py`; the requests stand in
[tests/hostile_inputs.py](../../tests/hostile_inputs.py). How the server is protected is described in
[Search in a browser](serve.md#who-may-ask).
"""
Row = tuple[str, int, str]


def shown(told: str | bytes, most: int = 60) -> str:
    """A request as a cell of a table: what cannot be printed is escaped, what is long is cut."""
    text = told if isinstance(told, str) else told.decode("latin-1")
    if not text:
        return "nothing"
    plain = text.encode("unicode_escape").decode().replace("|", "\\|").replace("`", "'")
    return f"`{plain}`" if len(plain) <= most else f"`{plain[:most]}` … ({len(text):,} characters)"


class Asking:
    """A connection to the server, for requests as raw as they are written.

    Args:
        port: on this machine.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body of the answer; a request that cannot be sent as HTTP is sent as far as it goes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection._validate_path = lambda _: None  # type: ignore[attr-defined] # a stranger's client checks nothing
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def row(self, what: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Row:
        """The request in words, the status and the error's message."""
        status, told = self(method, path, body, **headers)
        if status < 400:
            return what, status, "the whole file" if status == 200 else ""
        said = str(json.loads(told)["error"]["message"]) if told.startswith(b"{") else told.decode()
        return what, status, "".join(sign if sign.isprintable() else "�" for sign in said)


def groups(ask: Asking, folder: Path) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each table."""
    video = json.loads(ask("GET", "/api/videos")[1])["videos"][0]["id"]
    text = {"Content-Type": "application/json"}
    yield "Paths (`GET`)", [ask.row(shown(path), "GET", path) for path in hostile.PATHS]
    yield (
        "Ranges of a video",
        [ask.row(shown(told), "GET", f"/api/videos/{video}/file", Range=told) for told in hostile.RANGES],
    )
    yield (
        "Numbers (`/api/videos?limit=…`)",
        [ask.row(shown(told), "GET", f"/api/videos?limit={quote(told, safe='%')}") for told in hostile.NUMBERS],
    )
    yield (
        "Conditions in SQL",
        [
            ask.row(shown(told), "POST", "/api/search", json.dumps({"query": video, "where": told}).encode(), **text)
            for told in hostile.CONDITIONS
        ],
    )
    yield (
        "Bodies of `/api/search`",
        [ask.row(shown(body), "POST", "/api/search", body, **text) for body in hostile.BODIES],
    )
    secret = next(iter(sorted(folder.glob("*.mp4"))))
    rows = []
    for name in hostile.UPLOADS:
        body = hostile.upload(name, secret)
        rows.append(ask.row(f"{name}: {shown(hostile.upload(name, 'PATH'))}", "POST", "/api/uploads?name=a.mp4", body))
    names = [told for told in hostile.UPLOAD_NAMES if told != "a.mp4"]
    rows += [ask.row(f"zeros, named {shown(n)}", "POST", f"/api/uploads?name={quote(n)}", b"\0" * 99) for n in names]
    rows.append(ask.row("2 MiB where 1 is allowed", "POST", "/api/uploads?name=a.mp4", b"x" * 2**21))
    yield "Uploads", rows


def main() -> None:
    """Writes docs/how-to/hostile.md."""
    torch.manual_seed(0)
    model = Model(Tower("rgb", EncoderConfig("slim"), HeadConfig()), "rgb", ClipSpec(), name="random")
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(place) / "videos"
        folder.mkdir()
        for number in range(3):
            film(folder / f"{number}.mp4", 60, number)
        kinema.embed(model, folder, out=Path(place) / "index")
        settings = Settings(upload_mib=1)
        app = serving.app(model, table=Path(place) / "index", settings=settings, device="cpu")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        text = HEAD
        for title, rows in groups(Asking(listener.getsockname()[1]), folder):
            text += f"\n## {title}\n\n| sent | status | answer |\n|---|---|---|\n"
            text += "".join(
                f"| {what} | {status} | {said.replace('|', chr(92) + '|')} |\n" for what, status, said in rows
            )
        assert place not in text, "an answer tells a path of this machine"
        PAGE.write_text(text, encoding="utf-8")
        server.should_exit = True
        thread.join(30)


if __name__ == "__main__":
    main()
