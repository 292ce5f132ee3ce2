"""Errors in the server's answers: ours, as JSON, with a status, and without a path of its disk."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kinema.core.errors import KinemaError, StorageError, UsageError

LOG = logging.getLogger("kinema.serving")

_QUOTED = re.compile(r"'[^'\n]*/([^'/\n]*)'")
_BARE = re.compile(r"(?<![\w.:/<])/(?:[^\s/'\"`:;,)]+/)+([^\s/'\"`:;,)]*)")
_KINDS = {
    400: "usage",
    401: "token",
    403: "refused",
    404: "missing",
    405: "usage",
    408: "slow",
    413: "too_large",
    422: "usage",
}


class RefusedError(KinemaError):
    """A request that is answered with a status of its own.

    Args:
        status: of HTTP.
        kind: one word for programs.
        message: what was wrong.
        hint: what to do about it.
    """

    def __init__(self, status: int, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.kind = kind
        self.headers: dict[str, str] = {}


def missing(what: str) -> RefusedError:
    """The answer to a request for what is not there."""
    return RefusedError(
        404, "missing", f"There is no such {what}.", "It may have gone with a renewal: load the page again."
    )


def plain(text: str) -> str:
    """A message without folders, and without the command line's names for what the page calls otherwise."""
    text = _BARE.sub(r"\1", _QUOTED.sub(r"'\1'", text))
    return text.replace("--where", "The condition").replace("For instance: The condition ", "For instance: ")


def error_body(kind: str, message: str, hint: str = "") -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"kind": kind, "message": plain(message), "hint": plain(hint)}}


def status_of(error: KinemaError) -> int:
    """The status of HTTP for an error of ours."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, UsageError):
        return 400
    return 503 if isinstance(error, StorageError) else 422


def install(app: FastAPI) -> None:
    """Installs these handlers for every error of an application."""
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        KinemaError: _ours,
        RequestValidationError: _invalid,
        HTTPException: _http,
        Exception: _unforeseen,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _ours(_: Request, error: KinemaError) -> Response:
    if isinstance(error, StorageError):
        LOG.warning("%s", error)
    headers = error.headers if isinstance(error, RefusedError) else None
    return JSONResponse(error_body(error.kind, error.message, error.hint), status_of(error), headers)


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    problems = []
    for each in error.errors()[:3]:
        where = ".".join(str(part) for part in each["loc"][1:] if isinstance(part, str | int))
        problems.append(f"{where}: {each['msg']}" if where else str(each["msg"]))
    return JSONResponse(error_body("usage", f"The request is not understood: {'; '.join(problems)}.", "See: docs"), 422)


async def _http(_: Request, error: HTTPException) -> Response:
    kind = _KINDS.get(error.status_code, "error")
    return JSONResponse(error_body(kind, f"{error.detail}.", "See: docs"), error.status_code, error.headers)


async def _unforeseen(_: Request, error: Exception) -> Response:
    LOG.error("an error that was not foreseen", exc_info=error)
    return JSONResponse(error_body("error", "Something went wrong in the server.", "Its log says what."), 500)
