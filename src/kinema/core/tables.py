"""What every table does with its rows: choosing among them, numbering their classes, naming those to learn from."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kinema.core.conditions import CONDITION, check, check_kinds, columns_of
from kinema.core.errors import DataError
from kinema.core.guesses import did_you_mean
from kinema.core.labelling import LabelReading, alike
from kinema.core.selecting import holds
from kinema.core.splits import check_splits, counted, read_split, says, training_part, unknown_splits

if TYPE_CHECKING:
    from kinema.core.contracts import Row, Table  # they bring torch, which a process that only reads files does without

T = TypeVar("T", bound="Table")


class Valued(Protocol):
    """A row that is asked for its values by name."""

    def value(self, key: str) -> str | None:
        """The value of that name; None where it has none."""
        ...


R = TypeVar("R", bound=Valued)

log = logging.getLogger(__name__)


_NUMBERS = ("duration", "fps", "width", "height", "frames", "size", "words")
_TEXTS = {"video": "path", "codec": "codec"}
"""What a condition may ask of a row beside its labels, where the row has it, as a table that is searched has it."""


def _having(rows: Sequence[R], condition: str, known: Sequence[str], noun: str) -> tuple[R, ...]:
    """The rows of which a condition is true; see :mod:`kinema.core.conditions`.

    Raises:
        UsageError: it is no condition, or names what the rows have not.
        DataError: it is true of none.
    """
    node, written = check(condition), f'--where "{condition[:200]}"'
    facts = {name: name for name in _NUMBERS if rows and isinstance(getattr(rows[0], name, None), int | float)}
    texts = {name: each for name, each in _TEXTS.items() if rows and hasattr(rows[0], each) and name not in known}
    check_kinds(node, dict.fromkeys([*known, *texts], "text") | dict.fromkeys(facts, "number"), written)
    facts |= texts

    def value(row: R, key: str) -> Any:
        if key in facts:
            return getattr(row, facts[key])
        return (read_split(row.value(key)) or None) if key == "split" else row.value(key)

    found = tuple(row for row in rows if holds(node, partial(value, row)))
    if not found:
        names = [name for name in columns_of(node) if name not in facts]
        values = {
            name: sorted({str(value(row, name)) for row in rows if value(row, name) is not None}) for name in names
        }
        hints = [
            f"The values of {name} are: {listed(each)}." if each else f"None has a {name}."
            for name, each in values.items()
        ]
        raise DataError(f"{written} is true of no {noun} among the {len(rows)} to choose from.", " ".join(hints))
    return found


def listed(values: Sequence[str], most: int = 20) -> str:
    """Values with commas between, the first of many and how many more there are."""
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")


def matching(rows: Sequence[R], where: Mapping[str, str], known: Sequence[str], noun: str) -> tuple[R, ...]:
    """The rows for which every named key has the named value.

    Args:
        rows: to choose from.
        where: keys and values, and under :data:`kinema.core.conditions.CONDITION` a condition. Values are compared
            without the space around them; those of 'split' by what they mean,
            and an empty one is a row without a split.
        known: keys there are.
        noun: what a row is, for messages: 'video'.

    Raises:
        DataError: a key is not known, or nothing matches; the message names the keys or values there are.
    """
    chosen = tuple(rows)
    for key, value in where.items():
        if key == CONDITION:
            chosen = _having(chosen, value, known, noun)
            continue
        if key not in known:
            raise DataError(
                f"No {noun} has '{key}'.", f"{did_you_mean(key, known)}Select by one of: {', '.join(known)}."
            )
        found = tuple(row for row in chosen if says(key, row.value(key), value))
        if not found:
            values = sorted({str(row.value(key)) for row in chosen if row.value(key) is not None})
            raise DataError(
                f"No {noun} has {key}={value} among the {len(chosen)} to choose from.",
                f"The values of {key} are: {listed(values)}." if values else f"None of them has a {key}.",
            )
        chosen = found
    return chosen


def distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    """The values there are, each once, sorted; None is none."""
    return tuple(sorted({value for value in values if value is not None}))


def numbered(values: Iterable[str | None]) -> tuple[int, ...]:
    """Each value as its number in :func:`distinct`; -1 for None."""
    listed = tuple(values)
    numbers = {value: number for number, value in enumerate(distinct(listed))}
    return tuple(-1 if value is None else numbers[value] for value in listed)


def training_rows(table: T, where: Mapping[str, str] | None, noun: str, hint: str, least: int = 2) -> T:
    """The usable rows to train on: those of ``where``, or those that :func:`training_selection` names.

    Args:
        table: all rows.
        where: keys and the values that they must have; None for the default.
        noun: what rows are, for messages: 'videos'.
        hint: what to do where there are too few.
        least: how many are needed.

    Raises:
        DataError: there are fewer; or ``where`` is None and the splits do not say what may be trained on.
    """
    if where is None:
        where = training_selection(table.rows, table.reading, noun)
        unknown = unknown_splits(table.rows)
        if unknown:
            log.warning("%s with a split that is not known are left out: %s.", noun.capitalize(), counted(unknown))
    warn_of(table)
    chosen: T = table.select(where).usable()
    if len(chosen) < least:
        needed = f"telling {noun} apart needs at least 2" if least == 2 else f"at least {least} is needed"
        raise DataError(f"{len(chosen)} of {len(table)} {noun} can be trained on; {needed}.", hint)
    return chosen


def training_selection(rows: Sequence[Row], reading: LabelReading | None, noun: str) -> dict[str, str]:
    """What selects the rows to train on, where nobody chose them. This alone decides it.

    Those of the split 'train'; where there are none, those without a split; where no row has a split, all. Never those
    of 'val' or 'test'.

    Args:
        rows: all.
        reading: how their labels were read, where that is known.
        noun: what rows are, for messages: 'videos'.

    Raises:
        DataError: no row is of 'train', and some have a split that is not known, or all are of 'val' or 'test', or the
            rows without a split may be those that the labels hold out under names that are not there.
    """
    found = training_part(rows)
    if found == {"split": "train"}:
        return found
    check_splits(rows, noun)
    if found is None:
        splits: dict[str, int] = {}
        for row in rows:
            splits[str(read_split(row.split))] = splits.get(str(read_split(row.split)), 0) + 1
        raise DataError(
            f"None of the {len(rows)} {noun} may be trained on: their splits are {counted(splits)}.",
            "Mark some as train; or choose what to train on, for instance --where split=test.",
        )
    if found and reading is not None and reading.held_out:
        raise DataError(
            f"{reading.table} holds out {reading.held_out} {noun} that are not there under the names that it gives "
            f"them ({reading.unmatched}), and marks none as train: those without a split may be the same ones.",
            "Mend the paths in it, or mark with 'train' what may be trained on.",
        )
    return found


def warn_of(table: Table) -> None:
    """Logs what of the labels fits no row, where that is known, and classes that capitals alone tell apart."""
    for sentence in (*(table.reading.warnings() if table.reading is not None else ()), *alike(table.classes())):
        log.warning("%s", sentence)
