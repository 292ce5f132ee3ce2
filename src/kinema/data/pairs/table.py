"""Pairs as a table: a row a picture with its text, and the labels of both."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.labelling import LabelReading
from kinema.core.pairs import IMAGE, VIEWS, PairView
from kinema.core.tables import distinct, matching, numbered
from kinema.data.listing import write_list

Health = Literal["ok", "unreadable"]
_COLUMNS = ("name", "image", "text", "label", "source", "split", "health")
_UNREADABLE = "what cannot be read"
LACKING: Mapping[PairView, str] = {"image": "no picture", "text": "an empty text"}
"""What is said of a pair that lacks a view."""

_STORED = re.compile(r"(?P<file>.+(?:\.npy|\.mat:\w+))\[(?P<row>\d+)\]", re.IGNORECASE)
_MATRIX = re.compile(r"(?P<file>.+\.mat):(?P<name>\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """A picture and a text that belong together; either may be missing.

    Args:
        name: unique in its table, for instance '10015' or 'talk.mp4@12.500'.
        image: below the table's root, with forward slashes, or absolute: a picture; a video, of which ``at`` names the
            frame; or a stored vector, 'FILE.npy[ROW]' or 'FILE.mat:NAME[ROW]'. Empty where there is none.
        at: seconds from a video's first frame to the one that is the picture; None of pictures.
        text: words, or tags with space or commas between; or a stored vector, likewise. Empty for none.
        start: seconds at which the text begins in a video; None where it is of none.
        end: seconds at which it ends.
        labels: each once, sorted; empty where none is known.
        source: where it comes from, for instance its video; its name where nothing is known.
        split: for instance 'train' or 'test', or None.
        attributes: whatever else is known of it, by name.
        health: 'ok', or 'unreadable' where the picture or a stored vector is missing or broken; see :meth:`why_not` for
            what can be read of it all the same.
        reason: why it is not ok, of the first view that is not; empty where there is nothing to say.
        digest: SHA-256 of the picture's content, the place of the frame, and the text, in hexadecimal.
        broken: why a view cannot be read, by the view ('image', 'text'). Empty where health is 'ok'; where it is
            not, an empty one means that neither can.
    """

    name: str
    image: str = ""
    at: float | None = None
    text: str = ""
    start: float | None = None
    end: float | None = None
    labels: tuple[str, ...] = ()
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    health: Health = "ok"
    reason: str = ""
    digest: str = ""
    broken: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)

    @property
    def path(self) -> str:
        """What names the row: its name."""
        return self.name

    @property
    def label(self) -> str | None:
        """Its labels in one line, ';' between them; None where none is known."""
        return ";".join(self.labels) or None

    def has(self, view: PairView) -> bool:
        """Whether there is a picture, or a text.

        Args:
            view: 'image' or 'text'.
        """
        return bool(self.image if view == IMAGE else self.text.strip())

    def why_not(self, views: Iterable[PairView]) -> str:
        """Why a view of it is missing or broken; empty where it has all of them, and they can be read.

        Args:
            views: that are needed: 'image', 'text' or both.
        """
        for view in views:
            why = self.broken.get(view, "") if self.broken or self.health == "ok" else self.reason or _UNREADABLE
            if why or not self.has(view):
                return why or LACKING[view]
        return ""

    def value(self, key: str) -> str | None:
        """Its name, image, text, label, source, split, health or attribute; None where it has none."""
        if key in _COLUMNS:
            found: str | None = getattr(self, key)
            return found
        return self.attributes.get(key)


@dataclass(frozen=True)
class Pairs:
    """Pictures below one root folder, with their texts; a pair's row number is its index in ``rows``.

    Args:
        root: the folder.
        rows: the pairs, in the order of the data.
        split_from: what told the splits: the 'data', or 'drawn' where sources were held out by chance; 'none'.
        reading: how a table was read; None where there was none.
        lost: the pairs that were taken out of it since they cannot be read; see :meth:`usable`.
    """

    root: Path
    rows: tuple[Pair, ...]
    split_from: Literal["data", "drawn", "none"] = "none"
    reading: LabelReading | None = field(default=None, compare=False)
    lost: tuple[Pair, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of each pair's name, content, labels, source and split."""
        rows = [
            [row.name, row.digest, list(row.labels), row.source, row.split]
            for row in sorted(self.rows, key=lambda row: row.name)
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def select(self, where: Mapping[str, str]) -> Pairs:
        """The pairs for which every named key has the named value.

        Args:
            where: keys are 'name', 'image', 'text', 'label' (all labels of a pair, ';' between), 'source', 'split',
                'health' or an attribute's name.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        known = [*_COLUMNS, *sorted({key for row in self.rows for key in row.attributes} - set(_COLUMNS))]
        return replace(self, rows=matching(self.rows, where, known, "pair"))

    def usable(self, views: Sequence[PairView] = ()) -> Pairs:
        """The pairs that have a picture or a text that can be read; the others are in ``lost``.

        Args:
            views: of which each must be there and readable; by default any is enough.
        """
        needed: list[list[PairView]] = [list(views)] if views else [[view] for view in VIEWS]
        kept = [not all(row.why_not(each) for each in needed) for row in self.rows]
        lost = tuple(row for row, keep in zip(self.rows, kept, strict=True) if not keep)
        rows = tuple(row for row, keep in zip(self.rows, kept, strict=True) if keep)
        return replace(self, rows=rows, lost=(*self.lost, *lost))

    def counts(self) -> Counter[str]:
        """How many pairs have each label."""
        return Counter(label for row in self.rows for label in row.labels)

    def classes(self) -> tuple[str, ...]:
        """The labels there are, each once, sorted."""
        return distinct(label for row in self.rows for label in row.labels)

    def label_ids(self) -> tuple[int, ...]:
        """The number in :meth:`classes` of a pair's label where it has exactly one; -1 of others."""
        numbers = {label: number for number, label in enumerate(self.classes())}
        return tuple(numbers[row.labels[0]] if len(row.labels) == 1 else -1 for row in self.rows)

    def label_matrix(self, classes: Sequence[str] | None = None) -> NDArray[np.bool_]:
        """Which labels each pair has, bool [rows, C].

        Args:
            classes: the labels, in the order of the columns; those of :meth:`classes` by default. Others are passed
                over.
        """
        columns = {label: number for number, label in enumerate(self.classes() if classes is None else classes)}
        found = np.zeros((len(self.rows), len(columns)), np.bool_)
        for number, row in enumerate(self.rows):
            found[number, [columns[label] for label in row.labels if label in columns]] = True
        return found

    def source_ids(self) -> tuple[int, ...]:
        """Each pair's source as its number among the sorted sources."""
        return numbered(row.source for row in self.rows)

    def write(self, path: Path) -> None:
        """Writes the list atomically, as JSON where the name ends in '.json' and as Parquet otherwise.

        Raises:
            StorageError: it could not be written.
        """
        write_list(path, self, Pair, "pairs")


def stored_row(cell: str) -> tuple[str, int] | None:
    """The array and the row that a stored vector is named by; None of other texts.

    Args:
        cell: for instance 'clip.npy[17]', or 'features.mat:I_tr[17]', a matrix of a MATLAB file.

    Returns:
        For instance ('clip.npy', 17) or ('features.mat:I_tr', 17); :func:`array_file` is where that lies.
    """
    found = _STORED.fullmatch(cell.strip())
    return (found["file"], int(found["row"])) if found else None


def array_file(array: str) -> tuple[str, str]:
    """The file that an array lies in, and its name there; an empty name where the file is the array.

    Args:
        array: for instance 'clip.npy' or 'features.mat:I_tr', as :func:`stored_row` gives them, with folders before.
    """
    found = _MATRIX.fullmatch(array)
    return (found["file"], found["name"]) if found else (array, "")
