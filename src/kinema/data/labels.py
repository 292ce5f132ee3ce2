"""``labels.csv``, the list beside the files that says what they are.

It lies at the root of a folder and has a column ``path``, relative to the folder, and may have ``label``, ``source``
and ``split``; every further column is an attribute of that name. Where it gives no labels, the class is the folder's
name if every file lies exactly one folder deep. Otherwise the files have no labels.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError

log = logging.getLogger(__name__)

LABELS = "labels.csv"
_OWN = ("path", "label", "source", "split")


@dataclass(frozen=True)
class Labelled:
    """What a folder says of one of its files.

    Args:
        label: the class, or None.
        source: what it was cut from, or None.
        split: for instance 'train', or None.
        attributes: the further columns, by name.
    """

    label: str | None = None
    source: str | None = None
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


def read_labels(root: Path, paths: Collection[str], *, noun: str, claims: Callable[[str], bool]) -> dict[str, Labelled]:
    """What ``labels.csv`` or, without labels in it, class folders say of files.

    Rows that name a file which is there but is not one of ``paths`` are named in a warning.

    Args:
        root: the folder.
        paths: the files found below it, with forward slashes.
        noun: what a file is called in messages, for instance 'document'.
        claims: whether a file's name ends like that of one.

    Returns:
        Something for each of ``paths``.

    Raises:
        DataError: ``labels.csv`` cannot be read, lacks ``path``, names a file twice or names files that are missing;
            the message gives line and column.
    """
    rows = _read(root, paths, noun, claims) if (root / LABELS).is_file() else {}
    labelled = any(row.get("label") for row in rows.values())
    folders = not labelled and bool(paths) and all(len(PurePosixPath(path).parts) == 2 for path in paths)
    found = {}
    for path in paths:
        row = rows.get(path, {})
        found[path] = Labelled(
            label=PurePosixPath(path).parts[0] if folders else row.get("label") or None,
            source=row.get("source") or None,
            split=row.get("split") or None,
            attributes={key: value for key, value in row.items() if key not in _OWN},
        )
    return found


def _read(root: Path, paths: Collection[str], noun: str, claims: Callable[[str], bool]) -> dict[str, Mapping[str, str]]:
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
                    f"Name the column that holds each {noun}'s path, relative to the folder, 'path'.",
                )
            for row in reader:
                _check_row(path, reader.line_num, row, lines, noun)
                name = _normal(row["path"])
                rows[name] = {key: value for key, value in row.items() if key}
                lines[name] = reader.line_num
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataError(f"'{path}' could not be read: {error}.", "Write it as UTF-8, separated by commas.") from error
    known = set(paths)
    missing = [name for name in rows if name not in known and not (root / name).is_file()]
    if missing:
        raise DataError(
            f"'{path}', column 'path': {len(missing)} of {len(rows)} files are not there: {_named(missing, lines)}.",
            "Paths are relative to the folder, with forward slashes; take out the lines of files that are gone.",
        )
    foreign = [name for name in rows if name not in known and not claims(name)]
    if foreign:
        text = "'%s', column 'path': %d of %d files are passed over, for their names do not end like a %s's: %s."
        log.warning(text, path, len(foreign), len(rows), noun, _named(foreign, lines))
    return rows


def _named(names: list[str], lines: Mapping[str, int]) -> str:
    first = ", ".join(f"'{name}' (line {lines[name]})" for name in names[:5])
    return first + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_row(path: Path, line: int, row: Mapping[str, str], lines: Mapping[str, int], noun: str) -> None:
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
            f"Keep one line a {noun}.",
        )


def _normal(path: str) -> str:
    return PurePosixPath(path.strip().replace("\\", "/")).as_posix()
