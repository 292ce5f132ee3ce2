"""One renewal of a table, whatever its rows are parts of.

The rows of a whole (a video, a document) are written in one commit of LanceDB together with those of some others, so
that a table always holds wholes. Whoever is stopped, by whatever, goes on with what the table does not hold yet; since
each whole is encoded by itself, the end is the same.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
import torch
from torch import Tensor

from kinema.core.errors import DataError
from kinema.core.progress import Progress
from kinema.searching import names, place
from kinema.searching.changes import Changes
from kinema.searching.index import Index, IndexKind, renew_index, tidy
from kinema.searching.layout import Layout
from kinema.searching.schema import arrow, centre_of

SECONDS = 20.0
"""A commit is made after so many seconds, at the latest."""

Steps = Callable[[str], AbstractContextManager[Progress]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Renewed:
    """What was done for a table.

    Args:
        table: where it is.
        added: videos or documents that were new.
        changed: those that are others than before.
        updated: those of which only their description was another; nothing was encoded for these.
        deleted: those that are no longer there, or no longer readable.
        unchanged: those that needed nothing.
        failed: those that could not be embedded, with the reason.
        index: what searches the table, None for exact search.
        seconds: how long it took.
    """

    table: str
    added: int
    changed: int
    updated: int
    deleted: int
    unchanged: int
    failed: Mapping[str, str]
    index: Index | None
    seconds: float

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        names = [item.name for item in fields(self) if item.name not in ("failed", "index")]
        rest = {name: getattr(self, name) for name in names}
        failed = [{"path": path, "reason": reason} for path, reason in self.failed.items()]
        return rest | {"failed": failed, "index": None if self.index is None else self.index.plain()}


class Renewal(ABC, Generic[Answer]):
    """One renewal of a table, under its lock.

    What is embedded is named by its row: of a manifest, or of a table of documents. A subclass says what there is
    (:meth:`changes`), encodes it (:meth:`answers`) and describes it (:meth:`facts_of`, :meth:`rows_of`).

    Args:
        uri: of the table.
        root: the folder of what is embedded.
        replace: make the table anew, whoever made it.
        rows: a commit is made of at least so many rows.
        steps: makes a context that shows progress under a title.
    """

    layout: ClassVar[Layout]
    columns: Mapping[str, str]
    """The column of each attribute."""

    def __init__(self, uri: str, *, root: str, replace: bool, rows: int, steps: Steps | None) -> None:
        self.uri, self.root, self.rows, self.steps = uri, root, rows, steps
        self.there = place.open_table(uri)
        self.anew = self.there is None or replace

    @abstractmethod
    def new_schema(self, centre: Tensor | None) -> pa.Schema:
        """The columns of a new table; ``centre`` is float64 [d]."""

    @abstractmethod
    def name(self, row: int) -> str:
        """The path or id of a row."""

    @abstractmethod
    def known(self) -> Mapping[str, Any]:
        """What the table knows of each whole, by its path or id."""

    @abstractmethod
    def moved(self, known: Any) -> bool:
        """Whether what the table holds now lies in another folder; raises a DataError where it is something else."""

    @abstractmethod
    def changes(self, known: Any) -> Changes:
        """What there is to do."""

    @abstractmethod
    def answers(self, rows: Sequence[int]) -> Generator[tuple[int, Answer | str]]:
        """Rows with their embeddings, or why there are none, in any order."""

    @abstractmethod
    def rows_of(self, row: int, answer: Answer) -> list[dict[str, Any]]:
        """The rows that the table gets of a row's embeddings."""

    @abstractmethod
    def facts_of(self, row: int) -> dict[str, Any]:
        """The columns that each of them repeats."""

    @abstractmethod
    def own_columns(self) -> Sequence[str]:
        """The columns that attributes gave the table."""

    def open(self, centre: Tensor | None) -> None:
        """Makes the table, or readies the one that is there.

        Args:
            centre: of a new table.
        """
        connection = place.connect(self.uri)
        if self.anew:
            if self.there is not None:
                names.set_aside(connection, self.there)
            self.table = self._create("create" if self.there is None else "overwrite", centre)
        else:
            self.table = self.there
            missing = [name for name in self.columns.values() if name not in self.table.schema.names]
            if missing:
                self.table.add_columns(pa.schema([pa.field(name, pa.string()) for name in missing]))
        self.centre = centre_of(self.table)
        self.carried = names.set_aside_names(connection)

    def prepare(self) -> tuple[Changes, int]:
        """What is to be encoded, once all that needs no encoder is written; and how much went."""
        known = self.known()
        if self.moved(known):
            self.table.update_field_metadata({"path": self.layout.whole, "metadata": {"root": self.root}})
        found = self.changes(known)
        gone = [*found.deleted, *found.spoilt]
        for at in range(0, len(gone), 500):
            self.table.delete(self.layout.within(gone[at : at + 500]))
        self._retell(found.told)
        return found, len(gone)

    def encode(self, found: Changes) -> None:
        """Encodes what is new or changed and commits it as it comes."""
        todo, anew = sorted([*found.new, *found.changed]), set(found.changed)
        pending: list[dict[str, Any]] = []
        replaced: list[str] = []
        since = time.monotonic()
        with (
            showing(self.steps, "embedding") as progress,
            contextlib.closing(self.answers(todo)) as answers,
        ):
            progress(0, len(todo))
            for done, (row, answer) in enumerate(answers, 1):
                if isinstance(answer, str):
                    found.failed[self.name(row)] = answer
                else:
                    pending += names.carry(self.rows_of(row, answer), self.carried)
                replaced += [self.name(row)] if row in anew else []
                if len(pending) >= self.rows or time.monotonic() - since > SECONDS or done == len(todo):
                    self._commit(pending, replaced)
                    pending, replaced, since = [], [], time.monotonic()
                progress(done, len(todo))

    def finished(self, found: Changes, gone: int, failed: int, index: IndexKind, began: float) -> dict[str, Any]:
        """Tidies the table up and renews its index; the fields of :class:`Renewed`.

        Args:
            found: what there was to do.
            gone: videos or documents taken out.
            failed: those that were to be encoded and could not be.
            index: what is to search it.
            began: by the monotonic clock.
        """
        if not self.table.count_rows():
            raise DataError(*self.nothing(found))
        names.forget(place.connect(self.uri))
        tidy(self.table)
        made = renew_index(self.table, index)
        added = len([row for row in found.new if self.name(row) not in found.failed])
        return {
            "table": self.uri,
            "added": added,
            "changed": len(found.new) + len(found.changed) - failed - added,
            "updated": len(found.told),
            "deleted": gone,
            "unchanged": found.unchanged,
            "failed": found.failed,
            "index": made,
            "seconds": time.monotonic() - began,
        }

    def nothing(self, found: Changes) -> tuple[str, str]:
        """What is said of a table that would be empty, and the hint."""
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
        root = self.root.encode("utf-8", "backslashreplace")
        schema = schema.set(at, schema.field(at).with_metadata({"root": root}))
        # The metadata of the schema and of its field come with the first commit: there is no table without them.
        return place.connect(self.uri).create_table(place.TABLE, schema=schema, mode=mode)

    def _retell(self, rows: Sequence[int]) -> None:
        """Writes what is now known of wholes that are as they were; their embeddings stay."""
        for at in range(0, len(rows), 100):
            known = {self.name(row): row for row in rows[at : at + 100]}
            held = self.table.search().where(self.layout.within(known)).to_arrow().to_pylist()
            empty = dict.fromkeys(self.own_columns())
            made = [row | empty | self.facts_of(known[row[self.layout.whole]]) for row in held]
            self.table.merge_insert("id").when_matched_update_all().execute(arrow(made, self.table.schema))

    def _commit(self, rows: Sequence[Mapping[str, Any]], replaced: Sequence[str]) -> None:
        """Writes rows; those that a replaced whole had before go in the same commit."""
        made = arrow(rows, self.table.schema)
        with place.telling(self.uri):
            if replaced:
                merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                merge.when_not_matched_by_source_delete(self.layout.within(replaced)).execute(made)
            elif rows:
                self.table.add(made)


@contextlib.contextmanager
def threads_of_torch(count: int | None) -> Iterator[None]:
    """So many threads for torch, for the time being."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def showing(steps: Steps | None, title: str) -> Iterator[Progress]:
    """Where progress is shown under a title; nowhere without ``steps``."""
    if steps is None:
        yield lambda done, total: None  # noqa: ARG005 - nothing is shown
        return
    with steps(title) as progress:
        yield progress
