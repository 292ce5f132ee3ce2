"""SentEval's transfer tasks: which class does a linear classifier on a sentence's vector name?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result

if TYPE_CHECKING:
    from kinema.data.sentences import TransferTask, TransferTasks
    from kinema.evaluation.transfer import TransferFigures
    from kinema.protocols.request import Request
    from kinema.protocols.sentences import Encode, Measured


def measure(request: Request) -> list[Result]:
    """One result for all tasks of a folder.

    Raises:
        DataError: there is no such folder, no task is whole, or a task has too few sentences of a class.
    """
    from kinema.data.sentences import read_transfer
    from kinema.protocols.sentences import encoder_of, record_sentences

    tasks, encode = read_transfer(request.source), encoder_of(request)
    figures = partial(measure_transfer, encode, tasks, request.preset, seed=request.model.seed)
    return [record_sentences(request, TRANSFER.name, figures, tasks)]


TRANSFER: Protocol[Request] = Protocol(
    name="transfer",
    title="Transfer tasks",
    question="which class does a linear classifier on a sentence's vector name?",
    explains="A linear classifier is trained on the vectors of a task’s sentences, which stay as they are; labels are "
    "used for it and for nothing else. Accuracy is the mean over the tasks, each task’s goes by its name.",
    presets={
        "senteval": "the vectors as they are (Conneau and Kiela 2018)",
        "standardised": "each dimension brought to mean 0 and deviation 1",
    },
    metrics={
        "accuracy": Metric("Accuracy, mean of tasks", inline="accuracy"),
        **{task: Metric(task) for task in ("MR", "CR", "SUBJ", "MPQA", "SST2", "TREC")},
    },
    main="accuracy",
    measure=measure,
    judged=True,
    headline=True,
    heading="What can be read from a sentence’s vector?",
    finding="names the right class for {} of the sentences, in the mean of the tasks",
    needs=("labels",),
    modality="text",
    unit="sentences",
    data="SENTEVAL",
)


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
    import numpy as np

    from kinema.evaluation.transfer import TRANSFER_PRESETS, interval_of_mean, transfer_figures
    from kinema.protocols.sentences import Measured, encode_sentences

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
