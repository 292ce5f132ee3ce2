"""Where the curves of a training go beside ``metrics.jsonl``: TensorBoard, Weights & Biases, MLflow, or nowhere.

A logger changes no result, so it is no part of a recipe. Nothing leaves the machine unless the user's environment
says so: W&B runs offline unless WANDB_MODE is set, MLflow writes into the run's folder unless MLFLOW_TRACKING_URI is
set, and what these packages report of themselves is off unless their own variables turn it on.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from kinema.core.errors import MissingExtraError, TrainingError, UsageError
from kinema.core.guesses import choose_from

LOGGERS = ("tensorboard", "wandb", "mlflow", "none")
"""The names that a user may give."""

_EXTRAS = ("wandb", "mlflow")
_QUIET = {"wandb": {"WANDB_ERROR_REPORTING": "false"}, "mlflow": {"MLFLOW_DISABLE_TELEMETRY": "true"}}


def check_logger(name: str) -> None:
    """Refuses a logger that is not known or not installed; nothing is imported and nothing written.

    Args:
        name: one of :data:`LOGGERS`.

    Raises:
        UsageError: there is no such logger.
        MissingExtraError: its package is not installed; the message names the extra.
    """
    if name not in LOGGERS:
        raise UsageError(f"There is no logger '{name}'.", choose_from(name, LOGGERS))
    if name in _EXTRAS and find_spec(name) is None:
        raise MissingExtraError(name, name)


class Curves(Protocol):
    """Where figures go while a phase is trained."""

    def add(self, figures: Mapping[str, float], step: int) -> None:
        """Figures by name, at a step of the phase."""
        ...

    def close(self) -> None:
        """Ends them; what follows is another phase's."""
        ...


def open_logger(name: str, run: Path, phase: str) -> Curves | None:
    """The curves of one phase of a run; None where they go nowhere.

    Args:
        name: one of :data:`LOGGERS`.
        run: the run's folder, which is there; local loggers write below it.
        phase: the phase's name.

    Raises:
        TrainingError: the logger could not be started; the message gives its own words.
    """
    if name == "none":
        return None
    for variable, value in _QUIET.get(name, {}).items():
        os.environ.setdefault(variable, value)
    kinds: dict[str, Callable[[Path, str], Curves]] = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}
    try:
        return kinds[name](run.resolve(), phase)
    except Exception as error:  # whatever a package or its server raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(
            f"The logger '{name}' could not be started: {reason}",
            "Go on with --resume and another --logger ('tensorboard', 'none'), or mend what it names.",
        ) from error


class TensorBoard:
    """A file of events in RUN/tensorboard/PHASE, made when there is something to write.

    Args:
        run: the run's folder.
        phase: the phase's name.
    """

    def __init__(self, run: Path, phase: str) -> None:
        self.folder = run / "tensorboard" / phase
        self._writer: Any = None

    def add(self, figures: Mapping[str, float], step: int) -> None:
        """See :class:`Curves`."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder))
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """See :class:`Curves`."""
        if self._writer is not None:
            self._writer.close()


class WandB:
    """A run of Weights & Biases for each phase, in one group.

    Args:
        run: the run's folder.
        phase: the phase's name.
    """

    STEP = "trainer/global_step"

    def __init__(self, run: Path, phase: str) -> None:
        import wandb

        self._run = wandb.init(
            name=f"{run.name} · {phase}",
            group=run.name,
            project=os.environ.get("WANDB_PROJECT", "kinema"),
            dir=str(run),
            **({} if os.environ.get("WANDB_MODE") else {"mode": "offline"}),
        )
        self._run.define_metric(self.STEP)
        self._run.define_metric("*", step_metric=self.STEP, step_sync=True)

    def add(self, figures: Mapping[str, float], step: int) -> None:
        """See :class:`Curves`."""
        self._run.log({**figures, self.STEP: step})

    def close(self) -> None:
        """See :class:`Curves`; W&B would otherwise take the next phase for the same run."""
        self._run.finish()


class MLflow:
    """A run of MLflow for each phase, in one experiment.

    Args:
        run: the run's folder.
        phase: the phase's name.
    """

    def __init__(self, run: Path, phase: str) -> None:
        address = os.environ.get("MLFLOW_TRACKING_URI")
        if not address:
            # MLflow 3 wants a data base in place of a folder, which needs the packages that mlflow-skinny leaves out.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            address = (run / "mlruns").as_uri()
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(address)
        found = self._client.get_experiment_by_name(run.name)
        if found is not None and found.lifecycle_stage != "deleted":
            experiment = found.experiment_id
        else:
            experiment = self._client.create_experiment(run.name)
        self._run = self._client.create_run(experiment, run_name=phase).info.run_id

    def add(self, figures: Mapping[str, float], step: int) -> None:
        """See :class:`Curves`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        allowed = {re.sub(r"[^a-zA-Z0-9_/. -]+", "", name): value for name, value in figures.items()}
        self._client.log_batch(self._run, [Metric(name, value, now, step) for name, value in allowed.items()])

    def close(self) -> None:
        """See :class:`Curves`."""
        self._client.set_terminated(self._run)
