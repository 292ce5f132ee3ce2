"""Where a person sees a training go on: a bar on a terminal, a line an epoch elsewhere; always on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from kinema.core.printing import show, title_column
from kinema.core.progress import Shown, make_bar, watched
from kinema.training.checkpoints import Progress as Counters

LONG = 0.1
"""Share of the time spent waiting for data from which on the bar says so."""


class PhaseDisplay:
    """The bar of one phase: the loss of the last steps, clips a second, and the wait for data where it is long.

    On a terminal the bar gives way to the line of the phase's last epoch; elsewhere every epoch has its line.

    Args:
        title: what is trained, for instance '2 of 3 · infonce-motion'.
        epochs: epochs of the phase.
        console: where to draw; see :func:`kinema.core.progress.watched`.
        unit: what a batch counts.
    """

    def __init__(self, title: str, epochs: int, console: Shown, unit: str = "clips") -> None:
        self.title, self.epochs, self.console, self.unit = title, epochs, watched(console), unit
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = ""

    def __enter__(self) -> PhaseDisplay:
        if self.console is not None and (self.console.is_terminal or self.console.is_jupyter):
            self._bar = make_bar(
                self.console,
                title_column(),
                BarColumn(bar_width=16),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}", markup=False),
                TimeRemainingColumn(),
            )
            self._task = self._bar.add_task(self.title, total=None, figures="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
                if self._last and self.console is not None:
                    show(self.console, self._last)

    def update(self, progress: Counters, batches: int, loss: float | None) -> None:
        """Moves the bar to the phase's current step.

        Args:
            progress: counts steps and clips.
            batches: of an epoch.
            loss: the mean of the steps that were read last; None before there is one.
        """
        if self._bar is None or self._task is None:
            return
        figures = f"{progress.clips / max(progress.seconds, 1e-9):.0f} {self.unit}/s"
        figures = figures if loss is None else f"loss {loss:.3f}  {figures}"
        waiting = progress.waited / max(progress.seconds, 1e-9)
        figures += f"  waiting {waiting:.0%}" if waiting >= LONG else ""
        with suppress(OSError):  # the terminal may be gone, and the training goes on
            self._bar.update(self._task, total=self.epochs * batches, completed=progress.step, figures=figures)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Prints a line where there is no bar; where there is one, it is shown at the end of the phase."""
        if self.console is None:
            return
        loss = "filling the memory" if row["loss"] is None else f"loss {row['loss']:.4f}"
        rate = f"{row['clips_per_second'] or 0:.0f} {self.unit}/s"
        line = f"{self.title}  epoch {row['epoch'] + 1}/{self.epochs}  {loss}  {rate}"
        if row.get("device_busy") is not None:
            line += f"  GPU busy {row['device_busy']:.0%}"
        if "mining_precision" in row:
            line += f"  mining precision {row['mining_precision']:.3f}"
        self._last = line
        if self._bar is None:
            with suppress(OSError):
                show(self.console, line)
