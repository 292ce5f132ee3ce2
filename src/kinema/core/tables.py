"""Which rows of a table are learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from kinema.core.contracts import Table
from kinema.core.errors import DataError

T = TypeVar("T", bound=Table)


def training_rows(table: T, where: Mapping[str, str] | None, noun: str, hint: str) -> T:
    """The usable rows to train on: those of ``where``, or of the split 'train' where the table has one.

    Args:
        table: all rows.
        where: keys and the values that they must have; None for the default.
        noun: what rows are, for messages: 'videos'.
        hint: what to do where there are too few.

    Raises:
        DataError: there are fewer than two.
    """
    if where is None:
        where = {"split": "train"} if any(row.split == "train" for row in table.rows) else {}
    chosen: T = table.select(where).usable()
    if len(chosen) < 2:
        raise DataError(
            f"{len(chosen)} of {len(table)} {noun} can be trained on; telling {noun} apart needs at least 2.", hint
        )
    return chosen
