"""What is shown on a terminal: text is text, and a name in brackets is no markup.

File names, labels and names of clusters are whatever people wrote. rich takes ``[draft]`` in a text for a style and
leaves it out, and fails at ``[/x]``. Consoles, tables and bars of kinema are made here alone
(``tests/faults/test_boundaries.py``), and none of them looks for markup.
"""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table as _Table
from rich.text import Text

from kinema.core.reading import legible


def make_console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error, that shows every text as it is."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def unseen_console() -> Console:
    """A console that keeps what is printed on it, as rich's ``export_html`` gives it, and shows nothing."""
    return Console(
        file=io.StringIO(), record=True, width=100, force_jupyter=False, markup=False, emoji=False, highlight=False
    )


def show(console: Console, line: str) -> None:
    """Prints a line as it is, on any console."""
    console.print(plain(line), highlight=False)


def plain(text: Any, style: str = "") -> Any:
    """A text of which rich shows every character; what is no text, such as a table, is given back.

    Args:
        text: may hold brackets, or bytes of a file's name that are not UTF-8.
        style: of the whole.
    """
    return Text(legible(text), style=style) if isinstance(text, str) else text


class Table(_Table):
    """A table of rich in whose titles, heads and cells no text is taken for markup, whatever console it is printed on.

    Titles are set when it is made, or by the attributes ``title`` and ``caption``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("title", "caption") and isinstance(value, str):
            value = plain(value, getattr(self, f"{name}_style", None) or f"table.{name}")
        super().__setattr__(name, value)

    def __init__(self, *headers: Any, **options: Any) -> None:
        if options.get("title_style") and isinstance(options.get("title"), str):
            options["title"] = plain(options["title"], options["title_style"])
        super().__init__(**options)
        for header in headers:
            self.add_column(header)

    def add_column(self, header: Any = "", footer: Any = "", **options: Any) -> None:
        """Adds a column; see rich."""
        super().add_column(plain(header), plain(footer), **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Adds a row of texts, or of what else rich can show."""
        super().add_row(*map(plain, cells), **options)


def title_column() -> TextColumn:
    """The column of a progress bar that says what is done."""
    return TextColumn("{task.description}", style="bold", markup=False)
