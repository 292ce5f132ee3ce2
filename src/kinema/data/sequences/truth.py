"""The labels of frames, for measurements: a label a line, and a mapping that numbers them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.splits import tidy
from kinema.data.sequences.table import FeatureSequence, Sequences
from kinema.data.written import read_written

_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True)
class FrameLabels:
    """The labels of the frames of several sequences.

    Args:
        names: of the classes; a class is its number here. Where several labels share one, they are joined by '/'.
        ids: the class of each label.
        labels: int64 [T] for each sequence, as long as its features.
        scaled: sequences whose file has another number of lines than they have frames, with that number: their labels
            were stretched or squeezed to the frames' times.
    """

    names: tuple[str, ...]
    ids: Mapping[str, int]
    labels: tuple[NDArray[np.int64], ...]
    scaled: Mapping[str, int]

    def numbers(self, names: Iterable[str]) -> tuple[int, ...]:
        """The classes of these labels, those that there are."""
        return tuple(sorted({self.ids[name] for name in map(tidy, names) if name in self.ids}))


def read_truth(table: Sequences) -> FrameLabels:
    """The labels of all frames of a table.

    Where a file has another number of lines than the sequence has frames, frame i has the label that lies at the same
    share of the whole time.

    Raises:
        DataError: a sequence has no file of labels, the file is empty or cannot be read, or the mapping lacks a label.
    """
    missing = [row for row in table.rows if not row.truth]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(table)} sequences have no labels of frames, for instance '{missing[0].name}'.",
            f"Write them to '{table.root / 'groundTruth' / missing[0].name}.txt' and so on, a label a line, or choose "
            "labelled ones by --query.",
        )
    written = [_lines(table.root / row.truth) for row in table.rows]
    mapping = _read_mapping(table.root / table.mapping) if table.mapping else None
    if mapping is not None:
        _check_known(table, written, mapping)
        # several names may share a number: a coarser set of labels
        numbers = sorted(set(mapping.values()))
        names = tuple("/".join(name for name, number in mapping.items() if number == each) for each in numbers)
        ids = {name: numbers.index(number) for name, number in mapping.items()}
    else:
        names = tuple(sorted({label for lines in written for label in lines}))
        ids = {name: number for number, name in enumerate(names)}
    labels = [np.array([ids[label] for label in lines], np.int64) for lines in written]
    scaled = {row.name: len(each) for row, each in zip(table.rows, labels, strict=True) if len(each) != row.frames}
    fitted = tuple(_stretched(each, row) for row, each in zip(table.rows, labels, strict=True))
    return FrameLabels(names, ids, fitted, scaled)


def _stretched(labels: NDArray[np.int64], row: FeatureSequence) -> NDArray[np.int64]:
    """Labels at the middle of each frame's time."""
    places = ((np.arange(row.frames) + 0.5) * len(labels) / row.frames).astype(np.int64)
    return labels[np.minimum(places, len(labels) - 1)]


def _lines(path: Path) -> list[str]:
    lines = [tidy(line) for line in read_written(path).text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"'{path}' labels no frame: it is empty.", "Write a label a line, a line a frame.")
    empty = next((number for number, line in enumerate(lines, 1) if not line), None)
    if empty is not None:
        raise DataError(
            f"'{path}', line {empty}: it is empty.", "Write a label a line; frames of no step have one too."
        )
    return lines


def _read_mapping(path: Path) -> dict[str, int]:
    """The labels' numbers, from lines 'NUMBER LABEL'."""
    found: dict[str, int] = {}
    for number, line in enumerate(read_written(path).text.splitlines(), 1):
        parts = line.split(maxsplit=1)
        if not parts:
            continue
        if len(parts) != 2 or not _NUMBER.fullmatch(parts[0]):
            raise DataError(
                f"'{path}', line {number}: '{line.strip()}' is no number and label.", "Write lines '0 label'."
            )
        name = tidy(parts[1])
        if found.setdefault(name, int(parts[0])) != int(parts[0]):
            raise DataError(f"'{path}', line {number}: '{name}' has two numbers, {found[name]} and {parts[0]}.")
    if not found:
        raise DataError(f"'{path}' numbers no label: it is empty.", "Write lines '0 label', or take the file away.")
    return found


def _check_known(table: Sequences, written: Sequence[Sequence[str]], mapping: Mapping[str, int]) -> None:
    for row, lines in zip(table.rows, written, strict=True):
        line = next((number for number, label in enumerate(lines, 1) if label not in mapping), None)
        if line is not None:
            raise DataError(
                f"'{table.root / row.truth}', line {line}: the label '{lines[line - 1]}' is not in "
                f"'{table.root / table.mapping}', which has {len(mapping)}.",
                "Add it to the mapping, or mend the label.",
            )
