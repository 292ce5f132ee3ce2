"""The files that hold documents, record by record: plain text, JSON lines, CSV, TSV and Parquet.

A record that cannot be read comes back with its problem in place of its text, so that one bad line does not end the
reading of a file. Nothing is ever replaced silently: bytes that the encoding does not know are a problem too.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from kinema.core.errors import ConfigError, DataError
from kinema.data.written import long_fields

TEXTS = frozenset({".txt"})
"""Endings of files that are one document each."""

TABLES = frozenset({".csv", ".jsonl", ".ndjson", ".parquet", ".tsv"})
"""Endings of files with a document a row, in a column ``text``."""

TEXT = "text"
_BYTE_ORDER_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_ESCAPED = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEAD = 100


@dataclass(frozen=True)
class Record:
    """One row of a file.

    Args:
        row: its number, counted from 1: of the line in JSON lines, of the record without the head elsewhere.
        text: the document; empty where there is a problem.
        problem: why it cannot be read; empty where it can.
        fields: its other columns as text, without the ones that hold nothing.
    """

    row: int
    text: str = ""
    problem: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def check_encoding(encoding: str) -> str:
    """The codec's own name.

    Raises:
        ConfigError: Python knows no text encoding of that name.
    """
    try:
        "".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise ConfigError(f"There is no encoding '{encoding}'.", "For instance: utf-8, latin-1, cp1252.") from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file that is one document. A byte-order mark of UTF-8, UTF-16 or UTF-32 goes before ``encoding``.

    Raises:
        ValueError: its bytes are not of that encoding; the message names the byte and its offset.
        OSError: it cannot be opened.
    """
    data = path.read_bytes()
    codec = _codec(data[:4], encoding)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise ValueError(_undecodable(data[error.start], codec, f" at offset {error.start}")) from error
    if problem := _damage(text):
        raise ValueError(problem)
    return text


def columns(path: Path, encoding: str = "utf-8") -> tuple[str, ...]:
    """The names of a table's columns; of JSON lines, the keys of its first hundred objects.

    Raises:
        ValueError: it is no table of its kind.
        OSError: it cannot be opened.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        with _parquet(path) as table:
            return tuple(table.schema_arrow.names)
    if kind in (".csv", ".tsv"):
        with _lines(path, encoding, "") as lines, long_fields():
            return tuple(next(_reader(lines, kind), ()))
    found: dict[str, None] = {}
    with _lines(path, encoding, "\n") as lines:
        for _, line in zip(range(_HEAD), lines, strict=False):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            found |= dict.fromkeys(value) if isinstance(value, dict) else {}
    return tuple(found)


def check_columns(path: Path, encoding: str = "utf-8") -> None:
    """Refuses a table without a column ``text``.

    Raises:
        DataError: the message names the columns there are.
        ValueError: it is no table of its kind.
        OSError: it cannot be opened.
    """
    there = columns(path, encoding)
    if TEXT not in there:
        named = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
        raise DataError(
            f"'{path}' has no column '{TEXT}'; it has: {named or 'none'}.",
            f"Name the column that holds the documents '{TEXT}'.",
        )


def records(path: Path, encoding: str = "utf-8", wanted: Collection[int] | None = None) -> Iterator[Record]:
    """The rows of a table, one at a time.

    Args:
        path: a file whose name ends in one of :data:`TABLES`.
        encoding: of its text; a byte-order mark goes before it. Parquet is always UTF-8.
        wanted: numbers of the rows that are needed, all of them by default; others are passed over.

    Raises:
        ValueError: it is no table of its kind.
        OSError: it cannot be opened.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _parquet_records(path, wanted)
    if kind in (".csv", ".tsv"):
        return _csv_records(path, encoding, wanted)
    return _json_records(path, encoding, wanted)


def _json_records(path: Path, encoding: str, wanted: Collection[int] | None) -> Iterator[Record]:
    with _lines(path, encoding, "\n") as lines:
        for number, line in enumerate(lines, 1):
            if (wanted is None or number in wanted) and line.strip():
                yield _json_record(number, line, encoding)


