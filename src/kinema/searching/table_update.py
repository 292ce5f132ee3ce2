"""An update of a table, of videos, documents or tracklets.

All rows of a video or document are written in one commit of LanceDB, so that a table never holds a part of one. An
update that was interrupted continues with what the table does not hold yet. Since each video or document is encoded by
itself, the result is the same.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
import torch
from torch import Tensor

from kinema.core.errors import DataError, UsageError
from kinema.core.progress import Progress
from kinema.searching import cluster_names, database
from kinema.searching.changes import Changes, check_removal, known_items, root_of_table
from kinema.searching.columns import Columns
from kinema.searching.index import Index, IndexKind, compact, update_index
from kinema.searching.layout import Layout, layout_of
from kinema.searching.roots import metadata_of
from kinema.searching.schema import arrow, centre_of

SECONDS = 20.0
"""The longest time between two commits."""

Steps = Callable[[str], AbstractContextManager[Progress]]
Encoded = TypeVar("Encoded")


@dataclass(frozen=True, kw_only=True)
class UpdateResult:
    """What an update did.

    Args:
        table: where it is.
        added: new videos or documents.
        changed: those whose content changed.
        updated: those with other facts only; they were not encoded again.
        deleted: those that are gone or no longer readable.
        kept: those of which nothing could be seen, because a folder could not be listed or a file not be read; they
            are in the table as they were.
        unlisted: folders that could not be listed, with the reason.
        unchanged: those that needed no change.
        failed: those that could not be embedded, with the reason.
        index: the index; None for exact search.
        seconds: duration.
    """

    table: str
    added: int
    changed: int
    updated: int
    deleted: int
    kept: int
    unlisted: Mapping[str, str]
    unchanged: int
    failed: Mapping[str, str]
    index: Index | None
    seconds: float

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        names = [item.name for item in fields(self) if item.name not in ("failed", "index", "unlisted")]
        rest = {name: getattr(self, name) for name in names}
        failed = [{"path": path, "reason": reason} for path, reason in self.failed.items()]
        unlisted = [{"path": path, "reason": reason} for path, reason in self.unlisted.items()]
        return rest | {
            "unlisted": unlisted,
            "failed": failed,
            "index": None if self.index is None else self.index.plain(),
        }


Result = TypeVar("Result", bound=UpdateResult)


@dataclass(frozen=True, kw_only=True)
class UpdateJob:
    """How to update a table: a base of what is to be embedded.

    Args:
        uri: where the table of embeddings is, or will be.
        replace: create the table again, even if another encoder made it.
        remove: whether more than a tenth of an existing table may be removed.
        index: the index of a large table: 'auto', 'ivf-pq', 'hnsw' or 'none'.
        threads: threads of the encoder; None for torch's default. Their number may change the last digits of a vector.
        batch_size: clips, passages or stretches of tracklets at a time.
        device: where to compute.
        steps: opens a progress bar with a title.
    """

    uri: str
    replace: bool = False
    remove: bool = False
    index: IndexKind = "auto"
    threads: int | None = None
    batch_size: int = 32
    device: str | None = None
    steps: Steps | None = None

    def check(self) -> None:
        """Raises a UsageError where a setting is invalid."""
        if self.batch_size < 1 or (self.threads is not None and self.threads < 1):
            raise UsageError(f"batch_size is {self.batch_size} and threads {self.threads}; each must be at least 1.")


class TableUpdate(ABC, Generic[Encoded, Result]):
    """One update of a table, under its lock.

    Items are named by their row in a manifest or in a table of documents. A subclass compares them with the table
    (:meth:`changes`), encodes them (:meth:`encode_rows`) and makes rows of them (:meth:`facts_of`, :meth:`rows_of`).
    :func:`run_update` runs it.

    Args:
        job: how to update.
        root: the folder of the videos or documents.
        attributes: of all items, by name.
        rows: the fewest rows of a commit.
    """

    layout: ClassVar[Layout]
    own: ClassVar[Columns]
    """The columns of every table of this layout."""
    known_columns: ClassVar[Sequence[str]]
    """The columns that :meth:`known` reads: first that of :meth:`contents`, then what :meth:`changes` needs."""
    group: ClassVar[str]
    """What is to have a table of its own, for a hint: 'folder'."""

    def __init__(self, job: UpdateJob, *, root: Path, attributes: Iterable[str], rows: int) -> None:
        self.uri, self.remove, self.index, self.steps = job.uri, job.remove, job.index, job.steps
        self.root, self.rows = str(root.resolve()), rows
        self.columns = self.own.of_attributes(attributes)
        """The column of each attribute."""
        self.existing = database.open_table(self.uri)
        self.is_new = self.existing is None or job.replace
        self.before: int | None = None if self.existing is None else self.existing.version

    @abstractmethod
    def new_schema(self, centre: Tensor | None) -> pa.Schema:
        """The columns of a new table; ``centre`` is float64 [d]."""

    @abstractmethod
    def name(self, row: int) -> str:
        """The path or id of a row."""

    @abstractmethod
    def contents(self) -> Mapping[str, Any]:
        """What tells the content of each item that is there now, by path or id, like the first of ``known_columns``."""

    @abstractmethod
    def changes(self, known: Any) -> Changes:
        """What has to be done."""

    @abstractmethod
    def encode_rows(self, rows: Sequence[int]) -> Generator[tuple[int, Encoded | str]]:
        """Rows with their embeddings, or the reason why there are none, in any order."""

    @abstractmethod
    def rows_of(self, row: int, encoded: Encoded) -> list[dict[str, Any]]:
        """The table's rows of an item's embeddings."""

    @abstractmethod
    def facts_of(self, row: int) -> dict[str, Any]:
        """The columns that each of these repeats."""

    @abstractmethod
    def result(self, done: Mapping[str, Any]) -> Result:
        """The result, of the fields of :class:`UpdateResult`."""

    def new_centre(self) -> Tensor | None:
        """The centre of a new table, float64 [d]; None for an existing one, and where vectors are not centred."""
        return None

    def known(self) -> dict[str, tuple[Any, ...]]:
        """The table's values of ``known_columns`` of each video or document, by path or id."""
        return known_items(self.table, self.known_columns)

    def moved(self, known: Mapping[str, tuple[Any, ...]]) -> bool:
        """Whether the folder was moved.

        Raises:
            DataError: the table is of other data: fewer than half of its items are there with the same content.
        """
        before = str(root_of_table(self.table))
        if not known or before in ("", self.root):
            return before != self.root
        now = self.contents()
        same = sum(now.get(name) == content for name, (content, *_) in known.items())
        if 2 * same < len(known):
            raise DataError(
                f"The table in '{self.uri}' holds the {self.layout.whole}s of '{before}', and '{self.root}' has {same} "
                f"of its {len(known)}.",
                f"Keep a table for each {self.group}, with -o; or replace this one with --replace.",
            )
        return True

    @property
    def unlisted(self) -> Mapping[str, str]:
        """The folders that could not be listed, with the reason."""
        return {}

    def passing(self, row: int) -> bool:  # noqa: ARG002 - of documents nothing is read a second time
        """Whether what failed could not be read by the system either, so that the failure may pass."""
        return False

    def check(self) -> None:
        """Compares the data with the table, before anything is written.

        Raises:
            DataError: the table is of other data; or more than a tenth of it would be removed without ``remove``.
        """
        if self.existing is None or self.remove:
            return
        self.table = self.existing
        if layout_of(self.existing) != self.layout:
            return  # a table of documents is replaced by one of videos, or the other way round
        if self.is_new and root_of_table(self.existing) != Path(self.root):
            return  # another folder's table, to be replaced as a whole
        known = self.known()
        if not self.is_new:
            self.moved(known)
        found = self.changes(known)
        lost = [*found.gone, *found.kept] if self.is_new else found.gone
        check_removal(lost, len(known), self.uri, f"{self.layout.whole}s")

    def open(self, centre: Tensor | None) -> None:
        """Creates the table, or prepares the existing one.

        Args:
            centre: of a new table.
        """
        connection = database.connect(self.uri)
        if self.is_new:
            if self.existing is not None:
                cluster_names.save_names(connection, self.existing)
            self.table = self._create("create" if self.existing is None else "overwrite", centre)
        else:
            self.table = self.existing
            missing = [name for name in self.columns.values() if name not in self.table.schema.names]
            if missing:
                self.table.add_columns(pa.schema([pa.field(name, pa.string()) for name in missing]))
        self.centre = centre_of(self.table)
        self.saved_names = cluster_names.saved_names(connection, self.table)

    def prepare(self) -> tuple[Changes, int]:
        """Deletes rows and updates facts; returns what is to be encoded, and how many items were deleted."""
        known = self.known()
        if self.moved(known):
            metadata = metadata_of(self.root, self.uri)
            self.table.update_field_metadata({"path": self.layout.whole, "metadata": metadata})
        found = self.changes(known)
        gone = found.gone
        for at in range(0, len(gone), 500):
            self._save_names(gone[at : at + 500])
            self.table.delete(self.layout.within(gone[at : at + 500]))
        self._update_facts(found.updated)
        return found, len(gone)

    def encode(self, found: Changes) -> None:
        """Encodes what is new or changed, and commits as results come."""
        todo, changed = sorted([*found.new, *found.changed]), set(found.changed)
        pending: list[dict[str, Any]] = []
        replaced: list[str] = []
        since = time.monotonic()
        with (
            showing(self.steps, "embedding") as progress,
            contextlib.closing(self.encode_rows(todo)) as results,
        ):
            progress(0, len(todo))
            for done, (row, encoded) in enumerate(results, 1):
                outdated = row in changed
                if isinstance(encoded, str):
                    found.failed[self.name(row)] = encoded
                    outdated = outdated and not self.passing(row)
                    if outdated:
                        self._save_names([self.name(row)])
                else:
                    pending += cluster_names.restore_names(self.rows_of(row, encoded), self.saved_names)
                replaced += [self.name(row)] if outdated else []
                if len(pending) >= self.rows or time.monotonic() - since > SECONDS or done == len(todo):
                    self._commit(pending, replaced)
                    pending, replaced, since = [], [], time.monotonic()
                progress(done, len(todo))

    def finish(self, found: Changes, gone: int, failed: int, began: float) -> Result:
        """Compacts the table, updates its index and returns the result.

        Args:
            found: what had to be done.
            gone: videos or documents that were deleted.
            failed: those that could not be encoded.
            began: start on the monotonic clock.
        """
        if not self.table.count_rows():
            raise DataError(*self.empty_error(found))
        cluster_names.drop_saved_names(database.connect(self.uri), self.table)
        compact(self.table, self.before)
        made = update_index(self.table, self.index)
        added = len([row for row in found.new if self.name(row) not in found.failed])
        done = {
            "table": self.uri,
            "added": added,
            "changed": len(found.new) + len(found.changed) - failed - added,
            "updated": len(found.updated),
            "deleted": gone,
            "kept": len(found.kept),
            "unlisted": self.unlisted,
            "unchanged": found.unchanged,
            "failed": found.failed,
            "index": made,
            "seconds": time.monotonic() - began,
        }
        return self.result(done)

    def empty_error(self, found: Changes) -> tuple[str, str]:
        """The message and hint for a table that would be empty."""
        some = [f"'{path}' ({reason})" for path, reason in list(found.failed.items())[:5]]
        names = f"{self.layout.whole}s"
        return (
            f"None of the {len(found.failed)} {names} could be embedded: {', '.join(some)}.",
            f"See: kinema scan {names.upper()}",
        )

    def count(self, kind: str) -> int:
        """How many rows of a kind the table has."""
        return int(self.table.count_rows(f"kind = '{kind}'"))

    def _create(self, mode: str, centre: Tensor | None) -> Any:
        schema = self.new_schema(centre)
        at = schema.get_field_index(self.layout.whole)
        schema = schema.set(at, schema.field(at).with_metadata(metadata_of(self.root, self.uri)))
        # The metadata come with the first commit, so that there is no table without them.
        return database.connect(self.uri).create_table(database.TABLE, schema=schema, mode=mode)

    def _save_names(self, wholes: Sequence[str]) -> None:
        """Saves the names of clusters that rows of these videos or documents bear, before they are deleted."""
        with database.storage_errors(self.uri):
            cluster_names.save_names(database.connect(self.uri), self.table, self.layout.within(wholes))

    def _update_facts(self, rows: Sequence[int]) -> None:
        """Writes new facts of unchanged videos or documents; their embeddings stay."""
        for at in range(0, len(rows), 100):
            known = {self.name(row): row for row in rows[at : at + 100]}
            before = self.table.search().where(self.layout.within(known)).to_arrow().to_pylist()
            empty = dict.fromkeys(self.own.extra(self.table.schema))
            made = [row | empty | self.facts_of(known[row[self.layout.whole]]) for row in before]
            self.table.merge_insert("id").when_matched_update_all().execute(arrow(made, self.table.schema))

    def _commit(self, rows: Sequence[Mapping[str, Any]], replaced: Sequence[str]) -> None:
        """Writes rows; the same commit deletes the earlier rows of replaced videos or documents."""
        made = arrow(rows, self.table.schema)
        with database.storage_errors(self.uri):
            if replaced:
                merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                merge.when_not_matched_by_source_delete(self.layout.within(replaced)).execute(made)
            elif rows:
                self.table.add(made)


def run_update(make: Callable[[], TableUpdate[Any, Result]], uri: str, began: float) -> Result:
    """Makes a table agree with its items. The caller holds its lock (:mod:`kinema.searching.lock`).

    Args:
        make: opens the table, and checks its settings.
        uri: of the table.
        began: start on the monotonic clock.

    Raises:
        DataError: the table is another encoder's, of something else or of other items; none could be embedded; or more
            than a tenth of the table would be removed without ``remove``.
        StorageError: it cannot be written.
    """
    with database.storage_errors(uri):
        update = make()
        update.check()
    centre = update.new_centre()
    with database.storage_errors(uri):
        update.open(centre)
        found, gone = update.prepare()
    failed = len(found.failed)
    update.encode(found)
    with database.storage_errors(uri):
        return update.finish(found, gone, len(found.failed) - failed, began)


@contextlib.contextmanager
def threads_of_torch(count: int | None) -> Iterator[None]:
    """Sets torch's number of threads for a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def showing(steps: Steps | None, title: str) -> Iterator[Progress]:
    """A progress bar with a title; none without ``steps``."""
    if steps is None:
        yield lambda done, total: None  # noqa: ARG005 - nothing is shown
        return
    with steps(title) as progress:
        yield progress
