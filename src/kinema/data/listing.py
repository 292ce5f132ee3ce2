"""A table's rows as a file: JSON or Parquet, with the folder that their files lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Protocol, get_args, get_origin, get_type_hints

from kinema.core.errors import DataError
from kinema.core.files import write_atomic, write_json
from kinema.data.moving import way_to


class Listed(Protocol):
    """A table whose rows are dataclasses with ``attributes``."""

    @property
    def root(self) -> Path:
        """The folder of their files."""
        ...

    @property
    def rows(self) -> Sequence[Any]:
        """The rows."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of all that learning depends on, in hexadecimal."""
        ...


def write_list(path: Path, table: Listed, kind: type, noun: str, **more: str) -> None:
    """Writes a table atomically, as JSON where the file's name ends in '.json' and as Parquet otherwise.

    Args:
        path: the file.
        table: its rows are written, and where their files lie.
        kind: the dataclass of its rows; a column's type is that of the field.
        noun: what the rows are: 'documents'.
        more: what else is said of the whole, by name.

    Raises:
        StorageError: it could not be written.
    """
    rows = [{**asdict(row), "attributes": dict(row.attributes)} for row in table.rows]
    head = {f"kinema_{noun}": 1, "root": str(table.root.resolve()), **more}
    head["root_from_here"] = way_to(table.root, path)
    if path.suffix == ".json":
        write_json(path, {**head, noun: rows})
        return
    import pyarrow
    from pyarrow import parquet

    hints = get_type_hints(kind)
    schema = pyarrow.schema([(each.name, _column(pyarrow, hints[each.name])) for each in fields(kind)])
    metadata = {key: str(value) for key, value in head.items()} | {"digest": table.digest}
    written = pyarrow.Table.from_pylist(rows, schema=schema.with_metadata(metadata))
    write_atomic(path, lambda file: parquet.write_table(written, file))


def trained_digests(path: Path, noun: str) -> frozenset[str]:
    """The digests of the rows in a list that :func:`write_list` wrote, as a run keeps of what it learnt from.

    Args:
        path: of a Parquet file; of a file that is not there none are known.
        noun: what the rows are, for the message: 'tracklets'.

    Raises:
        DataError: it is damaged, or no such list.
    """
    from pyarrow import ArrowException, parquet

    if not path.is_file():
        return frozenset()
    try:
        found = parquet.read_table(path, columns=["digest"]).column("digest").to_pylist()
    except (ArrowException, OSError, KeyError) as error:
        raise DataError(
            f"'{path}' is no list of {noun} that can be read: {error}.",
            "What was trained on cannot be told without it; train again.",
        ) from error
    return frozenset(str(each) for each in found if each)


def _column(arrow: Any, hint: Any) -> Any:
    """The type of a column, from that of a field: a text, a number, several of one type, or texts by name."""
    origin, inner = get_origin(hint), [each for each in get_args(hint) if each not in (NoneType, ...)]
    if origin is tuple and len(set(inner)) == 1:
        return arrow.list_(_column(arrow, inner[0]))
    if origin is Mapping and inner == [str, str]:
        return arrow.map_(arrow.string(), arrow.string())
    if origin is Literal or hint in (str, str | None):
        return arrow.string()
    return {int: arrow.int64(), float: arrow.float64(), float | None: arrow.float64()}[hint]
