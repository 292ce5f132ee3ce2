"""What a split is called: the words that people write, and the part that each means.

A table says ``Train``, ``training`` or ``trn `` and means one thing. The words that are known are read as 'train',
'val' or 'test'; any other stays as it is written, and whoever would train by default refuses it and names it,
for a 'Tset' that is taken for training makes every figure worthless. Rows of 'val' and 'test' are never trained on by
default.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kinema.core.errors import DataError

if TYPE_CHECKING:
    from kinema.core.contracts import Row

_STEMS = {
    "train": ("train", "training", "trn", "tr", "learn", "learning"),
    "val": ("val", "valid", "validation", "validate", "validating", "dev", "devel", "development"),
    "test": ("test", "testing", "tst", "te", "eval", "evaluation", "holdout", "heldout"),
}
_WORDS = {stem + end: part for part, stems in _STEMS.items() for stem in stems for end in ("", "set", "split", "data")}
_JOINTS = re.compile(r"[\s_\-.]+")

PARTS = tuple(_STEMS)
"""The parts of a data set: 'train', 'val' and 'test'."""

SPLIT_HINT = (
    "Write train, val or test there. Or choose the rows by what is written, --where split=VALUE in training and "
    "--query and --gallery in a measurement; a column that is no split needs another name."
)
"""What to do about a split that is not known."""


def tidy(text: str) -> str:
    """A text without the space around it, in Unicode's composed form (NFC): 'é' is one character, however it was typed.

    Args:
        text: as it was written.
    """
    return unicodedata.normalize("NFC", text.replace("\ufeff", "")).strip()


def part_of(split: str | None) -> str | None:
    """The part that a split's name means; None where there is none, or its name is not known.

    Args:
        split: as it was written: 'Train', 'validation ', 'TEST'.
    """
    if split is None:
        return None
    return _WORDS.get(_JOINTS.sub("", unicodedata.normalize("NFKC", split).casefold()))


def read_split(written: str | None) -> str | None:
    """A split as a table keeps it: its part where the name is known, otherwise what is written; None where nothing is.

    Args:
        written: the value.
    """
    return None if written is None else part_of(written) or tidy(written) or None


def says(key: str, value: str | None, wanted: str) -> bool:
    """Whether a row's value is the one that is wanted, if both are tidied and splits are taken by what they mean.

    Args:
        key: what the value is of; 'split' is read as a split, and nothing wanted is a row without one.
        value: the row's.
        wanted: what a user asks for.
    """
    if key == "split":
        return read_split(value) == read_split(wanted)
    return value is not None and (value == wanted or tidy(value) == tidy(wanted))


def unknown_splits(rows: Iterable[Row]) -> Counter[str]:
    """The splits whose names are not known, as they are written, with how many rows have each."""
    return Counter(str(read_split(row.split)) for row in rows if read_split(row.split) and not part_of(row.split))


def counted(values: Mapping[str, int], most: int = 8) -> str:
    """Values with how often they occur, the first few: ``'fold 1' (12), 'x' (3)``."""
    named = ", ".join(f"'{value}' ({count})" for value, count in list(values.items())[:most])
    return named + (f" and {len(values) - most} more" if len(values) > most else "")


def training_part(rows: Sequence[Row]) -> dict[str, str] | None:
    """What selects the rows that may be trained on by default; None where there are none.

    Those of the split 'train'; where no row is of it but some are of another part, those that have no split; where no
    row has a split, all. Rows whose split is not known are not among them.

    Args:
        rows: all that can be used.
    """
    written = {read_split(row.split) for row in rows}
    if "train" in written:
        return {"split": "train"}
    if written <= {None}:
        return {}
    return {"split": ""} if None in written else None


def check_splits(rows: Sequence[Row], noun: str) -> None:
    """Refuses rows whose split is not known, where they could be taken for what they are not.

    Args:
        rows: all that can be used.
        noun: what they are, for the message: 'videos'.

    Raises:
        DataError: there are such; the values are named and counted.
    """
    unknown = unknown_splits(rows)
    if unknown:
        raise DataError(
            f"Of {len(rows)} {noun}, {sum(unknown.values())} have a split that is none of train, val and test: "
            f"{counted(unknown)}. Whether they may be trained on cannot be told.",
            SPLIT_HINT,
        )
