"""What a report reads of a run: the files of its folder, whoever opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from kinema.core.results import Result


class RunFiles(Protocol):
    """One run's folder, open for reading; every method raises :class:`~kinema.core.errors.RunError` for damage."""

    path: Path

    def read(self, name: str) -> dict[str, Any]:
        """One of the run's JSON files; empty where it is not there."""
        ...

    def status(self) -> dict[str, Any]:
        """What is known of its training: its state, and why."""
        ...

    def phases(self) -> list[Path]:
        """The folders of all phases that were begun, in order."""
        ...

    def metrics(self, phase: Path) -> list[dict[str, Any]]:
        """The figures that training wrote in a phase, a mapping a line."""
        ...

    def results(self) -> Iterable[Result]:
        """All results of evaluations."""
        ...


OpenRun: TypeAlias = Callable[[Path], RunFiles]
"""Opens the run of a folder; raises :class:`~kinema.core.errors.RunError` where there is none."""
