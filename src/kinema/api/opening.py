"""What a user names as data, and the clips in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kinema.core.errors import UsageError
from kinema.data import Manifest, open_data
from kinema.data.documents.table import Documents

Data = str | Path | Manifest
AnyData = Data | Documents
Progress = Callable[[int, int], None]


def cache_folder(named: str | Path | None = None) -> Path:
    """Where decoded videos are kept: what was named, $KINEMA_CACHE, or 'kinema' in the user's cache folder."""
    if named is None and not os.environ.get("KINEMA_CACHE"):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinema"
    return Path(named if named is not None else os.environ["KINEMA_CACHE"])


def open_named(data: AnyData) -> Manifest:
    """The manifest of what a user names as data.

    Raises:
        UsageError: it is a table of documents.
    """
    if isinstance(data, Documents):
        raise UsageError("Documents were given, and videos are needed.", "Name a folder of videos.")
    return data if isinstance(data, Manifest) else open_data(data)


def named(data: AnyData) -> str:
    """The data as the user named it."""
    return str(data.root) if isinstance(data, Manifest | Documents) else str(data)
