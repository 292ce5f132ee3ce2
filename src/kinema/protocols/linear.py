"""The linear probe on the videos of a data set."""

from __future__ import annotations

import time
from typing import Any

from kinema.core.results import Result
from kinema.evaluation import LinearProbe, fit_linear
from kinema.protocols.features import BACKBONE, WINDOWS
from kinema.protocols.labels import class_names, label_numbers, source_numbers
from kinema.protocols.parts import SPLIT_SEED, Sides, trained_and_tested
from kinema.protocols.record import accuracy_details, record
from kinema.protocols.request import Request


def measure_linear(request: Request) -> list[Result]:
    """One result for each selection of test videos, all by one probe, which was fitted before any was looked at.

    Raises:
        DataError: a label is missing, training lacks a class of the test, or there is no test.
    """
    began = time.monotonic()
    sides = trained_and_tested(request.manifest, request.query, request.gallery, "linear")
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
        found = request.extract(request.model, test).encoded
        figures = probe.judge(found, label_numbers(test, names), seed=request.model.seed)
        told = {**about(sides, selection), "labelled": len(sides.training)}
        details = {**told, **fitted(probe), **accuracy_details(figures, names, test)}
        asked = (test, sides.training)
        results.append(record(request, "linear", request.preset, figures.metrics, details, began=began, asked=asked))
    return results


def about(sides: Sides, selection: str) -> dict[str, Any]:
    """What a probe was fitted and tested on."""
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
