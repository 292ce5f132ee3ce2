"""The linear probe: which class does a linear classifier on the features name?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kinema.core.errors import UsageError
from kinema.core.protocol import Protocol
from kinema.core.results import Result
from kinema.protocols.metrics import ACCURACY

if TYPE_CHECKING:
    from kinema.evaluation import LinearProbe
    from kinema.protocols.parts import Sides
    from kinema.protocols.request import Request

END_TO_END = "end-to-end"
"""The preset that trains the classifier on augmented clips."""


def measure(request: Request) -> list[Result]:
    """One result for each selection of test videos, on stored features or on clips of the frozen encoder.

    Raises:
        DataError: a label is missing, training lacks a class of the test, or there is no test.
        UsageError: options of the training on clips were given for stored features.
    """
    if request.preset == END_TO_END:
        if len(request.model.parts) > 1:
            raise UsageError(
                f"linear with the preset '{END_TO_END}' takes one encoder, and '{request.model.view}' are several.",
                f"Name one view, --view {request.model.views[0]}, or take the preset 'features'.",
            )
        from kinema.protocols.finetune import measure_end_to_end

        return measure_end_to_end(request)
    if request.fit is not None or request.shares:
        raise UsageError(
            "linear with the preset 'features' takes neither shares nor settings of a training on clips.",
            "Take few-label for shares of the labels, or the preset 'end-to-end' for a training on clips.",
        )
    return _measure_features(request)


LINEAR: Protocol[Request] = Protocol(
    name="linear",
    title="Linear probe",
    question="which class does logistic regression on the features name?",
    explains="A linear classifier is trained on the encoder’s features, which stay as they are; labels are used for "
    "it and for nothing else. Accuracy is the share of test videos whose class it names.",
    presets={
        "features": "on stored features, the penalty chosen on training recordings",
        END_TO_END: "on augmented clips of the frozen encoder, the epoch chosen on training recordings",
    },
    metrics=ACCURACY,
    main="accuracy",
    measure=measure,
    judged=True,
    finding="names the right class for {} of the videos",
    takes=("shares", "fit"),
    needs=("labels",),
    joins=True,
    families={"features": "Linear probe on stored features", "": "Linear probe, end to end"},
)


def _measure_features(request: Request) -> list[Result]:
    """All test videos by one probe, which was fitted before any was looked at."""
    from kinema.evaluation import fit_linear
    from kinema.protocols.labels import class_names, label_numbers, source_numbers
    from kinema.protocols.parts import SPLIT_SEED, trained_and_tested
    from kinema.protocols.record import accuracy_details, record

    began = time.monotonic()
    sides = trained_and_tested(request.manifest, request.query, request.gallery, LINEAR.name)
    names = class_names(sides.training, *sides.test.values())
    probe = fit_linear(
        request.extract(request.model, sides.training).encoded,
        label_numbers(sides.training, names),
        source_numbers(sides.training)[0],
        seed=SPLIT_SEED,
        names=names,
    )
    results = []
    for selection, test in sides.test.items():
        features = request.extract(request.model, test).encoded
        figures = probe.judge(features, label_numbers(test, names), seed=request.model.seed)
        details = {**about(sides, selection), "labelled": len(sides.training)}
        details |= {**fitted(probe), **accuracy_details(figures, names, test)}
        measured_on = (test, sides.training)
        results.append(
            record(request, LINEAR.name, request.preset, figures.metrics, details, began=began, measured_on=measured_on)
        )
    return results


def about(sides: Sides, selection: str) -> dict[str, Any]:
    """What a probe was fitted and tested on."""
    from kinema.protocols.features import BACKBONE, WINDOWS
    from kinema.protocols.parts import SPLIT_SEED

    return {
        "selection": selection,
        "trained_on": sides.trained_on,
        "windows": WINDOWS["coclr"],
        "features": BACKBONE,
        "split_seed": SPLIT_SEED,
        "siblings": sides.siblings(selection),
    }


def fitted(probe: LinearProbe) -> dict[str, Any]:
    """What a fit came to: the penalty and how it was chosen, and whether it converged."""
    return {
        "penalty": probe.penalty,
        "penalty_chosen": f"on {probe.held_out} training videos held out by source" if probe.grid else "default",
        "grid": {f"{penalty:g}": value for penalty, value in probe.grid.items()},
        "converged": probe.converged,
        "gradient": probe.gradient,
    }
