"""What has to be done to a table so that it says what the manifest says: new, changed and deleted videos."""

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
"""Size, time and facts of each video that a table holds."""


@dataclass
class Changes:
    """Rows of a manifest, or of a table of documents, by what becomes of them, in its order.

    Args:
        new: not in the table.
        changed: other files than those in the table.
        told: the same files, of which the manifest now says something else.
        unchanged: how many need nothing.
        deleted: paths in the table that are no longer in the manifest.
        failed: videos that cannot be embedded, with the reason.
        spoilt: those of them that the table still holds.
    """

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    unchanged: int = 0
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    spoilt: list[str] = field(default_factory=list)


def changes(manifest: Manifest, known: Known, *, hears: bool = False) -> Changes:
    """Compares a manifest with what a table holds, or what a table of sounds does."""
    found = Changes()
    for row, video in enumerate(manifest.videos):
        reason = _unusable(manifest, row) or (sound_missing(video) if hears else "")
        held = known.get(video.path)
        if reason:
            found.failed[shown(video.path)] = reason
            found.spoilt += [video.path] if held is not None else []
        elif held is None:
            found.new.append(row)
        elif held[:2] != (video.size, video.mtime_ns):
            found.changed.append(row)
        elif held[2] != facts_of(video):
            found.told.append(row)
        else:
            found.unchanged += 1
    found.deleted = sorted(known.keys() - {video.path for video in manifest.videos})
    return found


def shown(path: str) -> str:
    """A path that any terminal and any file can hold."""
    return path.encode("utf-8", "backslashreplace").decode()


def _unusable(manifest: Manifest, row: int) -> str:
    video = manifest.videos[row]
    if shown(video.path) != video.path:
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
    """What a table holds."""
    query = table.search().where("kind = 'video'").select(["video", "size", "mtime_ns", "facts"])
    found: dict[str, tuple[int, int, str]] = {}
    for batch in query.to_batches():
        columns = batch.to_pydict()
        parts = zip(columns["size"], columns["mtime_ns"], columns["facts"], strict=True)
        found |= dict(zip(columns["video"], parts, strict=True))
    return found


def check_root(known: Known, manifest: Manifest, told: str, uri: str) -> bool:
    """Whether a table's videos have moved to another folder together.

    Args:
        known: what the table holds.
        manifest: the videos.
        told: the folder in which the table's videos lay.
        uri: of the table.

    Raises:
        DataError: they are other videos: fewer than half of the table's are there under the same path and size.
    """
    root = str(manifest.root.resolve())
    if not known or told in ("", root):
        return told != root
    sizes = {video.path: video.size for video in manifest.videos}
    same = sum(sizes.get(path) == size for path, (size, _, _) in known.items())
    if 2 * same < len(known):
        raise DataError(
            f"The table in '{uri}' holds the videos of '{told}', and '{root}' has {same} of its {len(known)}.",
            "Keep a table for each folder, with -o; or make this one anew with --replace.",
        )
    return True


def root_of_table(table: Any) -> Path:
    """The folder in which a table's videos or documents lie."""
    return Path((table.schema.field(layout_of(table).whole).metadata or {}).get(b"root", b"").decode())
