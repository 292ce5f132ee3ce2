"""What a scan found, as plain values and as a table that a person reads."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from kinema.core.files import csv_cell, write_text
from kinema.core.labelling import LabelReading, alike
from kinema.core.printing import Table
from kinema.core.splits import counted, read_split, unknown_splits
from kinema.data.video.finding import passed_over
from kinema.data.video.limits import cut_message, is_cut, left_out_message, too_large
from kinema.data.video.manifest import Manifest
from kinema.data.video.rates import mixed_message, rates_of

SPAN = 33
"""Frames that a clip of the preset 'small' covers, by which a scan says how long clips last."""


def scan_json(manifest: Manifest, seconds: float) -> dict[str, Any]:
    """The scan as one JSON object: counts, every file with its health, what was passed over, and how long it took.

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
            "transient": video.transient,
            "interlaced": video.interlaced,
            "note": video.note,
        }
        for video in manifest.videos
    ]
    counts = {name: health.get(name, 0) for name in ("ok", "partial", "unreadable")}
    missed = manifest.overlooked
    overlooked = {
        "unlisted": [{"path": path, "reason": reason} for path, reason in missed.unlisted.items()],
        "passed_over": dict(missed.endings),
        "links_passed_over": missed.links,
        "special_files": dict(missed.special),
        "picture_folders_passed_over": missed.pictures,
        "names_not_utf8": list(missed.misnamed),
    }
    facts = {"files": files, **overlooked, "labels": labels_json(manifest), **_costs_json(manifest)}
    return {"videos": len(manifest), **counts, **facts, "seconds": seconds}


def _costs_json(manifest: Manifest) -> dict[str, Any]:
    """What of the videos is more than clips can hold, and how long a clip lasts in them."""
    videos, rates = manifest.videos, rates_of(manifest.videos)
    spans = None if rates is None else dict(zip(("shortest", "longest"), rates.seconds(SPAN), strict=True))
    known = None if rates is None else {"lowest": rates.lowest, "highest": rates.highest, "mixed": rates.mixed}
    return {
        "rates": None if known is None else {**known, "clip_frames": SPAN, "clip_seconds": spans},
        "cut": [video.path for video in videos if is_cut(video)],
        "too_large": [video.path for video in videos if too_large(video.height, video.width)],
        "warnings": _cost_warnings(manifest),
    }


def _cost_warnings(manifest: Manifest) -> list[str]:
    videos = manifest.videos
    large = [video for video in videos if too_large(video.height, video.width)]
    mixed = mixed_message(videos, SPAN, "of the preset 'small'")
    return [sentence for sentence in (left_out_message(large, len(videos)), cut_message(videos), mixed) if sentence]


def not_looked_at(manifest: Manifest) -> list[str]:
    """What a scan could not look at.

    Folders that could not be listed, names that are not UTF-8, and files that could not be read for a reason that may
    pass.

    Args:
        manifest: what was found.
    """
    missed = manifest.overlooked
    return [*missed.unlisted, *missed.misnamed, *(video.path for video in manifest.videos if video.transient)]


def labels_json(manifest: Manifest) -> dict[str, Any]:
    """What is known of the videos' labels and splits, and what was written that fits none of them.

    Args:
        manifest: what was found.
    """
    read = manifest.reading or LabelReading()
    videos = manifest.videos
    return {
        "origin": read.origin,
        "table": read.table or None,
        "encoding": read.encoding or None,
        "separator": read.separator or None,
        "classes": len(manifest.classes()),
        "labelled": sum(video.label is not None for video in videos),
        "rows": read.rows,
        "rows_without_video": asdict(read.unmatched),
        "rows_not_looked_at": asdict(read.unseen),
        "rows_passed_over": asdict(read.passed_over),
        "videos_without_row": asdict(read.unlisted),
        "videos_beside_class_folders": asdict(read.beside),
        "rows_in_another_spelling": asdict(read.rewritten),
        "splits": dict(Counter(split for video in videos if (split := read_split(video.split)))),
        "unknown_splits": dict(unknown_splits(videos)),
        "why_none": read.why or None,
        "warnings": _warnings(manifest),
    }


