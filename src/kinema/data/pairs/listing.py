"""``pairs.csv``, or the same as ``.jsonl``: a row a pair, with the columns image, text and labels.

There may also be name, source, split and at (seconds in a video, of which a frame is the picture); every further column
is an attribute of that name. Paths are absolute, or relative to the table's folder. Labels have ';' between them.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.labelling import LabelReading
from kinema.core.reading import parse_json, reason_of
from kinema.core.splits import read_split, tidy
from kinema.data.pairs.table import Pair, array_file, stored_row
from kinema.data.written import read_table, read_written

LISTING, JSONL = "pairs.csv", ".jsonl"

_OWN = ("image", "text", "labels", "name", "source", "split", "at", "start", "end")
_GALLERY = ("database", "retrieval", "gallery", "db")
_QUERY = ("query", "queries")
_HINT = "A table of pairs has the columns image, text and labels, and may have name, source, split and at."


def read_listing(file: Path) -> tuple[list[Pair], LabelReading]:
    """The pairs that a table names; no file of theirs was opened.

    Args:
        file: the table; paths in it are absolute, or relative to its folder.

    Returns:
        The pairs, and how the table was read.

    Raises:
        DataError: it cannot be read, has neither pictures nor texts, or no row, or a value is none that its column
            holds; the message gives the line.
    """
    table = read_table(file, (), (*_OWN, "label"), hint=_HINT)
    _check_columns(file, table.columns)
    if not table.rows:
        raise DataError(f"'{file}' names no pair: it has no row below its head.", _HINT)
    held = [(f"line {row.line}", row.values, labels_in(_labels_of(row.values))) for row in table.rows]
    reading = LabelReading(
        origin="table" if any(labels for _, _, labels in held) else "none",
        noun="pairs",
        table=file.name,
        encoding=table.encoding,
        guessed=table.guessed,
        separator=table.separator,
        rows=len(table.rows),
        nameless=table.nameless,
        why="" if any(labels for _, _, labels in held) else f"{file.name} gives no labels.",
    )
    return list(_pairs(file, held)), reading


def read_records(file: Path) -> list[Pair]:
    """The pairs of a .jsonl: an object a line, keys as a table's columns; labels are a list, or a text with ';'.

    Args:
        file: the table.

    Raises:
        DataError: as :func:`read_listing`.
    """
    held: list[tuple[str, Mapping[str, str], tuple[str, ...]]] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(read_written(file).text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
        except ValueError as error:
            raise DataError(f"'{file}', line {number}: it is no JSON: {reason_of(error)}.", _HINT) from error
        values, labels = _record(file, number, record)
        columns |= dict.fromkeys(values)
        held.append((f"line {number}", values, labels))
    if not held:
        raise DataError(f"'{file}' names no pair: it has no line.", _HINT)
    _check_columns(file, tuple(columns))
    return list(_pairs(file, held))


def labels_in(cell: str) -> tuple[str, ...]:
    """The labels of a cell, ';' between them: tidied, each once, sorted.

    Args:
        cell: for instance 'cat; dog;cat'.
    """
    return tuple(sorted({tidy(label) for label in cell.split(";")} - {""}))


def split_of(written: str | None) -> str | None:
    """The split that a table means: 'query' is 'test', and what only a gallery is made of has none.

    Args:
        written: the value; None where there is none.
    """
    word = tidy(written or "").casefold()
    return None if word in _GALLERY else "test" if word in _QUERY else read_split(written)


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    if not {"image", "text"} & set(columns):
        listed = ", ".join(filter(None, columns)) or "none"
        raise DataError(f"'{file}' has neither a column 'image' nor a column 'text' among: {listed}.", _HINT)
    if {"labels", "label"} <= set(columns):
        raise DataError(f"'{file}' has a column 'labels' and a column 'label'.", "Keep one of them.")


def _labels_of(values: Mapping[str, str]) -> str:
    return values.get("labels", values.get("label", ""))


def _record(file: Path, line: int, record: Any) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """An object of a .jsonl as a row of a table, and its labels."""
    if not isinstance(record, dict):
        raise DataError(f"'{file}', line {line}: it is a {type(record).__name__}, and no object.", _HINT)
    values: dict[str, str] = {}
    labels: tuple[str, ...] = ()
    for key, value in record.items():
        name = tidy(key)
        if name in ("labels", "label") and isinstance(value, list) and all(isinstance(each, str) for each in value):
            labels = tuple(sorted({tidy(each) for each in value} - {""}))
            values[name] = ""
        elif value is None or isinstance(value, str | int | float):
            values[name] = "" if value is None else tidy(str(value))
        else:
            raise DataError(
                f"'{file}', line {line}: '{key}' is a {type(value).__name__}; a text or a number was expected.", _HINT
            )
    return values, labels or labels_in(_labels_of(values))


def _pairs(file: Path, held: Sequence[tuple[str, Mapping[str, str], tuple[str, ...]]]) -> Iterator[Pair]:
    """Each row as a pair, named as it says, or by its picture, or by its number; all names are different."""
    root = file.parent.resolve()
    given = {values["name"]: where for where, values, _ in held if values.get("name")}
    taken: dict[str, int] = {}
    for number, (where, values, labels) in enumerate(held, 1):
        image = _place(root, values.get("image", ""))
        at = _seconds(file, where, values, "at")
        name = values.get("name", "")
        if name and given[name] != where:
            raise DataError(
                f"'{file}', {where}, column 'name': '{name}' stands in {given[name]} too.", "Give each pair its own."
            )
        if not name:
            name = f"row {number}" if not image else image if at is None else f"{image}@{at:.3f}"
            while name in taken or name in given:
                taken[name] = count = taken.get(name, 1) + 1
                name = f"{name} ({count})"
        taken.setdefault(name, 1)
        attributes = {key: value for key, value in values.items() if key and value and key not in (*_OWN, "label")}
        yield Pair(
            name,
            image,
            at,
            values.get("text", ""),
            _seconds(file, where, values, "start"),
            _seconds(file, where, values, "end"),
            labels,
            values.get("source", "") or image,
            split_of(values.get("split")),
            attributes,
        )


def _place(root: Path, cell: str) -> str:
    """What a cell names, spelt as on the disk: accents may be stored in either of Unicode's forms."""
    for spelt in (cell, cell.replace("\\", "/")):
        for form in ("NFC", "NFD"):
            name = unicodedata.normalize(form, spelt)
            stored = stored_row(name)
            if name and _is_there(root / (array_file(stored[0])[0] if stored is not None else name)):
                return name
    return cell


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _seconds(file: Path, where: str, values: Mapping[str, str], column: str) -> float | None:
    written = values.get(column, "")
    if not written:
        return None
    try:
        found = float(written)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise DataError(f"'{file}', {where}, column '{column}': '{written}' is no number of seconds.", _HINT)
    return found
