"""Where the curves of a training go beside ``metrics.jsonl``: TensorBoard, Weights & Biases, MLflow, or nowhere.

A logger changes no result, so it is no part of a recipe. Nothing leaves the machine unless the user's environment
says so: W&B runs offline unless WANDB_MODE is set, MLflow writes into the run's folder unless MLFLOW_TRACKING_URI is
set, and what these packages report of themselves is off unless their own variables turn it on.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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


def open_logger(name: str, run: Path, phase: str) -> Any:
    """Lightning's logger for one phase of a run, or False for none.

    Args:
        name: one of :data:`LOGGERS`.
        run: the run's folder, which is there; local loggers write below it.
        phase: the phase's name.

    Raises:
        TrainingError: the logger could not be started; the message gives its own words.
    """
    if name == "none":
        return False
    for variable, value in _QUIET.get(name, {}).items():
        os.environ.setdefault(variable, value)
    try:
        return {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}[name](run.resolve(), phase)
    except Exception as error:  # whatever a package or its server raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(
            f"The logger '{name}' could not be started: {reason}",
            "Go on with --resume and another --logger ('tensorboard', 'none'), or mend what it names.",
        ) from error


def close_logger(logger: Any) -> None:
    """Ends a phase's logging; W&B would otherwise take the next phase for the same run."""
    from pytorch_lightning.loggers import WandbLogger

    if isinstance(logger, WandbLogger):
        logger.experiment.finish()


def _tensorboard(run: Path, phase: str) -> Any:
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(str(run), name="tensorboard", version=phase)


def _wandb(run: Path, phase: str) -> Any:
    from pytorch_lightning.loggers import WandbLogger

    mode = {} if os.environ.get("WANDB_MODE") else {"mode": "offline"}
    project = os.environ.get("WANDB_PROJECT", "kinema")
    logger = WandbLogger(name=f"{run.name} · {phase}", group=run.name, project=project, save_dir=str(run), **mode)
    _ = logger.experiment  # starts it here, where what goes wrong is answered in our words
    return logger


def _mlflow(run: Path, phase: str) -> Any:
    from pytorch_lightning.loggers import MLFlowLogger

    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        # MLflow 3 wants a data base in place of a folder, which needs the packages that mlflow-skinny leaves out.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        address = (run / "mlruns").as_uri()
    logger = MLFlowLogger(experiment_name=run.name, run_name=phase, tracking_uri=address)
    _ = logger.experiment
    return logger
