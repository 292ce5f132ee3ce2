"""The kinds of rows of a table: wholes and their parts.

They are videos and windows, or documents and passages; tracklets have no parts. Of a pair there is a row for its
picture and one for its text, and none for both. The column ``kind`` is the kind of a row; the column ``video``,
``document``, ``tracklet`` or ``pair`` names the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kinema.core.errors import DataError, UsageError

ELSEWHERE = "Choose another place with -o, or make it again: kinema embed RUN DATA --replace."


@dataclass(frozen=True)
class Layout:
    """The names of the rows of a table.

    Args:
        whole: 'video', 'document', 'tracklet' or 'pair', the column with a whole's name; and the kind of its row, where
            it has one.
        part: 'window' or 'passage', the kind of the rows of its parts; that of the whole where it has none; 'image' of
            pairs.
        kinds: of rows, the usual one first; part and whole where nothing is given.
    """

    whole: str
    part: str
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.kinds:
            object.__setattr__(self, "kinds", (self.part, self.whole))

    @property
    def names(self) -> tuple[str, ...]:
        """The plurals of the kinds."""
        return tuple(f"{kind}s" for kind in self.kinds)

    @property
    def each(self) -> str:
        """A condition in SQL for a row of each whole; of a pair, which has no row of its own, for all that it has."""
        return f"kind = '{self.whole}'" if self.whole in self.kinds else "true"

    def kind(self, over: str | None) -> str:
        """The kind of the rows that are compared.

        Args:
            over: one of :attr:`names`; None for the usual kind.

        Raises:
            UsageError: it is none of them.
        """
        if over is not None and over not in self.names:
            raise UsageError(
                f"There is nothing called '{over}' to compare with.",
                f"Choose {' or '.join(dict.fromkeys(self.names))}.",
            )
        return self.kinds[0] if over is None else over[:-1]

    def within(self, wholes: Iterable[str]) -> str:
        """A condition in SQL for the rows of these wholes, at least one."""
        return f"{self.whole} IN ({', '.join(quoted(name) for name in wholes)})"


VIDEOS, DOCUMENTS = Layout("video", "window"), Layout("document", "passage")
TRACKLETS = Layout("tracklet", "tracklet")
PAIRS = Layout("pair", "image", ("image", "text"))


def layout_of(table: Any) -> Layout:
    """The layout of a table of LanceDB."""
    there = [layout for layout in (DOCUMENTS, TRACKLETS, PAIRS, VIDEOS) if layout.whole in table.schema.names]
    # An attribute may be called so too; the folder of the files is kept with the column of the wholes.
    rooted = [layout for layout in there if b"root" in (table.schema.field(layout.whole).metadata or {})]
    return next(iter(rooted or there), VIDEOS)


def check_layout(table: Any, layout: Layout, uri: str, reader: str) -> None:
    """Raises an error for a table of the other modality.

    Args:
        table: of LanceDB.
        layout: the expected layout.
        uri: of the table.
        reader: what reads it, for the message: 'kinema dedupe'.

    Raises:
        DataError: the table has another layout. Tables that are not kinema's are not checked here.
    """
    found = layout_of(table)
    if found != layout and b"kinema" in (table.schema.metadata or {}):
        raise DataError(
            f"{reader} needs a table of {layout.whole}s, and the one in '{uri}' holds {found.whole}s.",
            f"Name a run that was trained on {layout.whole}s, or another table with --table (with embed: -o).",
        )


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
