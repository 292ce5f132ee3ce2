"""What strangers may send to ``kinema serve``: the tests send it all, ``docs/make_hostile.py`` tells what each got."""

VIDEO = "0" * 20
PATHS = [
    "/api/videos/../../etc/passwd/file",
    "/api/videos/..%2f..%2fetc%2fpasswd/file",
    "/api/videos/%2e%2e/file",
    "/api/videos//etc/passwd/file",
    "/api/videos/left%2fleft0.mp4/file",
    "/api/videos/%00/file",
    "/api/videos/" + "a" * 5000 + "/file",
    f"/api/videos/{VIDEO}/file",
    f"/api/videos/{VIDEO}%00/thumbnail",
    "/static/../app.js",
    "/static/..%2fapplication.py",
    "/static/%2e%2e%2fapplication.py",
    "/static//etc/passwd",
    "/static/app.js%00",
    "/static/application.py",
    "/static/.",
    "/static/",
    "/api/",
    "/.git/config",
    "/docs/../../etc/passwd",
]
NUMBERS = ["-1", "1e99", "nan", "inf", "0x10", "9" * 400, "1;DROP TABLE windows", "", "null", "[]", "%00"]
CONDITIONS = [
    "label = 'left'; DROP TABLE windows",
    "label = 'left' -- x",
    "label = 'x') OR (1 = 1",
    "label IN (SELECT label FROM windows)",
    "1 = 1 UNION SELECT 1",
    "sleep(10)",
    "(" * 60 + "1 = 1" + ")" * 60,
    "\0",
    "label = 'left",
    ")",
    "1/0 = 1",
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"query": null}',
    b'{"query": {"$ne": ""}}',
    b'{"query": "../../etc/passwd"}',
    b'{"query": "~../../../etc/passw"}',
    b'{"query": "' + b"a" * 100_000 + b'"}',
    b'{"query": "' + b"0" * 20 + b'", "k": 1e400}',
    b'{"query": "' + b"0" * 20 + b'", "k": 99999999}',
    b'{"query": "' + b"0" * 20 + b'", "extra": 1}',
    b'{"query": "' + b"0" * 20 + b'@-1"}',
    b'{"query": "' + b"0" * 20 + b'@99999999999999999999"}',
    b'{"query": "' + b"0" * 20 + b'", "lasso": {"version": 1, "polygon": [[1, NaN], [0, 0], [1, 1]]}}',
    b'{"query": "' + b"0" * 20 + b'", "lasso": {"version": 1, "polygon": [[1, 1]]}}',
    b'{"query": "' + b"0" * 20 + b'", "fields": {"label": "left"}}',
    b"\xff\xfe",
    b"[" * 100_000,
]
RANGES = ["bytes=-", "bytes=9-1", "bytes=a", "bytes=0-1,5-6,9-10", "x" * 9000, "bytes=\x01"]
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
DASH = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation id="1" '
DASH += 'bandwidth="1"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>'
UPLOAD_NAMES = ["a.mp4", "a.m3u8", "a.png", "a", "../../../etc/passwd", "%04d.jpg", "a.mp4@1-2", ""]
UPLOADS = {
    "text": b"no video at all",
    "zeros": b"\0" * 5000,
    "shell": b"#!/bin/sh\nrm -rf /\n",
    "html": b"<html><script>alert(1)</script></html>",
    "hls": PLAYLIST,
    "concat": "ffconcat version 1.0\nfile {secret}\n",
    "concat-url": "ffconcat version 1.0\nfile 'file:{secret}'\n",
    "dash": DASH,
    "avi-head": b"RIFF\xff\xff\xff\xffAVI LIST",
    "mkv-head": b"\x1aE\xdf\xa3" + b"\xff" * 100,
}
"""Files that are no videos, by what they are; ``{secret}`` is the path of a video that the server can read."""


def upload(name: str, secret: object) -> bytes:
    """The bytes of one of ``UPLOADS``."""
    body = UPLOADS[name]
    return body if isinstance(body, bytes) else body.format(secret=secret).encode()
