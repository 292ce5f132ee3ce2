"""Tracklets as a table: a row a tracklet, with the person it shows and the camera that saw it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from kinema.core.labelling import LabelReading
from kinema.core.tables import distinct, matching, numbered
from kinema.data.listing import write_list

Box = tuple[float, float, float, float]
"""Left, top, width, height, in pixels of the picture; the left upper corner of the picture is (0, 0)."""

Health = Literal["ok", "empty", "unreadable"]
Kind = Literal["person", "distractor", "junk"]
Role = Literal["", "query", "gallery"]
_COLUMNS = ("identity", "label", "camera", "source", "split", "kind", "role", "health", "name")


@dataclass(frozen=True)
class Tracklet:
    """One person, seen by one camera without a break.

    Args:
        name: unique in its table, for instance 'anna/door/0003'.
        identity: who it is; empty where that is not known.
        camera: which camera; empty where that is not known.
        files: below the table's root, with forward slashes: a picture a frame; or one file, a video whose frames are
            cut, or an array (.npy) of features [T, F].
        numbers: of the frames, in the recording, in rising order; T of them.
        boxes: where the person is, one a frame; empty where pictures are crops already.
        fps: frames a second of the recording; 0 where that is not known.
        kind: 'person'; 'distractor' for somebody who is no query's match; 'junk' for what is to be passed over.
        role: 'query' or 'gallery' where the data say so.
        source: where it comes from; its name where nothing is known.
        split: for instance 'train' or 'test', or None.
        attributes: whatever else is known of it, by name.
        health: 'ok', 'empty' without a frame, or 'unreadable'.
        reason: why it is not ok, and what of its frames is left out; empty where there is nothing to say.
        digest: SHA-256 of its frames' files and boxes, in hexadecimal; empty where it is unreadable.
    """

    name: str
    identity: str = ""
    camera: str = ""
    files: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    boxes: tuple[Box, ...] = ()
    fps: float = 0.0
    kind: Kind = "person"
    role: Role = ""
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    health: Health = "ok"
    reason: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def path(self) -> str:
        """What names the row: its name."""
        return self.name

    @property
    def label(self) -> str | None:
        """Its identity; None where it is not known, or the tracklet is no person's to be learnt."""
        return self.identity if self.identity and self.kind == "person" else None

    @property
    def begins(self) -> float | None:
        """Seconds from the recording's beginning to its first frame; None where frames a second are not known."""
        return self.numbers[0] / self.fps if self.fps and self.numbers else None

    @property
    def ends(self) -> float | None:
        """Seconds to the end of its last frame; None where frames a second are not known."""
        return (self.numbers[-1] + 1) / self.fps if self.fps and self.numbers else None

    def value(self, key: str) -> str | None:
        """Its identity, camera, source, split, kind, role, name, health or attribute; None where it has none."""
        if key in _COLUMNS:
            found: str | None = getattr(self, key)
            return found
        return self.attributes.get(key)


@dataclass(frozen=True)
class Tracklets:
    """Tracklets in files below one root folder; a tracklet's row number is its index in ``rows``.

    Args:
        root: the folder.
        rows: the tracklets, in the order of their names.
        split_from: what told the splits: the 'data', or 'drawn' where identities were held out by chance; 'none'.
        reading: how a table beside them was read; None where there was none.
    """

    root: Path
    rows: tuple[Tracklet, ...]
    split_from: Literal["data", "drawn", "none"] = "none"
    reading: LabelReading | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of each tracklet's name, frames, identity, camera, kind, role, source and split."""
        rows = [
            [row.name, row.digest, row.identity, row.camera, row.kind, row.role, row.source, row.split]
            for row in sorted(self.rows, key=lambda row: row.name)
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def select(self, where: Mapping[str, str]) -> Tracklets:
        """The tracklets for which every named key has the named value.

        Args:
            where: keys are 'identity' (also as 'label'), 'camera', 'source', 'split', 'kind', 'role', 'name', 'health'
                or an attribute's name.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        known = [*_COLUMNS, *sorted({key for row in self.rows for key in row.attributes} - set(_COLUMNS))]
        return replace(self, rows=matching(self.rows, where, known, "tracklet"))

    def usable(self) -> Tracklets:
        """The tracklets whose health is 'ok'."""
        return replace(self, rows=tuple(row for row in self.rows if row.health == "ok"))

    def classes(self) -> tuple[str, ...]:
        """The identities of persons, sorted."""
        return distinct(row.label for row in self.rows)

    def label_ids(self) -> tuple[int, ...]:
        """Each tracklet's identity as its number in :meth:`classes`, -1 where it is none."""
        return numbered(row.label for row in self.rows)

    def source_ids(self) -> tuple[int, ...]:
        """Each tracklet's source as its number among the sorted sources."""
        return numbered(row.source for row in self.rows)

    def write(self, path: Path) -> None:
        """Writes the list atomically, as JSON where the name ends in '.json' and as Parquet otherwise.

        Raises:
            StorageError: it could not be written.
        """
        write_list(path, self, Tracklet, "tracklets")
