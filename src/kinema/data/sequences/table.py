"""Sequences of features as a table: a row a video, with the activity that it shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.labelling import LabelReading
from kinema.core.tables import distinct, matching, numbered
from kinema.data.listing import write_list
from kinema.data.sequences.files import open_features

Health = Literal["ok", "empty", "unreadable"]
_COLUMNS = ("activity", "label", "source", "split", "health", "name")
ALL = "all"
"""The activity of sequences that name none."""


@dataclass(frozen=True)
class FeatureSequence:
    """The features of one video, or a place where they should be.

    Args:
        name: the file's path below the folder of features, without its ending.
        path: the file, below the table's root, with forward slashes.
        frames: T.
        width: F, features of a frame.
        activity: what the video shows; one model is learnt for each.
        truth: the file of its frames' labels below the root; empty where there is none. Measurements read it.
        source: where it comes from; its name where nothing is known.
        split: for instance 'train' or 'test', or None.
        attributes: whatever else is known of it, by name.
        health: 'ok', 'empty' without a frame, or 'unreadable'.
        reason: why it is not ok; empty where it is.
        digest: SHA-256 of the file, in hexadecimal; empty where it is unreadable.
    """

    name: str
    path: str
    frames: int = 0
    width: int = 0
    activity: str = ALL
    truth: str = ""
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    health: Health = "ok"
    reason: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)

    @property
    def label(self) -> str:
        """Its activity."""
        return self.activity

    def value(self, key: str) -> str | None:
        """Its activity, source, split, name, health or attribute of that name; None where it has none."""
        if key in _COLUMNS:
            found: str | None = getattr(self, key)
            return found
        return self.attributes.get(key)


@dataclass(frozen=True)
class Sequences:
    """Sequences of features in files below one root folder; a sequence's row number is its index in ``rows``.

    Args:
        root: the folder.
        rows: the sequences, in the order of their names.
        mapping: the file below the root that numbers the labels of frames; empty where there is none.
        background: labels of frames that belong to no step, by name.
        activity_from: what told the activity: 'column', 'folder', 'name', or 'none'.
        reading: how a table beside the features was read; None where there was none.
    """

    root: Path
    rows: tuple[FeatureSequence, ...]
    mapping: str = ""
    background: tuple[str, ...] = ()
    activity_from: str = "none"
    reading: LabelReading | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of each sequence's name, features, activity, source, split and attributes."""
        rows = [
            [row.name, row.digest, row.activity, row.source, row.split, sorted(row.attributes.items())]
            for row in sorted(self.rows, key=lambda row: row.name)
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def select(self, where: Mapping[str, str]) -> Sequences:
        """The sequences for which every named key has the named value.

        Args:
            where: keys are 'activity' (also as 'label'), 'source', 'split', 'name', 'health' or an attribute's name.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        known = [*_COLUMNS, *sorted({key for row in self.rows for key in row.attributes} - set(_COLUMNS))]
        return replace(self, rows=matching(self.rows, where, known, "sequence"))

    def usable(self) -> Sequences:
        """The sequences whose health is 'ok'."""
        return replace(self, rows=tuple(row for row in self.rows if row.health == "ok"))

    def classes(self) -> tuple[str, ...]:
        """The activities there are, sorted."""
        return distinct(row.activity for row in self.rows)

    def label_ids(self) -> tuple[int, ...]:
        """Each sequence's activity as its number in :meth:`classes`."""
        return numbered(row.activity for row in self.rows)

    def source_ids(self) -> tuple[int, ...]:
        """Each sequence's source as its number among the sorted sources."""
        return numbered(row.source for row in self.rows)

    def features(self, row: int) -> NDArray[np.floating]:
        """The features of one row, [T, F]; raises as :func:`open_features` does."""
        return open_features(self.root / self.rows[row].path)

    def write(self, path: Path) -> None:
        """Writes the list atomically, as JSON where the name ends in '.json' and as Parquet otherwise.

        Raises:
            StorageError: it could not be written.
        """
        write_list(path, self, FeatureSequence, "sequences")
