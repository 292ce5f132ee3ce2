"""``kinema serve``: starts, serves, and ends when it is told to; what cannot be is refused before it starts."""

import json
import signal
import socket
import sys
import urllib.request

import pytest
from served import started

import kinema
from kinema import cli

pytest.importorskip("uvicorn", reason="the extra kinema[serve] is not installed")


@pytest.fixture(scope="module")
def run(model, table, tmp_path_factory):
    where = tmp_path_factory.mktemp("served") / "run"
    kinema.export(model, where, licence="CC0")
    (where / "index").symlink_to(table)
    return where


@pytest.mark.slow
def test_it_serves_until_it_is_stopped(run):
    with started(run) as (url, process):
        with urllib.request.urlopen(f"{url}api/archive", timeout=20) as answer:
            assert json.load(answer)["videos"] == 14
            assert answer.headers["server"] is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()


def left(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--host", "0.0.0.0"], 2, "a token is needed"),
        (["--host", "0.0.0.0", "--token", "short"], 2, "has 5 characters"),
        (["--port", "70000"], 2, "--port is 70000"),
        (["--host", "203.0.113.1", "--token", "a-token-of-some-letters"], 2, "cannot be had"),
        (["--table", "nowhere"], 1, "no table of embeddings"),
    ],
)
def test_what_cannot_be(run, capsys, monkeypatch, words, status, said):
    monkeypatch.delenv("KINEMA_TOKEN", raising=False)
    told = left(["serve", str(run), "--port", "0", *words], capsys)
    assert told[0] == status
    assert said in told[1]


def test_a_port_that_is_taken(run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = left(["serve", str(run), "--port", str(taken.getsockname()[1])], capsys)
    assert status == 2
    assert "--port" in said


def test_the_extra_is_named_where_it_is_missing(run, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, said = left(["serve", str(run), "--port", "0"], capsys)
    assert status == 1
    assert "kinema[serve]" in said
