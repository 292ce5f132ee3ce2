"""Settings of access and limits."""

from __future__ import annotations

import ipaddress
import math
import socket
from dataclasses import dataclass

from kinema.core.errors import UsageError

LEAST_TOKEN = 16
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Settings:
    """What a server allows.

    Args:
        host: the address that it listens on.
        token: a secret that every request for data must bring; needed where others can reach the address.
        names: further host names of the server, for instance behind a proxy.
        upload_mib: the size of an uploaded clip at most.
        query_seconds: how much of a video a query may be, in seconds.
        waiting: queries that may wait to be encoded; more are refused with status 503.
        uploads: clips that are checked at once.
        connections: that one address may hold open. A proxy is one address.
        head_seconds: within which the head of a request must have come.
        body_seconds: within which the body of a request must have come, uploads aside.
        stall_seconds: for which a client may take nothing of an answer.
        read_only: whether the names of steps stay as they are.
        memory_gib: that a table's vectors may take in memory; None for half of what is free; 0 to search in the store.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()
    upload_mib: int = 256
    query_seconds: float = 600.0
    waiting: int = 256
    uploads: int = 4
    connections: int = 64
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    stall_seconds: float = 120.0
    read_only: bool = False
    memory_gib: float | None = None

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not _plain(self.token)):
            raise UsageError(
                f"The token has {len(self.token)} characters; it needs {LEAST_TOKEN} or more, without spaces.",
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
            )
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"Others could reach '{self.host}' and see every video that is indexed, so a token is needed.",
                "Set KINEMA_TOKEN or give --token, or stay on this machine with --host 127.0.0.1.",
            )
        for name in ("upload_mib", "waiting", "uploads", "connections"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.memory_gib is not None and not 0 <= self.memory_gib < math.inf:
            raise UsageError(f"memory_gib is {self.memory_gib}; it must be 0 or more.")
        for name in ("query_seconds", "head_seconds", "body_seconds", "stall_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be above 0.")

    def knows(self, host: str) -> bool:
        """Whether a request's Host header names this server; otherwise a page elsewhere has bent a name to it.

        With an address that stands for all of a machine's, any address is right, since only names can be rebound.

        Args:
            host: the header, with or without a port.
        """
        name = _without_port(host).lower()
        if name in LOOPBACK or name in (self.host.lower(), f"[{self.host.lower()}]"):
            return True
        if name in {each.lower() for each in self.names}:
            return True
        every = self.host in ("0.0.0.0", "::", "")
        return every and (_is_address(name) or name == socket.gethostname().lower())


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and not any(letter.isspace() for letter in text)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and (not name.count(":") or name.endswith("]")) else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
