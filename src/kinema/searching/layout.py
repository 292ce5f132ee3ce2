"""What the rows of a table are: parts of wholes, windows of videos or passages of documents.

The column ``kind`` says which of the two a row is; the column ``video`` or ``document`` names the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kinema.core.errors import DataError, UsageError


@dataclass(frozen=True)
class Layout:
    """What the rows of a table are called.

    Args:
        whole: of the row of a whole, and of the column with the whole's name: 'video' or 'document'.
        part: of the rows of its parts: 'window' or 'passage'.
    """

    whole: str
    part: str

    @property
    def names(self) -> tuple[str, str]:
        """What can be compared, in the plural: parts, wholes."""
        return f"{self.part}s", f"{self.whole}s"

    def kind(self, over: str | None) -> str:
        """The kind of the rows that are compared.

        Args:
            over: one of :attr:`names`; None for parts.

        Raises:
            UsageError: it is neither.
        """
        if over is not None and over not in self.names:
            raise UsageError(f"There is nothing called '{over}' to compare with.", f"Choose {' or '.join(self.names)}.")
        return self.part if over is None else over[:-1]

    def within(self, wholes: Iterable[str]) -> str:
        """The rows of some wholes, as a condition in SQL; there must be one."""
        return f"{self.whole} IN ({', '.join(quoted(name) for name in wholes)})"


VIDEOS, DOCUMENTS = Layout("video", "window"), Layout("document", "passage")


def layout_of(table: Any) -> Layout:
    """The layout of a table of LanceDB."""
    return DOCUMENTS if DOCUMENTS.whole in table.schema.names else VIDEOS


def check_layout(table: Any, layout: Layout, uri: str, reader: str) -> None:
    """Refuses a table of the other modality.

    Args:
        table: of LanceDB.
        layout: what is read here.
        uri: of the table.
        reader: what reads it, the beginning of a sentence: 'kinema dedupe'.

    Raises:
        DataError: names what the table holds. One that is not kinema's at all is not judged here.
    """
    held = layout_of(table)
    if held != layout and b"kinema" in (table.schema.metadata or {}):
        raise DataError(
            f"{reader} needs a table of {layout.whole}s, and the one in '{uri}' holds {held.whole}s.",
            f"Name a run that was trained on {layout.whole}s, or another table with --table (with embed: -o).",
        )


def quoted(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
