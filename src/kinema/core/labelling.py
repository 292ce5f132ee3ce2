"""How a table's rows came by their labels, and what was written that fits none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import shaped


@dataclass(frozen=True)
class Names:
    """Some names, of which the first few are kept.

    Args:
        count: how many there are.
        first: the first few.
    """

    count: int = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str], most: int = 20) -> Names:
        """The names, the first so many of them kept."""
        kept = list(names)
        return cls(len(kept), tuple(kept[:most]))

    def __str__(self) -> str:
        shown = self.first[:5]
        more = f" and {self.count - len(shown)} more" if self.count > len(shown) else ""
        return ", ".join(f"'{name}'" for name in shown) + more


@dataclass(frozen=True)
class LabelReading:
    """How a folder's labels were read.

    Args:
        origin: 'table' (a file labels.csv), 'folders' (class folders), 'lists' (of a known data set) or 'none'.
        noun: what a row is, in the plural: 'videos'.
        table: the table's name; empty where there is none.
        encoding: how its bytes were read.
        guessed: whether the encoding was guessed, for the file is no UTF-8 and has no byte-order mark.
        separator: between its columns.
        rows: how many rows it has.
        unmatched: rows that name no file that is there.
        held_out: how many of those say that they are for validation or test.
        unseen: rows that name files in folders that could not be listed; they may be there.
        passed_over: rows that name a file that is there and is none of what is read.
        unlisted: files that no row names.
        rewritten: files that a row names in another spelling: capitals of the ending, an absolute path.
        nameless: whether a column without a name holds values.
        beside: files that lie beside the class folders, and so have no class.
        why: why nothing has a label, a sentence; empty where something has.
    """

    origin: str = "none"
    noun: str = "videos"
    table: str = ""
    encoding: str = ""
    guessed: bool = False
    separator: str = ""
    rows: int = 0
    unmatched: Names = field(default_factory=Names)
    held_out: int = 0
    unseen: Names = field(default_factory=Names)
    passed_over: Names = field(default_factory=Names)
    unlisted: Names = field(default_factory=Names)
    rewritten: Names = field(default_factory=Names)
    nameless: bool = False
    beside: Names = field(default_factory=Names)
    why: str = ""

    def to_plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Any, where: str) -> LabelReading:
        """What :meth:`to_plain` wrote; keys that are not known are passed over.

        Args:
            plain: what was read.
            where: the file's name, for the message.

        Raises:
            DataError: a value is of another type.
        """
        if isinstance(plain, Mapping):
            plain = {key: value for key, value in plain.items() if key in cls.__dataclass_fields__}
        return shaped(plain, cls, f"{where}, in its labels,", error=DataError, hint="Scan again.")

    def warnings(self) -> tuple[str, ...]:
        """What a person who uses the data should know of it, a sentence each."""
        sentences = []
        if self.guessed:
            sentences.append(
                f"{self.table} is not UTF-8 and was read as {self.encoding}; check its names with accents, or save "
                "it as UTF-8."
            )
        if self.unmatched.count:
            those = f", {self.held_out} of them for validation or test" if self.held_out else ""
            sentences.append(
                f"{self._table('names', 'name')} {self.unmatched.count} {self.noun} that are not there{those}: "
                f"{self.unmatched}."
            )
        if self.unseen.count:
            sentences.append(
                f"{self.table} names {self.unseen.count} {self.noun} in folders that could not be listed: "
                f"{self.unseen}."
            )
        if self.unlisted.count:
            left = "they are left out" if self.origin == "lists" else "they have no label and no split from it"
            sentences.append(
                f"{self.unlisted.count} {self.noun} stand in no row of {self.table}, so that {left}: {self.unlisted}."
            )
        if self.nameless:
            sentences.append(f"{self.table} has a column without a name, which is passed over.")
        if self.beside.count:
            sentences.append(
                f"{self.beside.count} {self.noun} lie beside the class folders and have no class: {self.beside}."
            )
        return tuple(sentences)

    def _table(self, one: str, many: str) -> str:
        """The table with its verb, as a sentence begins."""
        return f"{self.table[:1].upper()}{self.table[1:]} {many}" if self.origin == "lists" else f"{self.table} {one}"


def alike(classes: Sequence[str]) -> tuple[str, ...]:
    """A sentence for classes whose names differ in capitals alone; none where there are no such."""
    folded: dict[str, list[str]] = {}
    for name in classes:
        folded.setdefault(name.casefold(), []).append(name)
    groups = [" and ".join(f"'{name}'" for name in names) for names in folded.values() if len(names) > 1]
    return (f"Classes that differ in capitals alone are kept apart: {'; '.join(groups[:5])}.",) if groups else ()
