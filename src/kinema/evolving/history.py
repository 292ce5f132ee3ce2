"""The history of a search: a file a candidate, written when it is evaluated, so that a stopped search can be resumed.

DIR/evolve.json           the settings: the search, its seed and budget, the fitness, the plan, the data's digest
DIR/manifest.parquet      the videos
DIR/candidates/0007.json  one candidate: its weights, its fitness or why it has none, what was measured beside it
DIR/runs/0007/            its run, where runs are saved
DIR/history.json, .csv    all of them; DIR/chart.svg, how the search went; DIR/best.json, for ``pretrain --config``
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kinema.core.config import differences
from kinema.core.errors import CheckpointError, RunError
from kinema.core.files import write_json
from kinema.core.lock import alone, is_free
from kinema.core.reading import read_object, read_shape
from kinema.evolving.search import Tried

WORK = "work"
"""Where candidates that are being trained write."""

SHOWN = 20
"""Settings at most that a refusal names with both values."""


@dataclass(frozen=True)
class Candidate:
    """One candidate as it was judged.

    Args:
        number: from 0, in the order in which they were proposed.
        generation: from 0.
        weights: λ by the names of parts.
        fitness: less is better; None where it failed.
        reason: why it failed: a crash, an error, a collapse; empty where it did not.
        hard: the fitness of hard clusters, which knows no temperature; None where it failed.
        rank: effective rank of the features; None where there were none.
        spread: share of the features' mean square around their mean; None where there were none.
        loss: of its training's last epoch.
        seconds: how long it took.
    """

    number: int
    generation: int
    weights: Mapping[str, float]
    fitness: float | None = None
    reason: str = ""
    hard: float | None = None
    rank: float | None = None
    spread: float | None = None
    loss: float | None = None
    seconds: float = 0.0

    def scored(self, worst: float) -> float:
        """The fitness that the search sees: what failed is a nat worse than the worst that can be."""
        return self.fitness if self.fitness is not None else worst + 1.0

    def tried(self, worst: float) -> Tried:
        """What the search learns from it."""
        return tuple(self.weights.values()), self.scored(worst)


class SearchFolder:
    """Reads and writes the folder of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def begun(
        cls, path: Path, settings: Mapping[str, Any], *, resume: bool, changeable: Container[str] = ()
    ) -> SearchFolder:
        """The folder of a new search, or of one that is resumed.

        Args:
            path: the folder.
            settings: of the search, as plain values.
            resume: whether it may be there already.
            changeable: settings that change no result and may be others than before, by their dotted names.

        Raises:
            RunError: it is there and was not to be resumed, or it is no search.
            CheckpointError: it was begun with other settings or other videos, which are named.
        """
        folder, file = cls(path), path / "evolve.json"
        if is_free(path):
            with alone(path, "searching"):
                if not file.exists():  # another process may have begun one since
                    write_json(file, settings)
                    return folder
        if not file.is_file():
            raise RunError(f"'{path}' exists and is no search; nothing was changed.", "Choose another --out.")
        if not resume:
            raise RunError(
                f"'{path}' holds a search already; nothing was changed.",
                "Choose another --out, or add --resume to go on with it.",
            )
        folder._check(read_object(file, hint="Search into a new folder."), settings, changeable)
        return folder

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from searching in the folder; removes what candidates that were cut short have left.

        Raises:
            RunError: another process is searching there.
            StorageError: the folder cannot be written.
        """
        with alone(self.path, "searching"):
            self._tidy()
            yield
            self._tidy()

    def _check(self, saved: Mapping[str, Any], settings: Mapping[str, Any], changeable: Container[str]) -> None:
        plain = json.loads(json.dumps(settings))
        found = differences({key: saved.get(key) for key in plain}, plain)
        other = [(name, own, now) for name, own, now in found if name not in changeable]
        if other:
            lines = "; ".join(f"{name} was {own!r}, and {now!r} was asked" for name, own, now in other[:SHOWN])
            lines += f"; and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
            raise CheckpointError(
                f"The search in '{self.path}' was begun with other settings or videos: {lines}.",
                "Go on with what it was begun with, or search into a new folder.",
            )

    def _file(self, number: int) -> Path:
        return self.path / "candidates" / f"{number:04d}.json"

    def _tidy(self) -> None:
        shutil.rmtree(self.path / WORK, ignore_errors=True)

    def add(self, candidate: Candidate) -> None:
        """Keeps one candidate, atomically."""
        write_json(self._file(candidate.number), asdict(candidate))

    def read(self, number: int) -> Candidate | None:
        """A candidate that was judged; None where it was not yet.

        Raises:
            RunError: its file is damaged.
        """
        file = self._file(number)
        if not file.is_file():
            return None
        return read_shape(file, Candidate, hint="Remove it, and it is tried again.")
