"""Bytes of indexed videos and of nothing else, however they are asked for."""

import os

import pytest
from fastapi.testclient import TestClient

import kinema
from kinema.serving.failures import RefusedError
from kinema.serving.footage import byte_range, media_type, open_below


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("Bytes = 10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=0-9,10-19", (0, 20)),
        ("bytes=5-30, 0-9", (0, 31)),
        ("bytes=0-9,200-300", (0, 10)),
        ("bytes=0-9,20-29", None),
        ("bytes=9-0", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=0x1-2", None),
        ("bytes=+1-2", None),
        ("bytes=1 -2", None),
        ("lines=0-9", None),
        ("bytes", None),
        ("bytes=" + "9" * 40 + "-", None),
        ("bytes=" + ",".join("0-" for _ in range(5000)), None),
    ],
)
def test_ranges(header, expected):
    assert byte_range(header, 100) == expected


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,200-", "bytes=" + "9" * 18 + "-"]
)
def test_ranges_behind_the_end(header):
    with pytest.raises(RefusedError) as caught:
        byte_range(header, 100)
    assert caught.value.status == 416


def test_an_empty_file_has_no_range():
    assert byte_range(None, 0) is None
    with pytest.raises(RefusedError):
        byte_range("bytes=0-", 0)


@pytest.fixture(scope="module")
def film(client, named, footage):
    return f"/api/videos/{named['films/film.mp4']}/file", (footage / "films/film.mp4").read_bytes()


def test_the_whole_file(client, film):
    url, data = film
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, data)
    assert (answer.headers["content-type"], answer.headers["accept-ranges"]) == ("video/mp4", "bytes")
    head = client.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))


def test_a_range_of_it(client, film):
    url, data = film
    answer = client.get(url, headers={"Range": "bytes=100-299"})
    assert (answer.status_code, answer.content) == (206, data[100:300])
    assert answer.headers["content-range"] == f"bytes 100-299/{len(data)}"
    assert answer.headers["content-length"] == "200"
    joined = client.get(url, headers={"Range": "bytes=0-9,5-19"})
    assert (joined.status_code, joined.content) == (206, data[:20])
    apart = client.get(url, headers={"Range": "bytes=0-9,50-59"})
    assert (apart.status_code, apart.content) == (200, data)


def test_a_range_of_a_file_that_is_another_by_now(client, film):
    url, data = film
    told = client.get(url, headers={"Range": "bytes=0-0"}).headers
    for mark in (told["etag"], told["last-modified"]):
        assert client.get(url, headers={"Range": "bytes=0-0", "If-Range": mark}).status_code == 206
    answer = client.get(url, headers={"Range": "bytes=0-0", "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, data)


def test_a_range_behind_the_end_tells_the_size(client, film):
    url, data = film
    answer = client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(data)}"
    assert answer.json()["error"]["kind"] == "range"


def test_types():
    assert [media_type(name) for name in ("a.MP4", "b.webm", "c.html", "d")] == [
        "video/mp4",
        "video/webm",
        "application/octet-stream",
        "application/octet-stream",
    ]


def test_only_files_below_the_root_are_opened(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside.mp4"
    (root / "inner").mkdir(parents=True)
    outside.write_bytes(b"secret")
    (root / "own.mp4").write_bytes(b"own")
    (root / "inner/link.mp4").symlink_to("../own.mp4")
    (root / "escape.mp4").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    (root / "loop.mp4").symlink_to("loop.mp4")
    os.mkfifo(root / "pipe.mp4")
    for name in ("own.mp4", "inner/link.mp4"):
        descriptor, _ = open_below(root, name)
        with open(descriptor, "rb") as file:
            assert file.read() == b"own"
    refused = {"escape.mp4": 403, "folder/outside.mp4": 403, "../outside.mp4": 403, str(outside): 403}
    absent = ["none.mp4", "loop.mp4", "inner", "pipe.mp4", "", ".", "a\0b", "x" * 5000, "%04d.jpg"]
    for name, status in (refused | dict.fromkeys(absent, 404)).items():
        with pytest.raises(RefusedError) as caught:
            open_below(root, name)
        assert caught.value.status == status, name
        assert str(tmp_path) not in caught.value.message


def test_a_video_that_became_a_link_out_of_the_folder_is_not_sent(serve, model, tmp_path, make_tiny_video):
    make_tiny_video(tmp_path / "videos/a.mp4", (1, 0), seed=1)
    make_tiny_video(tmp_path / "videos/b.mp4", (1, 0), seed=2)
    kinema.embed(model, tmp_path / "videos", out=tmp_path / "index", workers=1)
    with TestClient(serve(tmp_path / "index"), base_url="http://127.0.0.1") as client:
        names = {video["name"]: video["id"] for video in client.get("/api/videos").json()["videos"]}
        secret = tmp_path / "secret.mp4"
        (tmp_path / "videos/a.mp4").rename(secret)
        (tmp_path / "videos/a.mp4").symlink_to(secret)
        answer = client.get(f"/api/videos/{names['a.mp4']}/file")
        assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "refused")
        asked = client.post("/api/queries", json={"video": names["a.mp4"], "start": 0.1, "end": 0.5})
        assert asked.status_code == 403
        (tmp_path / "videos/b.mp4").unlink()
        assert client.get(f"/api/videos/{names['b.mp4']}/file").status_code == 404
        for text in (answer.text, asked.text):
            assert str(tmp_path) not in text


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list a process's open files")
def test_no_file_stays_open(client, film):
    url, _ = film

    def held():
        links = []
        for number in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{number}"))
            except OSError:
                continue
        return sum(link.endswith("film.mp4") for link in links)

    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=999999999-"}):
        for _ in range(5):
            client.get(url, headers=headers)
            client.head(url, headers=headers)
    assert held() == 0
