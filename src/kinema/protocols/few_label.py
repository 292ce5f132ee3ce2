"""The linear probe on few labels: the mean over several draws of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kinema.core.protocol import Protocol
from kinema.core.results import Result
from kinema.protocols.metrics import ACCURACY

if TYPE_CHECKING:
    from torch import Tensor

    from kinema.data import Manifest
    from kinema.evaluation import Draw
    from kinema.protocols.parts import Sides
    from kinema.protocols.request import Request


def measure(request: Request) -> list[Result]:
    """One result for each share of the labels and selection of test videos: the mean over the draws.

    Raises:
        ConfigError: a share or the number of draws is out of range.
        DataError: a label is missing, training lacks a class of the test, or there is no test.
    """
    from kinema.evaluation import DRAWS, fit_few
    from kinema.protocols.labels import class_names, label_numbers, source_numbers
    from kinema.protocols.parts import SPLIT_SEED, trained_and_tested

    sides = trained_and_tested(request.manifest, request.query, request.gallery, FEW_LABEL.name)
    names = class_names(sides.training, *sides.test.values())
    features = request.extract(request.model, sides.training).encoded
    results = []
    for share in request.shares or [share_of(name) for name in request.presets]:
        began = time.monotonic()
        draws = fit_few(
            features,
            label_numbers(sides.training, names),
            source_numbers(sides.training)[0],
            share=share,
            draws=DRAWS if request.draws is None else request.draws,
            seed=SPLIT_SEED,
            names=names,
        )
        for selection, test in sides.test.items():
            features_of_test = request.extract(request.model, test).encoded
            results.append(_judge(request, sides, selection, test, features_of_test, names, share, draws, began))
    return results


FEW_LABEL: Protocol[Request] = Protocol(
    name="few-label",
    title="Linear probe",
    question="the same with few labels: mean over several draws",
    explains="The same linear classifier, trained on few labels: the mean over several draws of them.",
    presets={"1%": "a hundredth of the labels, at least one a class", "10%": "a tenth of the labels"},
    metrics=ACCURACY,
    main="accuracy",
    measure=measure,
    judged=True,
    finding="names the right class for {} of the videos",
    each=True,
    takes=("shares", "draws"),
    needs=("labels",),
    joins=True,
    families={"": "Linear probe on stored features"},
)


def share_name(share: float) -> str:
    """A share of the labels as the preset of its result: 0.01 is '1%'."""
    return f"{100 * share:.6g}%"


def share_of(preset: str) -> float:
    """The share of the labels that a preset names: '1%' is 0.01."""
    return float(preset.removesuffix("%")) / 100


def _judge(
    request: Request,
    sides: Sides,
    selection: str,
    test: Manifest,
    features: Tensor,
    names: list[str],
    share: float,
    draws: tuple[Draw, ...],
    began: float,
) -> Result:
    import numpy as np

    from kinema.core.ops import bootstrap_of_mean
    from kinema.evaluation import over_draws
    from kinema.protocols.labels import label_numbers
    from kinema.protocols.linear import about, fitted
    from kinema.protocols.record import outcomes, record

    labels = label_numbers(test, names)
    figures = [draw.probe.judge(features, labels, seed=request.model.seed) for draw in draws]
    metrics, spread = over_draws(figures)
    videos = [len(draw.rows) for draw in draws]
    each = [
        {"videos": used, "metrics": dict(judged.metrics), "interval": list(judged.interval), **fitted(draw.probe)}
        for used, draw, judged in zip(videos, draws, figures, strict=True)
    ]
    share_right = np.mean([judged.right for judged in figures], axis=0)
    per_class = [{names[c]: value for c, value in judged.per_class.items()} for judged in figures]
    details = {
        **about(sides, selection),
        "share": share,
        "labelled": max(videos),
        "of": len(sides.training),
        "deviation": spread,
        "interval": list(bootstrap_of_mean(share_right, request.model.seed)),
        "chance": figures[0].chance,
        "majority": figures[0].majority,
        "omitted": list(figures[0].omitted),
        "per_class": {name: sum(one[name] for one in per_class) / len(per_class) for name in per_class[0]},
        "draws": each,
        **outcomes(test, *(judged.right for judged in figures)),
    }
    measured_on = (test, sides.training)
    preset = share_name(share)
    return record(
        request, FEW_LABEL.name, preset, metrics, details, began=began, measured_on=measured_on, gallery=max(videos)
    )
