"""The linear probe on few labels of a data set."""

from __future__ import annotations

import time

import numpy as np
from torch import Tensor

from kinema.core.ops import bootstrap_of_mean
from kinema.core.results import Result
from kinema.data import Manifest
from kinema.evaluation import DRAWS, Draw, fit_few, over_draws
from kinema.protocols.labels import class_names, label_numbers, source_numbers
from kinema.protocols.linear import about, fitted
from kinema.protocols.parts import SPLIT_SEED, Sides, trained_and_tested
from kinema.protocols.record import outcomes, record
from kinema.protocols.request import Request


def measure_few_label(request: Request) -> list[Result]:
    """One result for each share of the labels and selection of test videos: the mean over the draws.

    Raises:
        ConfigError: a share or the number of draws is out of range.
        DataError: a label is missing, training lacks a class of the test, or there is no test.
    """
    sides = trained_and_tested(request.manifest, request.query, request.gallery, "few-label")
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
            found = request.extract(request.model, test).encoded
            results.append(_judge(request, sides, selection, test, found, names, share, draws, began))
    return results


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
    asked = (test, sides.training)
    preset = share_name(share)
    return record(request, "few-label", preset, metrics, details, began=began, asked=asked, gallery=max(videos))
