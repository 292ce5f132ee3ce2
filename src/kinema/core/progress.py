"""Progress bars."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

Progress = Callable[[int, int], None]


class Steps:
    """A progress bar for countable work, on standard error; silent without a console."""

    def __init__(self, title: str, console: Console | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        from kinema.core.printing import title_column

        self.title = title
        shown = console is not None and console.is_terminal
        columns = (title_column(), BarColumn(bar_width=24), MofNCompleteColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not shown, transient=True)

    def __enter__(self) -> Progress:
        self._bar.start()
        task = self._bar.add_task(self.title, total=None)
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
