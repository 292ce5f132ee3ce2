"""Progress bars, and the one rule of where they are shown.

In Python nobody has to ask for progress: it is shown where a person sees it, on a terminal or in a notebook, and
nowhere else (:func:`watched`). A notebook gets the same bar as a terminal, drawn into an output of its own that is
emptied when the work is done.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from kinema.core.printing import make_console, unseen_console

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Progress = Callable[[int, int], None]

Shown = Console | bool | None
"""Where progress is to be shown: None decides by itself, False is silence, True or a console show it; see `watched`."""

_PAUSE = 0.1
"""Seconds between two pictures of a bar in a notebook."""


def watched(asked: Shown) -> Console | None:
    """Where progress is shown: on standard error, if a person sees it there.

    Args:
        asked: None decides by itself: a terminal and a notebook are looked at, a pipe and a file are not. False is
            silence. True is standard error, whatever that is. A console is that console.
    """
    if isinstance(asked, Console):
        return asked
    if asked is False:
        return None
    console = make_console(stderr=True)
    if asked or console.is_jupyter:
        return console
    isatty = getattr(console.file, "isatty", None)
    try:
        return console if isatty is not None and isatty() else None
    except ValueError:  # it is closed
        return None


def make_bar(console: Console | None, *columns: Any) -> Bar:
    """A bar of rich on a terminal or in a notebook, gone when it is stopped; anywhere else one that shows nothing.

    Args:
        console: where it is shown; None for nowhere.
        *columns: of the bar.
    """
    from rich.progress import Progress as Bar

    if console is not None and console.is_jupyter:
        return _notebook_bar(columns)
    shown = console is not None and console.is_terminal
    return Bar(*columns, console=console, disable=not shown, transient=True)


def _notebook_bar(columns: tuple[Any, ...]) -> Bar:
    """A bar that redraws itself in one output of a notebook's cell: rich's own needs ipywidgets there."""
    from rich.progress import Progress as Bar

    notebook = importlib.import_module("IPython.display")  # there is none without it

    class NotebookBar(Bar):
        handle: Any = None
        drawn = 0.0

        def start(self) -> None:
            self.handle = notebook.display(notebook.HTML(""), display_id=True)

        def stop(self) -> None:
            if self.handle is not None:
                self.handle.update(notebook.HTML(""))
                self.handle = None

        def update(self, *given: Any, **changed: Any) -> None:
            super().update(*given, **changed)
            now = time.monotonic()
            if self.handle is not None and now - self.drawn >= _PAUSE:
                self.drawn = now
                self.handle.update(notebook.HTML(self.as_html()))

        def as_html(self) -> str:
            page = unseen_console()
            page.print(self.get_renderable())
            return page.export_html(code_format="<pre>{code}</pre>", inline_styles=True)

    return NotebookBar(*columns, console=unseen_console(), auto_refresh=False)


class Steps:
    """A progress bar for countable work, on standard error.

    Args:
        title: what is done.
        console: where it is shown; see :func:`watched`.
    """

    def __init__(self, title: str, console: Shown = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

        from kinema.core.printing import title_column

        self.title = title
        columns = (title_column(), BarColumn(bar_width=24), MofNCompleteColumn())
        self._bar = make_bar(watched(console), *columns, TimeRemainingColumn())

    def __enter__(self) -> Progress:
        self._bar.start()
        task = self._bar.add_task(self.title, total=None)
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


@contextmanager
def shown(title: str, progress: Shown | Progress) -> Iterator[Progress]:
    """A function that is told (done, all) while something is done.

    Args:
        title: what is done.
        progress: that function, of the caller; otherwise see :func:`watched`.
    """
    if callable(progress):
        yield progress
        return
    with Steps(title, progress) as steps:
        yield steps
