"""The differences between a table and a manifest: new, changed and deleted videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.data.video.files import status
from kinema.data.video.hearing import sound_missing
from kinema.data.video.manifest import Manifest
from kinema.searching.layout import layout_of
from kinema.searching.schema import facts_of

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
        deleted: paths in the table that are no longer in the manifest.
        failed: videos that cannot be embedded, with the reason.
        stale: those of ``failed`` that are still in the table.
    """

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)
    unchanged: int = 0
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)


def find_changes(manifest: Manifest, known: Known, *, needs_sound: bool = False) -> Changes:
    """Compares a manifest with a table.

    Args:
        manifest: the videos.
        known: what the table holds.
        needs_sound: whether videos without sound fail.
    """
    found = Changes()
    for row, video in enumerate(manifest.videos):
        reason = _unusable(manifest, row) or (sound_missing(video) if needs_sound else "")
        entry = known.get(video.path)
        if reason:
            found.failed[printable(video.path)] = reason
            found.stale += [video.path] if entry is not None else []
        elif entry is None:
            found.new.append(row)
        elif entry[:2] != (video.size, video.mtime_ns):
            found.changed.append(row)
        elif entry[2] != facts_of(video):
            found.updated.append(row)
        else:
            found.unchanged += 1
    found.deleted = sorted(known.keys() - {video.path for video in manifest.videos})
    return found


def printable(path: str) -> str:
    """A path as UTF-8, with escapes for bytes that are not."""
    return path.encode("utf-8", "backslashreplace").decode()


def _unusable(manifest: Manifest, row: int) -> str:
    video = manifest.videos[row]
    if printable(video.path) != video.path:
        return "its name is not UTF-8"
    if video.health == "unreadable" or video.frames < 1:
        return video.reason or "nothing of it can be decoded"
    try:
        now = status(manifest.file(row))
    except OSError as error:
        return f"it cannot be opened: {error.strerror or error}"
    if now != (video.size, video.mtime_ns):
        return "it has changed since the manifest was made: scan again"
    return ""


def known_videos(table: Any) -> dict[str, tuple[int, int, str]]:
    """The videos of a table, by their paths."""
    query = table.search().where("kind = 'video'").select(["video", "size", "mtime_ns", "facts"])
    found: dict[str, tuple[int, int, str]] = {}
    for batch in query.to_batches():
        columns = batch.to_pydict()
        parts = zip(columns["size"], columns["mtime_ns"], columns["facts"], strict=True)
        found |= dict(zip(columns["video"], parts, strict=True))
    return found


def check_root(known: Known, manifest: Manifest, table_root: str, uri: str) -> bool:
    """Whether the folder of a table's videos was moved.

    Args:
        known: what the table holds.
        manifest: the videos.
        table_root: the folder of the videos when they were embedded.
        uri: of the table.

    Raises:
        DataError: the manifest is of other videos: fewer than half of the table's have the same path and size there.
    """
    root = str(manifest.root.resolve())
    if not known or table_root in ("", root):
        return table_root != root
    sizes = {video.path: video.size for video in manifest.videos}
    same = sum(sizes.get(path) == size for path, (size, _, _) in known.items())
    if 2 * same < len(known):
        raise DataError(
            f"The table in '{uri}' holds the videos of '{table_root}', and '{root}' has {same} of its {len(known)}.",
            "Keep a table for each folder, with -o; or replace this one with --replace.",
        )
    return True


def root_of_table(table: Any) -> Path:
    """The folder of a table's videos or documents."""
    return Path((table.schema.field(layout_of(table).whole).metadata or {}).get(b"root", b"").decode())
