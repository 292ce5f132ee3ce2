"""Fine-tuning, and the linear probe end to end: a classifier trained on clips.

    finetune               every layer learns, each stage slower than the one after it
    linear, 'end-to-end'   only the classifier learns, on augmented clips of the frozen encoder

A test video's scores are the mean of the softmax over windows all along it and, in each, over ten crops (the test of
Han et al. 2020).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from kinema.core.errors import UsageError
from kinema.core.protocol import Protocol
from kinema.core.results import Result
from kinema.protocols.few_label import share_name, share_of
from kinema.protocols.metrics import ACCURACY

if TYPE_CHECKING:
    from kinema.protocols.fit import FitConfig, Fitted
    from kinema.protocols.parts import Sides
    from kinema.protocols.request import Request


def measure(request: Request) -> list[Result]:
    """A classifier for each share of the labels, and a result for each selection of test videos.

    Raises:
        DataError: a label is missing, training lacks a class of the test, or there is no test.
        UsageError: the model is of no run, and no folder was named.
    """
    shares = request.shares or tuple(share_of(preset) for preset in request.presets)
    return [result for share in shares for result in _measure(request, FINETUNE.name, share_name(share), share)]


FINETUNE: Protocol[Request] = Protocol(
    name="finetune",
    title="Fine-tuning",
    question="which class does it name once all layers are trained?",
    explains="The encoder and a new classifier are trained together on so many of the labels. Supervised from "
    "scratch is the same training from random weights: the reference at equal labels.",
    presets={
        "100%": "with all labels, the epoch chosen on training recordings",
        "10%": "with a tenth of the labels",
        "1%": "with a hundredth of them, at least one a class",
    },
    metrics=ACCURACY,
    main="accuracy",
    measure=measure,
    judged=True,
    finding="names the right class for {} of the videos",
    takes=("shares", "fit"),
    needs=("labels",),
    from_scratch="Supervised from scratch",
)


def measure_end_to_end(request: Request) -> list[Result]:
    """The linear probe on clips of the frozen encoder; raises like :func:`measure`."""
    results = []
    for share in request.shares or (1.0,):
        preset = "end-to-end" + ("" if share == 1 else f"-{share_name(share)}")
        results += _measure(request, "linear", preset, share, frozen=True)
    return results


def _measure(request: Request, protocol: str, preset: str, share: float, *, frozen: bool = False) -> list[Result]:
    import torch

    from kinema.core.progress import Steps
    from kinema.evaluation import accuracy_of
    from kinema.protocols.features import whole_store
    from kinema.protocols.fit import FitConfig, class_scores, fit_classifier
    from kinema.protocols.labels import check_classes, label_numbers
    from kinema.protocols.parts import trained_and_tested
    from kinema.protocols.record import accuracy_details, record

    sides = trained_and_tested(request.manifest, request.query, request.gallery, protocol)
    check_classes(sides.training, sides.test.values(), protocol)
    model, config = request.model, request.fit or FitConfig()
    stores = {name: whole_store(part, model, request.open_store) for name, part in sides.test.items()}
    began = time.monotonic()
    fitted = fit_classifier(
        model,
        sides.training,
        config,
        _home(request),
        share=share,
        frozen=frozen,
        open_store=request.open_store,
        data=request.data,
        device=request.device,
        console=request.console,
    )
    results = []
    for selection, test in sides.test.items():
        with Steps(f"{protocol} · {selection}", request.console) as progress:
            scores = class_scores(
                fitted.method,
                stores[selection],
                model,
                crops=config.crops,
                device=request.device,
                mirrored=config.transform.flip > 0,
                progress=progress,
            )
        columns = torch.from_numpy(label_numbers(test, fitted.classes))
        figures = accuracy_of(scores, columns, torch.arange(len(fitted.classes)), seed=model.seed)
        details = {**_about(sides, selection, fitted, config), **accuracy_details(figures, fitted.classes, test)}
        measured_on = (test, fitted.parts.fit)
        results.append(
            record(request, protocol, preset, figures.metrics, details, began=began, measured_on=measured_on)
        )
    return results


def _home(request: Request) -> Path:
    """Below which folder the classifiers are trained."""
    if request.out is not None:
        return request.out
    run: Path | None = request.model.run
    if run is None:
        raise UsageError(
            "The model is of no run, so there is no folder in which to train a classifier.", "Name one with out=…."
        )
    return run / "classifiers"


def _about(sides: Sides, selection: str, fitted: Fitted, config: FitConfig) -> dict[str, object]:
    """What the classifier was trained on and how it was tested."""
    from kinema.protocols.features import WINDOWS

    held_out = fitted.parts.held_out
    return {
        "selection": selection,
        "trained_on": sides.trained_on,
        "siblings": sides.siblings(selection),
        "labelled": len(fitted.parts.fit) + (0 if held_out is None else len(held_out)),
        "held_out": 0 if held_out is None else len(held_out),
        "epoch": fitted.epoch,
        "epochs": config.epochs_over(len(fitted.parts.fit)),
        "epoch_chosen": "the last" if held_out is None else "on training videos held out by source",
        "validation_accuracy": fitted.validation,
        "windows": WINDOWS["coclr"],
        "crops": config.crops,
        "fit": config.changes,
        "classifier": fitted.run.path.name,
        "training_seconds": fitted.seconds,
    }
