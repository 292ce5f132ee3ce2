"""SentEval's transfer tasks of a model: a linear classifier on its vectors, which stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kinema.data.sentences import TransferTask, TransferTasks
from kinema.evaluation.transfer import TRANSFER_PRESETS, TransferFigures, interval_of_mean, transfer_figures
from kinema.protocols.sentences import Encode, Measured, encode_sentences


def measure_transfer(
    encode: Encode,
    tasks: TransferTasks,
    preset: str = "senteval",
    *,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Measured:
    """Accuracy of each task and the mean over tasks.

    Args:
        encode: sentences to float [N, d].
        tasks: of one folder.
        preset: 'senteval' or 'standardised'.
        seed: of the bootstrap; folds and fits do not depend on it.
        progress: called with a task's name before it begins.

    Returns:
        Metrics 'accuracy', the unweighted mean over tasks, and the accuracy of each task by its name; details with
        intervals, folds, the chosen penalties, chance and majority by task, and the tasks that are missing.

    Raises:
        ConfigError: an unknown preset.
        DataError: a task with too few sentences of a class.
        ShapeError: ``encode`` did not give one finite vector a sentence.
    """
    found: dict[str, TransferFigures] = {}
    dimensions = 0
    for task in tasks.tasks:
        if progress is not None:
            progress(task.name)
        vectors = encode_sentences(encode, task.sentences)
        found[task.name] = transfer_figures(vectors, task.labels, task.parts, preset=preset, seed=seed)
        dimensions = vectors.shape[1]
    accuracies = {name: figures.accuracy for name, figures in found.items()}
    details = {
        "interval": list(interval_of_mean([*found.values()], seed)),
        "per_task": {task.name: _details(task, found[task.name]) for task in tasks.tasks},
        "missing": dict(tasks.missing),
        "grid": list(TRANSFER_PRESETS[preset].grid),
        "dimensions": dimensions,
    }
    tested = sum(len(figures.right) for figures in found.values())
    return Measured({"accuracy": float(np.mean([*accuracies.values()])), **accuracies}, details, tested)


def _details(task: TransferTask, figures: TransferFigures) -> dict[str, Any]:
    parts = task.parts or ()
    return {
        "tested": len(figures.right),
        "asked": ", ".join(part for part in ("train", "dev", "test") if part in parts) or f"{len(figures.folds)} folds",
        "interval": list(figures.interval),
        "folds": list(figures.folds),
        "penalties": list(figures.penalties),
        "chance": figures.chance,
        "majority": figures.majority,
        "unconverged": figures.unconverged,
        "classes": list(task.classes),
        "blank_lines": task.skipped,
    }
