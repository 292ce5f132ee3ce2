"""Text and tables as people write them: in whatever encoding, with whatever separator, with spaces and capitals.

A spreadsheet saves with semicolons in one country and with commas in another, in UTF-8, in UTF-16 or in the code page
of its system. All of these are read. What had to be guessed is said, so that whoever uses the text can say it too.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.splits import tidy

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # begins like the mark of UTF-16, so it stands before it
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_GUESSES = (("cp1252", "Windows-1252"), ("latin-1", "Latin-1"))
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Written:
    """The text of a file.

    Args:
        text: without a byte-order mark; the ends of lines as they are.
        encoding: how it was read: 'UTF-8', 'UTF-16', 'Windows-1252', …
        guessed: whether nothing in the file said so.
    """

    text: str
    encoding: str
    guessed: bool = False


def read_written(path: Path) -> Written:
    """The text of a file: by its byte-order mark, else as UTF-8, else as Windows-1252 or Latin-1.

    Args:
        path: the file.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    hint = "Save it as text in UTF-8."
    try:
        data = path.read_bytes()
        for mark, codec, name in _MARKS:
            if data.startswith(mark):
                return Written(data.decode(codec), name)
        if b"\0" in data:
            raise DataError(f"'{path}' could not be read: it holds bytes that no text holds (NUL).", hint)
        try:
            return Written(data.decode("utf-8"), "UTF-8")
        except UnicodeDecodeError:
            return _guess(data)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' could not be read: {error}.", hint) from error


def _guess(data: bytes) -> Written:
    codec, name = _GUESSES[0]
    try:
        return Written(data.decode(codec), name, guessed=True)
    except UnicodeDecodeError:  # Windows-1252 lacks five bytes; Latin-1 lacks none
        codec, name = _GUESSES[1]
        return Written(data.decode(codec), name, guessed=True)


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Args:
        line: its last line in the file, from 1.
        values: tidied, by column.
        raw: as they are written, by column.
    """

    line: int
    values: Mapping[str, str]
    raw: Mapping[str, str]


@dataclass(frozen=True)
class WrittenTable:
    """A table with a head.

    Args:
        columns: their names, tidied; those that were asked for are spelt as they were asked for.
        rows: those that hold anything.
        separator: 'commas', 'semicolons' or 'tabs'.
        encoding: how its bytes were read.
        guessed: whether the encoding was guessed.
        nameless: whether a column without a name holds values.
    """

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    separator: str
    encoding: str
    guessed: bool
    nameless: bool = field(default=False)


@contextmanager
def long_fields() -> Iterator[None]:
    """Lets the csv module read fields of any length; its limit is one for the whole process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


@long_fields()
def read_table(path: Path, needed: Sequence[str], known: Sequence[str] = (), *, hint: str = "") -> WrittenTable:
    """A table with a head, separated by commas, semicolons or tabs, whichever the head is.

    Names of columns are tidied, and those of ``needed`` and ``known`` are found in whatever capitals. Values are
    tidied. Rows without any value are no rows. Empty values beyond the head are passed over.

    Args:
        path: the file.
        needed: columns that must be there.
        known: columns that may be there.
        hint: what to do where one that is needed is not there.

    Raises:
        DataError: it cannot be read, lacks a column that is needed or has it twice, or a row has too few or too many
            values; the message gives the line.
    """
    written = read_written(path)
    text, skipped = _without_directive(written.text)
    separator = _separator(text, needed)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    rows: list[TableRow] = []
    nameless = False
    try:
        head = next((cells for cells in reader if any(tidy(cell) for cell in cells)), [])
        columns = _columns(path, head, (*needed, *known), needed, hint, max(1, reader.line_num) + skipped)
        for cells in reader:
            if not any(tidy(cell) for cell in cells):
                continue
            line = reader.line_num + skipped
            held = _fitting(path, line, cells, len(columns))
            nameless |= any(not name and tidy(cell) for name, cell in zip(columns, held, strict=True))
            raw = {name: cell for name, cell in zip(columns, held, strict=True) if name}
            rows.append(TableRow(line, {name: tidy(cell) for name, cell in raw.items()}, raw))
    except csv.Error as error:
        raise DataError(
            f"'{path}', line {reader.line_num + skipped}: {error}; it could not be read.",
            "Write it as UTF-8, separated by commas; close every double quote.",
        ) from error
    kind = _SEPARATORS[separator]
    return WrittenTable(tuple(columns), tuple(rows), kind, written.encoding, written.guessed, nameless)


def _without_directive(text: str) -> tuple[str, int]:
    """The text without the line ``sep=;`` that spreadsheets write, and how many lines that takes away."""
    first, end, rest = text.partition("\n")
    found = tidy(first).strip('"').casefold().startswith("sep=")
    return (rest, 1) if found and end else (text, 0)


def _separator(text: str, needed: Sequence[str]) -> str:
    """What the head is separated by: what shows the most columns, those that show all that are needed first."""

    def shown(separator: str) -> tuple[bool, int]:
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), [])
        except csv.Error:
            return False, 0
        names = {tidy(cell).casefold() for cell in cells}
        return all(name in names for name in needed), len(cells)

    return max(_SEPARATORS, key=shown)  # the comma where they are equal


def _columns(
    path: Path, head: Sequence[str], spelt: Sequence[str], needed: Sequence[str], hint: str, line: int
) -> list[str]:
    spelling = {name.casefold(): name for name in spelt}
    columns = [spelling.get(tidy(cell).casefold(), tidy(cell)) for cell in head]
    listed = ", ".join(name for name in columns if name) or "none"
    for name in needed:
        if name not in columns:
            raise DataError(f"'{path}', line {line}: there is no column '{name}' among: {listed}.", hint)
    twice = next((name for number, name in enumerate(columns) if name and name in columns[:number]), None)
    if twice is not None:
        raise DataError(
            f"'{path}', line {line}: there are two columns '{twice}': {listed}.",
            "Keep one of them, or rename the other.",
        )
    return columns


def _fitting(path: Path, line: int, cells: Sequence[str], size: int) -> list[str]:
    """As many values as there are columns."""
    if len(cells) < size or any(tidy(cell) for cell in cells[size:]):
        raise DataError(
            f"'{path}', line {line}: it has {'fewer' if len(cells) < size else 'more'} columns than the head.",
            "Put a value that holds the separator in double quotes.",
        )
    return list(cells[:size])
