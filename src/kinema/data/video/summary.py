"""What a scan found, as plain values and as a table that a person reads."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from kinema.core.files import csv_cell, write_text
from kinema.data.video.manifest import Manifest


def scan_json(manifest: Manifest, seconds: float) -> dict[str, Any]:
    """The scan as one JSON object: counts, every file with its health, and how long it took.

    Args:
        manifest: what was found.
        seconds: how long it took.
    """
    health = Counter(video.health for video in manifest.videos)
    files = [
        {
            "path": video.path,
            "health": video.health,
            "reason": video.reason,
            "codec": video.codec,
            "width": video.width,
            "height": video.height,
            "fps": video.fps,
            "frames": video.frames,
            "duration": video.duration,
            "audio": video.audio_codec is not None,
        }
        for video in manifest.videos
    ]
    counts = {name: health.get(name, 0) for name in ("ok", "partial", "unreadable")}
    return {"videos": len(manifest), **counts, "files": files, "seconds": seconds}


def scan_table(manifest: Manifest, worst: int = 20) -> Group:
    """A summary, and below it the files that are not whole, each with its reason.

    Args:
        manifest: what was found.
        worst: how many of those are listed.
    """
    videos = manifest.videos
    health = Counter(video.health for video in videos)
    summary = Table(title=f"{len(videos)} videos in {manifest.root}", title_justify="left", show_header=False)
    summary.add_row("health", ", ".join(f"{health[name]} {name}" for name in ("ok", "partial", "unreadable")))
    summary.add_row("codecs", _counted(Counter(video.codec or "unknown" for video in videos)))
    summary.add_row("sizes", _counted(Counter(f"{video.width}x{video.height}" for video in videos if video.width)))
    summary.add_row("frames a second", _counted(Counter(f"{video.fps:g}" for video in videos if video.fps)))
    summary.add_row("duration", f"{sum(video.duration for video in videos) / 60:.1f} minutes in all")
    summary.add_row("frames", f"{sum(video.frames for video in videos):,}")
    silent = sum(video.audio_silent is True for video in videos)
    sound = f"{sum(video.audio_codec is not None for video in videos)} with an audio stream"
    summary.add_row("sound", f"{sound}, {silent} of them silent" if silent else sound)
    summary.add_row(
        "classes", f"{len(manifest.classes())}, of {sum(v.label is not None for v in videos)} labelled videos"
    )
    broken = [video for video in videos if video.health != "ok"]
    if not broken:
        return Group(summary)
    listed = Table("file", "health", "reason", title="Not whole", title_justify="left")
    for video in broken[:worst]:
        listed.add_row(video.path, video.health, video.reason)
    if len(broken) > worst:
        listed.caption = f"and {len(broken) - worst} more; --json or -o lists them all"
    return Group(summary, listed)


def write_quarantine(manifest: Manifest, path: Path) -> None:
    """Writes the files that are not whole as CSV (path, health, reason), for a person or a script to move or mend.

    A name that a spreadsheet would run as a formula has an apostrophe before it (:func:`kinema.core.files.csv_cell`).

    Args:
        manifest: what was found.
        path: where to write.

    Raises:
        StorageError: it could not be written.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("path", "health", "reason"))
    broken = (video for video in manifest.videos if video.health != "ok")
    writer.writerows([csv_cell(text) for text in (video.path, video.health, video.reason)] for video in broken)
    write_text(path, text.getvalue())


def _counted(values: Counter[str], most: int = 4) -> str:
    named = ", ".join(f"{name} ({count})" for name, count in values.most_common(most))
    return named + (f" and {len(values) - most} others" if len(values) > most else "") if named else "none"
