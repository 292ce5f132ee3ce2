"""What the rows of a measurement are known by: a digest of them, and the name of how they were selected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from kinema.core.conditions import shown


def digest_of(parts: Sequence[str]) -> str:
    """SHA-256, in hexadecimal, of several texts in their order."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def selection_name(where: Mapping[str, str] | None) -> str:
    """'split=test,camera=c1'; empty where nothing was selected."""
    return ",".join(shown(where or {}))
