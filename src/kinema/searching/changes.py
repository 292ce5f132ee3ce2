"""The differences between a table and a manifest: new, changed and deleted videos."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.data.video.files import is_passing, status
from kinema.data.video.hearing import sound_missing
from kinema.data.video.manifest import Manifest
from kinema.searching.layout import layout_of
from kinema.searching.schema import facts_of

REMOVED = 0.1
"""The largest part of a table that is removed without being asked for."""

Known = Mapping[str, tuple[int, int, str]]
"""Size, modification time and digest of the facts of each video in a table."""


@dataclass
class Changes:
    """Rows of a manifest, or of a table of documents, by what has to be done, in its order.

    Args:
        new: not in the table.
        changed: in the table, but the file has changed since.
        updated: the same files, with other facts in the manifest.
        unchanged: how many need no change.
        deleted: paths in the table that are no longer there: their folder was listed without them.
        failed: videos that cannot be embedded, with the reason.
        stale: those of ``failed`` whose rows are to go.
        kept: paths in the table of which nothing could be seen, because a folder could not be listed or a file not be
            read; their rows stay.
    """

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)
    unchanged: int = 0
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def compare(self, row: int, before: tuple[Any, str] | None, content: Any, facts: Callable[[], str]) -> None:
        """Notes an item that can be embedded.

        Args:
            row: of the manifest or table.
            before: content and digest of the facts that a table holds of it; None where it holds nothing.
            content: what it is told by now, for instance a digest of it.
            facts: gives the digest of its facts now.
        """
        if before is None:
            self.new.append(row)
        elif before[0] != content:
            self.changed.append(row)
        elif before[1] != facts():
            self.updated.append(row)
        else:
            self.unchanged += 1

    def fail(self, name: str, reason: str, *, held: bool, passing: bool) -> None:
        """Notes an item that cannot be embedded.

        Args:
            name: its path or id.
            reason: why not.
            held: whether the table holds it.
            passing: whether the failure may pass, so that its rows stay.
        """
        self.failed[name] = reason
        if held:
            (self.kept if passing else self.stale).append(name)

    @property
    def gone(self) -> list[str]:
        """The paths whose rows are to go."""
        return [*self.deleted, *self.stale]


def find_changes(manifest: Manifest, known: Known, *, needs_sound: bool = False) -> Changes:
    """Compares a manifest with a table.

    Args:
        manifest: the videos.
        known: what the table holds.
        needs_sound: whether videos without sound fail.
    """
    found = Changes()
    for row, video in enumerate(manifest.videos):
        reason, passing = _unusable(manifest, row)
        reason = reason or (sound_missing(video) if needs_sound else "")
        entry = known.get(video.path)
        if reason:
            found.fail(printable(video.path), reason, held=entry is not None, passing=passing)
        else:
            before = None if entry is None else (entry[:2], entry[2])
            found.compare(row, before, (video.size, video.mtime_ns), functools.partial(facts_of, video))
    for path in sorted(known.keys() - {video.path for video in manifest.videos}):
        (found.kept if manifest.overlooked.hides(path) else found.deleted).append(path)
    return found


def printable(path: str) -> str:
    """A path as UTF-8, with escapes for bytes that are not."""
    return path.encode("utf-8", "backslashreplace").decode()


def check_removal(gone: Sequence[str], total: int, uri: str, noun: str) -> None:
    """Refuses to take much out of a table: a share that is offline can look like a folder that is empty.

    Args:
        gone: what would be removed.
        total: how many videos or documents the table holds.
        uri: of the table.
        noun: 'videos' or 'documents'.

    Raises:
        DataError: it is more than ``REMOVED`` of the table.
    """
    if len(gone) <= REMOVED * total:
        return
    named = ", ".join(f"'{path}'" for path in gone[:5]) + (f" and {len(gone) - 5} more" if len(gone) > 5 else "")
    raise DataError(
        f"{len(gone)} of the {total} {noun} in the table '{uri}' would be removed, because they are gone or no longer "
        f"readable: {named}. Nothing was changed.",
        "If they are gone for good, say so with --remove (remove=True in Python); else bring their disk or share back.",
    )


def _unusable(manifest: Manifest, row: int) -> tuple[str, bool]:
    """Why a video cannot be embedded, empty where it can; and whether that may pass."""
    video = manifest.videos[row]
    if printable(video.path) != video.path:
        return "its name is not UTF-8", False
    if video.transient or video.health == "unreadable" or video.frames < 1:
        return video.reason or "nothing of it can be decoded", video.transient
    try:
        now = status(manifest.file(row))
    except OSError as error:
        return f"it cannot be opened: {error.strerror or error}", is_passing(error, manifest.file(row))
    if now != (video.size, video.mtime_ns):
        return "it has changed since the manifest was made: scan again", False
    return "", False


def known_items(table: Any, columns: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The values of some columns of each whole of a table, by its path or id."""
    layout = layout_of(table)
    whole = layout.whole
    query = table.search().where(layout.each).select([whole, *columns])
    found: dict[str, tuple[Any, ...]] = {}
    for batch in query.to_batches():
        values = batch.to_pydict()
        parts = zip(*(values[name] for name in columns), strict=True)
        found |= dict(zip(values[whole], parts, strict=True))
    return found


def root_of_table(table: Any) -> Path:
    """The folder of a table's videos or documents."""
    return Path((table.schema.field(layout_of(table).whole).metadata or {}).get(b"root", b"").decode())
