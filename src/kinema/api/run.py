"""A run as Python sees it: what ``kinema.pretrain`` gives."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kinema.core.plurals import counted
from kinema.core.results import Results
from kinema.reporting import Report
from kinema.training.run_folder import RunFolder
from kinema.training.trainer import Trained


@dataclass(frozen=True)
class Run:
    """A run that was trained; where a function takes a run's folder, the run itself may stand.

    Args:
        folder: where it lies.
        trained: what the training came to.
    """

    folder: Path
    trained: Trained

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.4f}"
        return f"{self.method} in '{self.folder}': {counted(self.epochs, 'epochs')}, {self.seconds:.0f} s{loss}"

    @property
    def method(self) -> str:
        """The name of its method: what was chosen, where 'auto' was asked for."""
        return str(RunFolder(self.folder).read("recipe.json")["name"])

    @property
    def choice(self) -> Mapping[str, Any] | None:
        """Why this method: the values of :class:`kinema.recipes.choice.Choice`; None where a person named it."""
        found: Mapping[str, Any] | None = RunFolder(self.folder).read("environment.json").get("choice")
        return found

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return self.trained.epochs

    @property
    def steps(self) -> int:
        """Batches of all phases."""
        return self.trained.steps

    @property
    def seconds(self) -> float:
        """Time in training steps, all phases."""
        return self.trained.seconds

    @property
    def loss(self) -> float | None:
        """The last phase's mean loss in its last epoch; None where nothing but a memory was filled."""
        return self.trained.loss

    @cached_property
    def model(self) -> Any:
        """The encoder that it trained, of the view that it is for; another view's is ``kinema.load(run, view=…)``."""
        from kinema.api.models import load

        model = load(self.folder)
        model._again = functools.partial(load, self.folder)
        return model

    def evaluate(self, protocol: str, data: Any, **options: Any) -> Results:
        """Measures it by a protocol; see :func:`kinema.evaluate`."""
        from kinema.api.evaluation import evaluate

        return evaluate(protocol, self.folder, data, **options)

    def report(self, *, out: str | Path | None = None) -> tuple[Path, Report]:
        """One page that says whether it helped; see :func:`kinema.report`."""
        from kinema.api.reports import report

        return report(self.folder, out=out)
