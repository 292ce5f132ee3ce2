"""The codes of a table, in memory, and the nearest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinema.core.codes import Codes
from kinema.searching.codes import CodeIndex, Nearest


@dataclass(frozen=True)
class TableCodes:
    """The codes of some rows of a table.

    Args:
        table: of LanceDB.
        index: of the codes, in the table's order.
        ids: LanceDB's own number of each row, uint64 [N].
    """

    table: Any
    index: CodeIndex
    ids: NDArray[np.uint64]

    @classmethod
    def read(cls, table: Any, where: str) -> TableCodes:
        """Reads the codes of the rows that a condition is true of, and nothing else of them.

        Args:
            table: of LanceDB.
            where: in SQL.
        """
        rows = table.search().where(where).select(["code"]).with_row_id(True).to_arrow()
        return cls(table, CodeIndex(codes_in(rows)), rows["_rowid"].to_numpy())

    def nearest(self, code: Codes, limit: int) -> Nearest:
        """The nearest rows: distances in bits, int32 [M], and their places among these, int64 [M].

        Args:
            code: uint8 [bits / 8].
            limit: M, where there are so many.
        """
        distances, places = self.index.search(code[None], limit)
        return distances[0], places[0]

    def rows(self, places: NDArray[np.int64], columns: list[str]) -> pa.Table:
        """Some rows, in this order.

        Args:
            places: among these.
            columns: to read.
        """
        wanted = self.ids[places]
        found = self.table.take_row_ids(wanted.tolist()).select(columns).with_row_id().to_arrow()
        at = {row: number for number, row in enumerate(found["_rowid"].to_pylist())}
        return found.take([at[row] for row in wanted.tolist()])


def codes_in(rows: pa.Table) -> Codes:
    """The column 'code', uint8 [rows, bits / 8]."""
    column = rows["code"].combine_chunks()
    width = column.type.byte_width
    codes = np.frombuffer(column.buffers()[1] or b"", np.uint8) if len(column) else np.zeros(0, np.uint8)
    return codes[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)