def _json_record(number: int, line: str, encoding: str) -> Record:
    if problem := _damage(line, encoding):
        return Record(number, problem=f"line {number}: {problem}")
    try:
        value = json.loads(line.rstrip())
    except RecursionError:
        return Record(number, problem=f"line {number} is nested too deeply")
    except json.JSONDecodeError as error:
        return Record(
            number, problem=f"line {number} is not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
        )
    except ValueError as error:
        return Record(number, problem=f"line {number} is not JSON: {error}")
    if not isinstance(value, dict):
        return Record(number, problem=f"line {number} is a {type(value).__name__}; expected an object")
    if TEXT not in value:
        return Record(number, problem=f"line {number} has no '{TEXT}'; it has: {', '.join(value) or 'nothing'}")
    return _record(number, value, f"line {number}")


def _csv_records(path: Path, encoding: str, wanted: Collection[int] | None) -> Iterator[Record]:
    with _lines(path, encoding, "") as lines:
        reader = _reader(lines, path.suffix.lower())
        head: list[str] | None = None
        number = 0
        while True:
            line, problem = reader.line_num + 1, ""
            values: list[str] | None = []
            try:
                with long_fields():
                    values = next(iter(reader), None)
            except csv.Error as error:
                problem = f"line {line} is not CSV: {error}"
            if values is None:
                return
            if head is None:
                if problem:
                    raise ValueError(problem)
                head = values
                continue
            if not values and not problem:
                continue
            number += 1
            if wanted is None or number in wanted:
                yield _csv_record(number, line, head, values, problem, encoding)


def _csv_record(number: int, line: int, head: list[str], values: list[str], problem: str, encoding: str) -> Record:
    if not problem and len(values) != len(head):
        problem = f"line {line} has {len(values)} columns, the head {len(head)}"
    if not problem and (damage := next(filter(None, (_damage(value, encoding) for value in values)), "")):
        problem = f"line {line}: {damage}"
    if problem:
        return Record(number, problem=problem)
    return _record(number, dict(zip(head, values, strict=True)), f"line {line}")


def _parquet_records(path: Path, wanted: Collection[int] | None) -> Iterator[Record]:
    with _parquet(path) as table:
        names = table.schema_arrow.names
        number = 0
        for batch in table.iter_batches(batch_size=1024):
            for place in range(batch.num_rows):
                number += 1
                if wanted is not None and number not in wanted:
                    continue
                try:
                    values = {name: batch.column(at)[place].as_py() for at, name in enumerate(names)}
                except UnicodeDecodeError as error:
                    problem = _undecodable(error.object[error.start], "utf-8", "")
                    yield Record(number, problem=f"row {number}: {problem}")
                else:
                    yield _record(number, values, f"row {number}")


def _record(number: int, values: Mapping[str, Any], where: str) -> Record:
    text = values[TEXT]
    if not isinstance(text, str | None):
        return Record(number, problem=f"{where}: '{TEXT}' is a {type(text).__name__}; expected a string")
    if text and (problem := _damage(text)):
        return Record(number, problem=f"{where}: {problem}")
    fields = {key: _plain(value) for key, value in values.items() if key and key != TEXT and value is not None}
    return Record(number, text or "", fields=fields)


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _SURROGATE.sub("\ufffd", text)


def _damage(text: str, codec: str = "utf-8") -> str:
    """What is wrong with a text that was decoded with 'surrogateescape'; empty where nothing is."""
    if found := _ESCAPED.search(text):
        return _undecodable(ord(found[0]) - 0xDC00, codec, "")
    if found := _SURROGATE.search(text):
        return f"it holds half of a surrogate pair, U+{ord(found[0]):04X}"
    if "\0" in text:
        return "it holds null characters, so it is not text, or UTF-16 without a byte-order mark"
    return ""


def _undecodable(byte: int, codec: str, where: str) -> str:
    name = codecs.lookup(codec).name.removesuffix("-sig").upper()
    other = "or name its encoding, for instance encoding='latin-1'" if name == "UTF-8" else "or name its own encoding"
    return f"byte 0x{byte:02x}{where} is not {name}; save it as UTF-8, {other}"


def _codec(begin: bytes, encoding: str) -> str:
    return next((codec for mark, codec in _BYTE_ORDER_MARKS if begin.startswith(mark)), encoding)


@contextmanager
def _lines(path: Path, encoding: str, newline: str) -> Iterator[IO[str]]:
    with path.open("rb") as file:
        codec = _codec(file.read(4), encoding)
    with path.open(encoding=codec, errors="surrogateescape", newline=newline) as lines:
        yield lines


def _reader(lines: Iterable[str], kind: str) -> Any:
    return csv.reader(lines, delimiter="\t" if kind == ".tsv" else ",", strict=True)


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        yield table
