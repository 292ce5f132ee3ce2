"""Known sets of pairs by name, as they lie on disk: NAME:PATH."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kinema.core.errors import DataError, UsageError
from kinema.data.pairs.coco import coco_rows
from kinema.data.pairs.mirflickr import mirflickr_rows
from kinema.data.pairs.nus_wide import nus_wide_rows
from kinema.data.pairs.table import Pair
from kinema.data.pairs.wikipedia import wikipedia_rows

LAYOUTS: Mapping[str, Callable[[Path], tuple[Pair, ...]]] = {
    "mirflickr25k": mirflickr_rows,
    "nus-wide": nus_wide_rows,
    "coco": coco_rows,
    "wikipedia": wikipedia_rows,
}
"""The known data sets by the names that a user gives."""


def read_layout(name: str, path: str | Path) -> Sequence[Pair]:
    """The pairs of a known data set; no picture of it is opened.

    Args:
        name: of :data:`LAYOUTS`.
        path: its folder; paths of the pairs are relative to it.

    Raises:
        UsageError: there is no data set of that name.
        DataError: the folder holds no such data set; the message says what was expected.
    """
    if name not in LAYOUTS:
        raise UsageError(f"There is no layout '{name}' of pairs.", f"The known data sets are: {', '.join(LAYOUTS)}.")
    root = Path(path).resolve()
    if not root.is_dir():
        raise DataError(f"'{path}' is no folder.", f"Write {name}:PATH with the folder of the set.")
    return LAYOUTS[name](root)
