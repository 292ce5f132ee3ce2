"""Files of published sets: where they lie below a folder, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import load_json, parse_json, reason_of
from kinema.data.written import read_written

_LARGEST = 1 << 30
"""Bytes of the largest file: TVQA+ with its boxes has some hundred MB."""


def below(root: Path, *patterns: str) -> list[Path]:
    """The files below a folder whose names are as one of the patterns, those nearest to it first.

    Args:
        root: the folder.
        patterns: as of :meth:`pathlib.Path.glob`, for instance 'tvqa_*.jsonl'.
    """
    found = {path for pattern in patterns for path in root.rglob(pattern) if path.is_file()}
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    return sorted(shown, key=lambda path: (len(path.parts), path.as_posix()))


def json_of(path: Path, kind: type, hint: str) -> Any:
    """The JSON of a file.

    Args:
        path: the file.
        kind: what it must be: ``dict`` or ``list``.
        hint: how it must look.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    try:
        found = load_json(path, _LARGEST)
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {reason_of(error)}.", hint) from error
    if not isinstance(found, kind):
        raise DataError(f"'{path}' holds no {'object' if kind is dict else 'list'}.", hint)
    return found


def lines_of(path: Path, hint: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a .jsonl with the numbers of their lines, from 1.

    Args:
        path: the file.
        hint: how it must look.

    Raises:
        DataError: it cannot be read, or a line is no object.
    """
    for number, line in enumerate(read_written(path).text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
        except ValueError as error:
            raise DataError(f"'{path}', line {number}: {reason_of(error)}.", hint) from error
        yield number, asked(record, f"'{path}', line {number}", hint)


def asked(record: Any, where: str, hint: str) -> Mapping[str, Any]:
    """A record that must be an object.

    Raises:
        DataError: it is none.
    """
    if not isinstance(record, dict):
        raise DataError(f"{where}: it is no object.", hint)
    return record


def whole(value: Any) -> Any:
    """A whole number that may be written as a text; anything else as it is.

    Args:
        value: for instance '3'.
    """
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value
