"""The nearest-neighbour classifier on the videos of a data set."""

from __future__ import annotations

import time

from kinema.core.results import Result
from kinema.data import Manifest
from kinema.evaluation import KNN_PRESETS, vote
from kinema.protocols.features import BACKBONE, WINDOWS
from kinema.protocols.labels import check_classes, class_names, label_numbers, source_numbers
from kinema.protocols.parts import gallery_name, split_parts
from kinema.protocols.record import accuracy_details, record
from kinema.protocols.request import Request


def measure_knn(request: Request) -> list[Result]:
    """One result for each selection of test videos; a video's own recording never votes on it.

    Raises:
        DataError: a label is missing, or training lacks a class of the test.
    """
    parts, training = split_parts(request.manifest, request.query, request.gallery)
    check_classes(training, parts.values(), "knn")
    return [_measure(request, name, part, training) for name, part in parts.items()]


def _measure(request: Request, selection: str, test: Manifest, training: Manifest) -> Result:
    began = time.monotonic()
    names = class_names(training, test)
    sources = source_numbers(training, test)
    figures = vote(
        request.extract(request.model, training).encoded,
        label_numbers(training, names),
        request.extract(request.model, test).encoded,
        label_numbers(test, names),
        preset=request.preset,
        train_sources=sources[0],
        test_sources=sources[1],
        names=names,
        seed=request.model.seed,
    )
    details = {
        "selection": selection,
        "trained_on": gallery_name(request.manifest, request.gallery),
        "windows": WINDOWS["coclr"],
        "features": BACKBONE,
        "k": KNN_PRESETS[request.preset].k,
        "temperature": KNN_PRESETS[request.preset].temperature,
        "voters": figures.voters,
        "hopeless": figures.hopeless,
        **accuracy_details(figures.accuracy, names, test),
    }
    metrics = figures.accuracy.metrics
    return record(request, "knn", request.preset, metrics, details, began=began, asked=(test, training))
