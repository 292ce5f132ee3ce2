"""Creates and updates a table of tracklets; :mod:`kinema.searching.table_update` writes it."""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError
from kinema.data.tracklets.config import holds_features
from kinema.data.tracklets.reader import TrackletReader
from kinema.data.tracklets.store import FileCrops
from kinema.data.tracklets.table import Tracklet, Tracklets
from kinema.searching.changes import Changes
from kinema.searching.layout import TRACKLETS
from kinema.searching.table_settings import check_settings
from kinema.searching.table_update import TableUpdate, UpdateJob, UpdateResult, run_update, threads_of_torch
from kinema.searching.tracklets.schema import (
    COLUMNS,
    TrackletTableSettings,
    facts_of,
    middle_of,
    read_tracklet_settings,
    row_of,
    tracklet_columns,
    tracklet_schema,
)

ROWS = 512
"""The fewest rows of a commit."""

AT_ONCE = 128
"""Tracklets that are encoded together."""

SHOWN = (128, 64)
"""Height and width of the middle crop that a table keeps."""

Known = Mapping[str, tuple[str, str, str]]
"""Digest of the frames, digest of the facts, and a file of each tracklet in a table, by its name."""


@dataclass(frozen=True, kw_only=True)
class EmbeddedTracklets(UpdateResult):
    """The result of embedding tracklets: what the table holds now, and what was done.

    Args:
        tracklets: in the table.
        note: for the user; empty for none.
    """

    tracklets: int
    note: str = ""
    noun: ClassVar[str] = "tracklets"

    @property
    def content(self) -> str:
        """What the table holds, in words."""
        return f"{self.tracklets} tracklets"


@dataclass(frozen=True, kw_only=True)
class TrackletJob(UpdateJob):
    """What to embed, and how; see :class:`~kinema.searching.table_update.UpdateJob` for the other fields.

    Args:
        model: the encoder.
        tracklets: the tracklets.
    """

    model: TrackletReader
    tracklets: Tracklets


def embed_tracklets_table(job: TrackletJob) -> EmbeddedTracklets:
    """Makes the table agree with the tracklets. The caller holds its lock (:mod:`kinema.searching.lock`).

    Raises:
        UsageError: a setting is invalid.
        DataError: the table is another encoder's, of something else or of other tracklets; none could be embedded; or
            more than a tenth of the table would be removed without ``remove``.
        StorageError: it cannot be written.
    """
    job.check()
    began = time.monotonic()
    with threads_of_torch(job.threads):
        return run_update(lambda: _TrackletEmbedding(job), job.uri, began)


Encoded = tuple[NDArray[np.float32], bytes]


class _TrackletEmbedding(TableUpdate[Encoded, EmbeddedTracklets]):
    """One update of a table of tracklets, under its lock."""

    layout, own, group = TRACKLETS, COLUMNS, "set"
    known_columns = ("digest", "facts", "file")

    def __init__(self, job: TrackletJob) -> None:
        attributes = (key for row in job.tracklets.rows for key in row.attributes)
        super().__init__(job, root=job.tracklets.root, attributes=attributes, rows=ROWS)
        self.job = job
        self.settings = TrackletTableSettings.of(job.model)
        if not self.is_new:
            check_settings(read_tracklet_settings(self.existing, self.uri), self.settings, self.uri)

    def new_schema(self, centre: Tensor | None) -> pa.Schema:  # noqa: ARG002 - descriptors are not centred
        """The columns of a new table."""
        return tracklet_schema(self.settings, self.columns.values())

    def name(self, row: int) -> str:
        """The name of a tracklet."""
        return self._tracklet(row).name

    def contents(self) -> dict[str, str]:
        """The digest of each tracklet's frames."""
        return {row.name: row.digest for row in self.job.tracklets.rows}

    def changes(self, known: Known) -> Changes:
        """New, changed and deleted tracklets."""
        return tracklet_changes(self.job.tracklets, known)

    def encode_rows(self, rows: Sequence[int]) -> Generator[tuple[int, Encoded | str]]:
        """Each tracklet's descriptor and middle crop, or the reason why there is none; in order."""
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            try:
                encoded = self._encoded(some)
            except DataError:  # one of them cannot be read, though it could when the data were opened
                for row in some:
                    try:
                        yield row, self._encoded([row])[0]
                    except DataError as error:
                        yield row, error.message.rstrip(".")
            else:
                yield from zip(some, encoded, strict=True)

    def rows_of(self, row: int, encoded: Encoded) -> list[dict[str, Any]]:
        """The row of a tracklet."""
        return [row_of(self._tracklet(row), *encoded, self.settings, self.columns)]

    def facts_of(self, row: int) -> dict[str, Any]:
        """What is known of a tracklet."""
        return tracklet_columns(self._tracklet(row), self.columns)

    def empty_error(self, found: Changes) -> tuple[str, str]:
        """The message and hint for a table that would be empty."""
        return super().empty_error(found)[0], "Each needs a frame that can be read."

    def result(self, done: Mapping[str, Any]) -> EmbeddedTracklets:
        """The result."""
        return EmbeddedTracklets(tracklets=self.count("tracklet"), **done)

    def _tracklet(self, row: int) -> Tracklet:
        return self.job.tracklets.rows[row]

    def _encoded(self, rows: Sequence[int]) -> list[Encoded]:
        job = self.job
        some = replace(job.tracklets, rows=tuple(self._tracklet(row) for row in rows))
        vectors = job.model.features(some, device=job.device, batch_size=job.batch_size)
        bad = ~np.isfinite(vectors).all(axis=1) | ~(np.linalg.norm(vectors, axis=1) > 0)
        if bad.any():
            raise DataError(
                f"'{some.rows[int(bad.argmax())].name}': the encoder gives an embedding that is zero or not finite.",
                "The encoder may have diverged: see the run's curves, `kinema report RUN`.",
            )
        crops = None if holds_features(some) else FileCrops(some, *SHOWN)
        pictures = [
            b"" if crops is None else _jpeg(crops.read(at, np.array([middle_of(row)]))[0])
            for at, row in enumerate(some.rows)
        ]
        return list(zip(vectors, pictures, strict=True))


def tracklet_changes(tracklets: Tracklets, known: Known) -> Changes:
    """Compares tracklets with what a table of embeddings holds.

    Tracklets whose files cannot be looked at now stay; those of which nothing is left, or which the data do not name
    any more, are deleted.

    Args:
        tracklets: the tracklets.
        known: what the table of embeddings holds.
    """
    found = Changes()
    for row, each in enumerate(tracklets.rows):
        entry = known.get(each.name)
        if each.health != "ok":
            reason, passing = each.reason or each.health, each.health == "unreadable"
            found.fail(each.name, reason, held=entry is not None, passing=passing)
        else:
            before = None if entry is None else entry[:2]
            found.compare(row, before, each.digest, functools.partial(facts_of, each))
    for name in sorted(known.keys() - {each.name for each in tracklets.rows}):
        try:
            (tracklets.root / known[name][2]).stat()
        except (FileNotFoundError, NotADirectoryError):
            found.deleted.append(name)
        except OSError:
            found.kept.append(name)
        else:
            found.deleted.append(name)
    return found


def _jpeg(crop: NDArray[np.uint8]) -> bytes:
    """A crop, uint8 [3, H, W], as a JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(crop.transpose(1, 2, 0))).save(file, "JPEG", quality=85)
    return file.getvalue()
