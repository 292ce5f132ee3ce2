"""What it takes to make rows ready once, as a dry run says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class CacheEstimate:
    """The cost of what is made once and cached: decoded videos, tokenised documents.

    Args:
        path: the folder of the cache.
        bytes: what they take.
        limit: what they may take; above it rows are read from the files.
        there: whether they were made before.
        seconds: making them all, 0 where that is not done.
        notes: what a person should know of the rows: which are left out or cut, what they make of memory.
    """

    path: Path
    bytes: int
    limit: int
    there: bool
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """'there', 'to be made' or 'too large'."""
        return "too large" if self.bytes > self.limit else "there" if self.there else "to be made"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        record = {"path": str(self.path), "bytes": self.bytes, "limit_bytes": self.limit}
        return {**record, "state": self.state, "seconds": self.seconds}
