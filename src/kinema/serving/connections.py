"""Limits of connections: a client that sends or takes its bytes slowly is cut off and does not lock others out.

A server that waits for ever can be held by anyone who opens connections and says little, before any token is asked for
(CWE-400). So the head of a request must come within a time, an answer must be taken within a time, and one address has
so many connections and no more. The body has its limits where it is read, in ``guard`` and ``uploads``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from kinema.serving.settings import Settings

_TOLD = (
    b'{"error":{"kind":"busy","message":"This address has too many connections open.",'
    b'"hint":"Close some, or start the server with more: --connections."}}'
)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_TOLD), _TOLD)
)


def limited_protocol(settings: Settings) -> type[LimitedProtocol]:
    """The class that uvicorn handles connections with (its setting ``http``), held to the limits of one server.

    Args:
        settings: of these: ``connections``, ``head_seconds`` and ``stall_seconds``.
    """
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": settings, "held": Counter()})


class LimitedProtocol(H11Protocol):
    """A connection; one of an address that has too many is answered with status 503 and closed."""

    limits: ClassVar[Settings] = Settings()
    held: ClassVar[Counter[str]] = Counter()
    """How many connections each address has open."""

    _address = ""
    _refused = False
    _head: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts it, and waits for the head of a request."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.held[self._address] += 1
        if self.held[self._address] > self.limits.connections:
            self._refused = True
            transport.write(_BUSY)
            transport.close()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Passes bytes on; the head of a next request on the same connection has its time too."""
        if self._refused:
            return
        if not self._is_answering() and self._head is None:
            self._await_head()
        super().data_received(data)
        if self._is_answering():
            self._cancel("_head")

    def pause_writing(self) -> None:
        """The client takes nothing, or too little; for ``stall_seconds`` it may."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self.limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes its answer."""
        super().resume_writing()
        self._cancel("_stall")

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives its place to another."""
        self.held[self._address] -= 1
        if self.held[self._address] <= 0:
            del self.held[self._address]
        self._cancel("_head")
        self._cancel("_stall")
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.limits.head_seconds, self.transport.abort)

    def _cancel(self, name: Literal["_head", "_stall"]) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
