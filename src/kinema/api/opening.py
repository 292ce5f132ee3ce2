"""What a user names as data, and the clips in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from kinema.core.errors import StorageError, UsageError
from kinema.core.lock import own_temporary_folder
from kinema.data import Manifest, open_data
from kinema.data.documents.table import Documents
from kinema.data.pairs.table import Pairs
from kinema.data.questions.table import Questions
from kinema.data.sequences.table import Sequences
from kinema.data.tracklets.table import Tracklets

log = logging.getLogger(__name__)

Data = str | Path | Manifest
AnyData = Data | Documents | Sequences | Tracklets | Pairs | Questions
Progress = Callable[[int, int], None]


def cache_folder(named: str | Path | None = None) -> Path:
    """Where decoded videos are kept.

    What was named, or $KINEMA_CACHE, or 'kinema' in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache). A user
    without a home, as in many containers, has a folder of their own among the temporary files ($TMPDIR).

    Raises:
        StorageError: none of them can be written; the message says which variable to set.
    """
    if named is not None:
        return Path(named)
    if os.environ.get("KINEMA_CACHE"):
        return Path(os.environ["KINEMA_CACHE"])
    home = _home()
    usual = os.environ.get("XDG_CACHE_HOME") or (home and os.path.join(home, ".cache"))
    if usual and os.path.isabs(usual) and _writable(Path(usual)):
        return Path(usual) / "kinema"
    try:
        place = own_temporary_folder() / "cache"
    except (OSError, StorageError) as error:
        raise StorageError(
            f"There is no place for decoded videos: '{usual or '~/.cache'}' cannot be written, nor can the folder of "
            f"temporary files: {str(error).splitlines()[0]}",
            "Set KINEMA_CACHE to a folder that you may write, or give one with --cache.",
        ) from error
    log.warning("Decoded videos are kept in '%s': there is no home to keep them in; KINEMA_CACHE moves them.", place)
    return place


def _home() -> str | None:
    """The user's home; None for a user who has none: no HOME, and no entry in the table of users."""
    try:
        return str(Path.home())
    except (RuntimeError, KeyError):
        return None


def _writable(folder: Path) -> bool:
    """Whether a folder, or the first one above it that is there, may be written."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


def open_named(data: AnyData) -> Manifest:
    """The manifest of what a user names as data.

    Raises:
        UsageError: it is a table of documents, of sequences, of tracklets, of pairs or of questions.
    """
    if isinstance(data, Documents | Sequences | Tracklets | Pairs | Questions):
        names = {Documents: "Documents", Sequences: "Sequences of features", Pairs: "Pairs of pictures and texts"}
        names |= {Questions: "Questions about videos"}
        what = names.get(type(data), "Tracklets")
        raise UsageError(f"{what} were given, and videos are needed.", "Name a folder of videos.")
    return data if isinstance(data, Manifest) else open_data(data)


def named(data: AnyData) -> str:
    """The data as the user named it."""
    tables = Manifest | Documents | Sequences | Tracklets | Pairs | Questions
    return str(data.root) if isinstance(data, tables) else str(data)
