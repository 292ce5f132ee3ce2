"""What a folder says of its videos: ``labels.csv``, class folders, or nothing.

``labels.csv`` at the root has a column ``path``, relative to the folder, and may have ``label``, ``source`` and
``split``; every further column becomes an attribute of that name. Where it gives no labels, the class is the folder's
name if every video lies exactly one folder deep. Otherwise the videos have no labels.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.data.video.files import EXTENSIONS, claims_video
from kinema.data.video.manifest import Video

log = logging.getLogger(__name__)

LABELS = "labels.csv"
_OWN = ("path", "label", "source", "split")


def apply_labels(root: Path, videos: Sequence[Video]) -> tuple[Video, ...]:
    """The videos with what the folder says of them.

    Rows of ``labels.csv`` that name a file which is there but does not end like a video are named in a warning.

    Args:
        root: the folder.
        videos: found below it, in any order.

    Raises:
        DataError: ``labels.csv`` cannot be read, lacks ``path``, names a video twice or names files that are missing;
            the message gives line and column.
    """
    rows = _read_labels(root, videos) if (root / LABELS).is_file() else {}
    labelled = any(row.get("label") for row in rows.values())
    folders = not labelled and bool(videos) and all(len(PurePosixPath(video.path).parts) == 2 for video in videos)
    described = []
    for video in videos:
        row = rows.get(video.path, {})
        described.append(
            replace(
                video,
                label=PurePosixPath(video.path).parts[0] if folders else row.get("label") or None,
                source=row.get("source") or video.path,
                split=row.get("split") or None,
                attributes={key: value for key, value in row.items() if key not in _OWN},
            )
        )
    return tuple(described)


def _read_labels(root: Path, videos: Sequence[Video]) -> dict[str, Mapping[str, str]]:
    path = root / LABELS
    rows: dict[str, Mapping[str, str]] = {}
    lines: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            if "path" not in columns:
                raise DataError(
                    f"'{path}', line 1: there is no column 'path' among: {', '.join(columns) or 'none'}.",
                    "Name the column that holds each video's path, relative to the folder, 'path'.",
                )
            for row in reader:
                _check_row(path, reader.line_num, row, lines)
                name = _normal(row["path"])
                rows[name] = {key: value for key, value in row.items() if key}
                lines[name] = reader.line_num
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataError(f"'{path}' could not be read: {error}.", "Write it as UTF-8, separated by commas.") from error
    known = {video.path for video in videos}
    missing = [name for name in rows if name not in known and not (root / name).is_file()]
    if missing:
        named = ", ".join(f"'{name}' (line {lines[name]})" for name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(
            f"'{path}', column 'path': {len(missing)} of {len(rows)} files are not there: {named}{more}.",
            "Paths are relative to the folder, with forward slashes; take out the lines of files that are gone.",
        )
    foreign = [name for name in rows if name not in known and not claims_video(name)]
    if foreign:
        named = ", ".join(f"'{name}' (line {lines[name]})" for name in foreign[:5])
        more = f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
        log.warning(
            "'%s', column 'path': %d of %d files are passed over, for their names do not end like a video's: %s%s. "
            "Rename them if they are videos; the endings are %s.",
            path,
            len(foreign),
            len(rows),
            named,
            more,
            ", ".join(sorted(EXTENSIONS)),
        )
    return rows


def _check_row(path: Path, line: int, row: Mapping[str, str], lines: Mapping[str, int]) -> None:
    if None in row or None in row.values():
        raise DataError(
            f"'{path}', line {line}: it has {'more' if None in row else 'fewer'} columns than the head.",
            "Put a value that holds a comma in double quotes.",
        )
    name = _normal(row["path"])
    if not row["path"].strip():
        raise DataError(f"'{path}', line {line}, column 'path': it is empty.")
    if name in lines:
        raise DataError(
            f"'{path}', line {line}, column 'path': '{row['path']}' stands in line {lines[name]} already.",
            "Keep one line a video.",
        )


def _normal(path: str) -> str:
    return PurePosixPath(path.strip().replace("\\", "/")).as_posix()