def _warnings(manifest: Manifest) -> list[str]:
    sentences = [*(manifest.reading.warnings() if manifest.reading is not None else ()), *alike(manifest.classes())]
    unknown = unknown_splits(manifest.videos)
    if unknown:
        count = sum(unknown.values())
        sentences.append(f"The split of {count} videos is none of train, val and test: {counted(unknown)}.")
    return sentences


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
    passed = passed_over(manifest.overlooked)
    if passed:
        summary.add_row("passed over", passed)
    unseen = _not_looked_at(manifest)
    if unseen:
        summary.add_row("not looked at", unseen)
    splits = Counter(split for video in videos if (split := read_split(video.split)))
    if splits:
        summary.add_row("splits", _counted(splits, most=8))
    read = manifest.reading
    if read is not None and read.origin == "table":
        summary.add_row("labels", f"{read.rows} rows of {read.table}, {read.encoding}, separated by {read.separator}")
    costs = _cost_warnings(manifest)
    sentences = [*_warnings(manifest), *([read.why] if read is not None and read.why else [])]
    notes = [Text("Labels"), *(Text(f"- {sentence}") for sentence in sentences)] if sentences else []
    notes += [Text("Pictures and rates"), *(Text(f"- {sentence}") for sentence in costs)] if costs else []
    parts: list[Table | Text] = [summary, *_unlisted_table(manifest, worst), *notes]
    parts += _notes_table(manifest, worst)
    broken = [video for video in videos if video.health != "ok"]
    if not broken:
        return Group(*parts)
    listed = Table("file", "health", "reason", title="Not whole", title_justify="left")
    for video in broken[:worst]:
        listed.add_row(video.path, video.health, video.reason)
    if len(broken) > worst:
        listed.caption = f"and {len(broken) - worst} more; --json or -o lists them all"
    return Group(*parts, listed)


def _notes_table(manifest: Manifest, worst: int) -> list[Table]:
    """The files of which there is something to know though they may be whole."""
    noted = [video for video in manifest.videos if video.note]
    if not noted:
        return []
    table = Table("file", "note", title="Good to know", title_justify="left")
    for video in noted[:worst]:
        table.add_row(video.path, video.note)
    if len(noted) > worst:
        table.caption = f"and {len(noted) - worst} more; --json or -o lists them all"
    return [table]


def _not_looked_at(manifest: Manifest) -> str:
    """How many folders could not be listed, and how many files not be read; empty for none."""
    closed, unread = len(manifest.overlooked.unlisted), sum(video.transient for video in manifest.videos)
    words = [f"{closed} folder{'s' * (closed > 1)} could not be listed"] if closed else []
    words += [f"{unread} file{'s' * (unread > 1)} could not be read now"] if unread else []
    strange = len(manifest.overlooked.misnamed)
    words += [f"{strange} name{'s that are' if strange > 1 else ' that is'} not UTF-8"] if strange else []
    return ", ".join(words)


def _unlisted_table(manifest: Manifest, worst: int) -> list[Table]:
    """The folders that could not be listed and the files that could not be read, where there are any."""
    closed = dict(manifest.overlooked.unlisted)
    unread = {video.path: video.reason for video in manifest.videos if video.transient}
    closed |= dict.fromkeys(manifest.overlooked.misnamed, "its name is not UTF-8: rename it, for instance with convmv")
    if not closed and not unread:
        return []
    table = Table("path", "reason", title="Not looked at", title_justify="left")
    rows = [*closed.items(), *unread.items()]
    for path, reason in rows[:worst]:
        table.add_row(path, reason)
    more = f"and {len(rows) - worst} more; " if len(rows) > worst else ""
    table.caption = f"{more}what is there may be whole: the next scan looks again"
    return [table]


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
