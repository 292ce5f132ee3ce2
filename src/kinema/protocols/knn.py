"""The nearest-neighbour classifier: which class do the nearest training videos vote for?"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kinema.core.protocol import Protocol
from kinema.core.results import Result
from kinema.protocols.metrics import ACCURACY

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from kinema.data import Manifest
    from kinema.protocols.request import Request


def measure(request: Request) -> list[Result]:
    """One result for each selection of test videos; a video's own recording never votes on it.

    Raises:
        DataError: a label is missing, or training lacks a class of the test.
    """
    from kinema.protocols.labels import check_classes, with_classes
    from kinema.protocols.parts import split_parts

    parts, training = split_parts(with_classes(request.manifest), request.query, request.gallery)
    check_classes(training, parts.values(), KNN.name)
    return [_measure(request, name, part, training) for name, part in parts.items()]


KNN: Protocol[Request] = Protocol(
    name="knn",
    title="Nearest-neighbour classifier",
    question="which class do the nearest training videos vote for?",
    explains="The nearest training videos vote for a test video’s class. Accuracy is the share of test videos whose "
    "class wins.",
    presets={
        "k20-t0.07": "20 neighbours, weights exp(cosine / 0.07)",
        "k200-t0.07": "200 neighbours (Wu et al. 2018)",
    },
    metrics=ACCURACY,
    main="accuracy",
    measure=measure,
    judged=True,
    finding="names the right class for {} of the videos",
    needs=("labels",),
    joins=True,
)


def _measure(request: Request, selection: str, test: Manifest, training: Manifest) -> Result:
    from kinema.evaluation import KNN_PRESETS, vote
    from kinema.protocols.features import BACKBONE, WINDOWS
    from kinema.protocols.labels import class_names, label_numbers, source_numbers
    from kinema.protocols.parts import gallery_name
    from kinema.protocols.record import accuracy_details, record

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
        parts=request.model.parts,
        seed=request.model.seed,
    )
    asked = KNN_PRESETS[request.preset].k
    if figures.k < asked:
        log.warning(
            "k is %d in place of %d: of the training videos only %d may vote on some query, and a vote of all would "
            "count classes instead of asking who is near.",
            *(figures.k, asked, figures.candidates),
        )
    details = {
        "selection": selection,
        "trained_on": gallery_name(request.manifest, request.gallery),
        "windows": WINDOWS["coclr"],
        "features": BACKBONE,
        "k": figures.k,
        "candidates": figures.candidates,
        "temperature": KNN_PRESETS[request.preset].temperature,
        "voters": figures.voters,
        "hopeless": figures.hopeless,
        **accuracy_details(figures.accuracy, names, test),
    }
    metrics = figures.accuracy.metrics
    return record(request, KNN.name, request.preset, metrics, details, began=began, measured_on=(test, training))
