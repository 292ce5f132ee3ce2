"""The columns of a table: those that every table of a modality has, the vector, and one for each attribute."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from torch import Tensor

from kinema.core.errors import StorageError
from kinema.searching.layout import ELSEWHERE

CENTRE = b"kinema centre"
"""The key of the centre in a schema's metadata."""


@dataclass(frozen=True)
class Columns:
    """The columns of the tables of a modality.

    Args:
        own: the types of those that every table has, by name, without the vector.
        vector_at: the place of the vector among them.
        coded: whether tables may have a column 'code' too, or instead of the vector.
    """

    own: Mapping[str, pa.DataType]
    vector_at: int
    coded: bool = False

    @property
    def taken(self) -> frozenset[str]:
        """The columns that no attribute may have."""
        return frozenset({*self.own, "vector", *(["code"] if self.coded else [])})

    def of_attributes(self, attributes: Iterable[str]) -> dict[str, str]:
        """The column of each attribute."""
        found: dict[str, str] = {}
        for attribute in sorted(set(attributes)):
            found[attribute] = self._column_of(attribute, found.values())
        return found

    def extra(self, schema: pa.Schema) -> tuple[str, ...]:
        """The columns of a table that come from attributes."""
        return tuple(name for name in schema.names if name not in self.taken)

    def schema(
        self,
        settings: Mapping[str, Any],
        dim: int,
        attributes: Iterable[str],
        centre: Tensor | None = None,
        *,
        bits: int = 0,
    ) -> pa.Schema:
        """The columns of a new table.

        Args:
            settings: of the table, as JSON values; stored in the schema's metadata.
            dim: of the vectors; 0 for none.
            attributes: columns of attributes.
            centre: float64 [d]; stored likewise.
            bits: of the codes; 0 for none.
        """
        own = [pa.field(name, kind) for name, kind in self.own.items()]
        own[self.vector_at : self.vector_at] = [pa.field(*item) for item in _embedded(dim, bits).items()]
        extra = [pa.field(name, pa.string()) for name in attributes]
        metadata = {b"kinema": json.dumps(settings).encode()}
        if centre is not None:
            metadata[CENTRE] = json.dumps(centre.tolist()).encode()
        return pa.schema([*own, *extra]).with_metadata(metadata)

    def check(self, table: Any, dim: int, uri: str, *, bits: int = 0) -> None:
        """Raises a StorageError where a table lacks a column, or has one of another type.

        Args:
            table: of LanceDB.
            dim: of its vectors; 0 for none.
            uri: of the table, for the message.
            bits: of its codes; 0 for none.
        """
        found = {field.name: str(field.type) for field in table.schema}
        wanted = {name: str(kind) for name, kind in self.own.items()}
        wanted |= {name: str(kind) for name, kind in _embedded(dim, bits).items()}
        wrong = [f"'{name}' is {found.get(name, 'not there')}" for name in wanted if found.get(name) != wanted[name]]
        if wrong:
            raise StorageError(
                f"The columns of the table in '{uri}' are not kinema's: {', '.join(wrong[:4])}.", ELSEWHERE
            )

    def _column_of(self, attribute: str, taken: Iterable[str]) -> str:
        """The column of an attribute: its name, with '_' for all characters but letters, digits and '_'.

        Args:
            attribute: its name.
            taken: columns of other attributes.
        """
        name = re.sub(r"\W", "_", attribute) or "_"
        if name.lower() in {*self.taken, "_distance", "_rowid"} or name[0].isdigit():
            name = f"attribute_{name}"
        while name in taken:
            name += "_"
        return name


def _embedded(dim: int, bits: int) -> dict[str, pa.DataType]:
    """The columns that are searched: vectors, packed codes, or both."""
    found = {"vector": pa.list_(pa.float32(), dim)} if dim else {}
    return found | ({"code": pa.binary(bits // 8)} if bits else {})


def has_codes(schema: pa.Schema) -> bool:
    """Whether a table has packed codes; another column may be called 'code' too."""
    return "code" in schema.names and pa.types.is_fixed_size_binary(schema.field("code").type)
