"""Who may ask: this machine, by its own name, from the page itself, with the token where one is needed."""

import pytest
from fastapi.testclient import TestClient

from kinema.core.errors import UsageError
from kinema.serving.guard import COOKIE, session_of
from kinema.serving.settings import Settings

TOKEN = "a-token-of-some-letters"


@pytest.mark.parametrize(
    ("settings", "host", "known"),
    [
        ({}, "127.0.0.1:8000", True),
        ({}, "127.0.0.1", True),
        ({}, "localhost:1", True),
        ({}, "LOCALHOST", True),
        ({}, "[::1]:8000", True),
        ({}, "", False),
        ({}, "evil.example", False),
        ({}, "127.0.0.1.evil.example:8000", False),
        ({}, "localhost.evil.example", False),
        ({}, "192.168.0.7", False),
        ({"names": ("archive.example",)}, "archive.example:443", True),
        ({"names": ("archive.example",)}, "evil.example", False),
        ({"host": "0.0.0.0", "token": TOKEN}, "192.168.0.7:8000", True),
        ({"host": "0.0.0.0", "token": TOKEN}, "evil.example", False),
        ({"host": "192.168.0.7", "token": TOKEN}, "192.168.0.7:8000", True),
        ({"host": "192.168.0.7", "token": TOKEN}, "192.168.0.8:8000", False),
        ({"host": "::", "token": TOKEN}, "[fd00::7]:8000", True),
    ],
)
def test_names_of_the_server(settings, host, known):
    assert Settings(**settings).knows(host) is known


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "a token is needed"),
        ({"host": "192.168.0.7"}, "a token is needed"),
        ({"host": "::"}, "a token is needed"),
        ({"host": "archive.example"}, "a token is needed"),
        ({"token": "short"}, "has 5 characters"),
        ({"token": "with a space in between"}, "without spaces"),
        ({"upload_mib": 0}, "upload_mib is 0"),
        ({"query_seconds": 0.0}, "query_seconds is 0"),
    ],
)
def test_settings_that_let_strangers_in_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        Settings(**settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_needs_no_token(host):
    assert Settings(host=host).token is None


def test_another_name_is_refused(client):
    for path in ("/", "/api/archive", "/docs", "/openapi.json"):
        answer = client.get(path, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["error"]["kind"]) == (421, "host")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_pages_of_other_sites_are_refused(client, headers):
    for method, path in (("GET", "/api/archive"), ("POST", "/api/search"), ("POST", "/api/uploads")):
        answer = client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "origin")


def test_the_page_itself_may_ask_and_a_link_may_lead_to_it(client):
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/archive", headers=own).status_code == 200
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_other_origins_are_told_nothing(client):
    answer = client.options(
        "/api/search", headers={"Origin": "http://127.0.0.1:8000", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 405
    assert not [name for name in client.get("/api/archive").headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/docs", "/static/app.js", "/api/archive", "/api/nothing", "/openapi.json"])
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.fixture(scope="module")
def guarded(serve):
    with TestClient(serve(token=TOKEN, host="0.0.0.0"), base_url="http://127.0.0.1") as made:
        yield made


def test_nothing_of_the_archive_without_the_token(guarded):
    guarded.cookies.clear()
    for path in guarded.get("/openapi.json").json()["paths"]:
        if path == "/api/session":
            continue
        for method in ("GET", "HEAD", "POST"):
            answer = guarded.request(method, path.replace("{video}", "0" * 20))
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "Bearer \xff"])
def test_a_wrong_token(guarded, given):
    guarded.cookies.clear()
    headers = {b"authorization": given.encode("latin-1")}
    assert guarded.get("/api/archive", headers=headers).status_code == 401


def test_the_token_opens(guarded):
    guarded.cookies.clear()
    assert guarded.get("/api/archive", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/api/archive", params={"token": TOKEN}).status_code == 401


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(guarded):
    guarded.cookies.clear()
    wrong = guarded.post("/api/session", json={"token": "wrong"})
    assert (wrong.status_code, wrong.headers.get("set-cookie")) == (401, None)
    given = guarded.post("/api/session", json={"token": TOKEN})
    assert given.json() == {"needed": True}
    cookie = given.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert guarded.get("/api/archive").status_code == 200
    guarded.cookies.clear()
    guarded.cookies.set(COOKIE, session_of(f"{TOKEN}x"))
    assert guarded.get("/api/archive").status_code == 401
    guarded.cookies.clear()


def test_without_a_token_none_is_needed(client):
    assert client.post("/api/session", json={"token": "anything"}).json() == {"needed": False}


def test_a_body_without_a_length_is_bounded_too(client):
    answer = client.post(
        "/api/search", content=iter([b"x" * 100_000] * 4), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "too_large")
    answer = client.post("/api/search", content=b"x" * 300_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "too_large")
