"""Access control: every request passes here first, and every answer leaves with the same headers.

Another site's page can make a visitor's browser send requests to this server. So the Host header must name the server
(against DNS rebinding), a request that the browser marks as another site's is refused, and other origins get no answer.
Where there is a token, every request for the archive needs it, as a bearer token or in the cookie that the page gets
for it, since a browser's picture or video element can send nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.cookies
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinema.serving.failures import RefusedError, error_body
from kinema.serving.settings import Settings

COOKIE = "kinema-session"
MOST_BODY = 256 * 1024
"""Bytes of a request that is no upload."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def session_of(token: str) -> str:
    """The value of the cookie: a hash of the token, from which the token cannot be read."""
    return hmac.new(token.encode(), b"kinema serve", hashlib.sha256).hexdigest()


def admits(settings: Settings, headers: Headers) -> bool:
    """Whether a request brings the token, if one is needed."""
    if settings.token is None:
        return True
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), settings.token.encode())
    cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except http.cookies.CookieError:
        return False
    held = cookies.get(COOKIE)
    return held is not None and hmac.compare_digest(held.value.encode(), session_of(settings.token).encode())


class Guard:
    """Wraps an application.

    Args:
        app: the application, which gets the requests that are admitted.
        settings: who may.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        refusal = self._refusal(headers, path)
        if refusal is not None:
            body = error_body(refusal.kind, refusal.message, refusal.hint)
            await JSONResponse(body, refusal.status, refusal.headers)(scope, receive, dressed)
            return
        if path != "/api/uploads":
            receive = _bounded(receive, self._settings.body_seconds)
        await self._app(scope, receive, dressed)

    def _refusal(self, headers: Headers, path: str) -> RefusedError | None:
        host = headers.get("host", "")
        if not self._settings.knows(host):
            hint = "Ask by the address that it was started with, or give that name with --name."
            return RefusedError(421, "host", "This server is not called so.", hint)
        if _foreign(headers, host) and not _visit(headers, path):
            return RefusedError(
                403, "origin", "A page of another site asked for this, and may not.", "Open the page itself."
            )
        length = headers.get("content-length", "")
        if path != "/api/uploads" and length.isdecimal() and (len(length) > 15 or int(length) > MOST_BODY):
            return RefusedError(413, "too_large", f"The request has more than {MOST_BODY} bytes.", "Ask for less.")
        open_to_all = not path.startswith("/api/") or path == "/api/session"
        if not open_to_all and not admits(self._settings, headers):
            refusal = RefusedError(
                401, "token", "This server needs its token.", "Give the token that it was started with."
            )
            refusal.headers = {"WWW-Authenticate": "Bearer"}
            return refusal
        return None


def _foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page makes the request."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return origin == "null" or urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:  # for instance a bracket that is left open
        return True


def _visit(headers: Headers, path: str) -> bool:
    """Whether a person follows a link to the page, from which the linking site learns nothing."""
    return headers.get("sec-fetch-mode") == "navigate" and not path.startswith("/api/")


def _bounded(receive: Receive, seconds: float) -> Receive:
    """A body that ends in an error where it comes too slowly, or is longer than it may be whatever its headers said."""
    size, whole = 0, False
    end = asyncio.get_running_loop().time() + seconds

    async def counted() -> Message:
        nonlocal size, whole
        if whole:  # what comes now is that the client has gone, for which an answer may wait
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"The request did not come within {seconds:g} s") from error
        whole = not message.get("more_body", False)
        size += len(message.get("body", b""))
        if size > MOST_BODY:
            raise HTTPException(413, f"The request has more than {MOST_BODY} bytes")
        return message

    return counted
