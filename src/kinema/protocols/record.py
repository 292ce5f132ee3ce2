"""Figures with all that they were measured on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.results import Result
from kinema.core.version import source_version
from kinema.data import Manifest
from kinema.evaluation import AccuracyFigures
from kinema.protocols.parts import chosen_gallery
from kinema.protocols.request import Request


def record(
    request: Request,
    protocol: str,
    preset: str,
    metrics: Mapping[str, float],
    details: Mapping[str, Any],
    *,
    began: float,
    asked: tuple[Manifest, Manifest],
    digest: str | None = None,
    **changes: Any,
) -> Result:
    """A result.

    Args:
        request: what was asked for.
        protocol: by its name.
        preset: as it was measured.
        metrics: named figures.
        details: what the page shows beside them.
        began: the monotonic clock's time when it began.
        asked: the videos that asked, and those that were ranked or trained on.
        digest: of the data; by default the whole data's.
        **changes: fields of the result that differ from the first model's, for instance ``view``.
    """
    model = request.model
    told: dict[str, Any] = {"encoder": model.name, "view": model.view, "gallery": len(asked[1])}
    against = chosen_gallery(request.manifest, request.gallery)
    return Result(
        protocol=protocol,
        preset=preset,
        metrics=dict(metrics),
        data=request.data,
        digest=digest or request.manifest.digest,
        queries=len(asked[0]),
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details={**details, "against": against} if against else details,
        **{**told, **changes},
    )


def outcomes(asked: Manifest, *right: NDArray[np.bool_]) -> dict[str, Any]:
    """What two encoders are compared by, query by query.

    Args:
        asked: the videos that asked.
        right: bool [Q] each, in the order of ``asked``: whether the answer was right; several where labels were drawn
            several times.

    Returns:
        'asked', a digest of the queries, and 'right': for each of ``right`` a text of ones and zeros, the queries in
        the order of their paths.
    """
    order = sorted(range(len(asked)), key=lambda row: asked.videos[row].path)
    return {"asked": asked.digest[:16], "right": ["".join("01"[int(each[row])] for row in order) for each in right]}


def accuracy_details(figures: AccuracyFigures, names: Sequence[str], asked: Manifest) -> dict[str, Any]:
    """What is told of an accuracy on the videos that asked beside the metrics, classes by name."""
    return {
        "interval": list(figures.interval),
        "chance": figures.chance,
        "majority": figures.majority,
        "omitted": list(figures.omitted),
        "per_class": {names[c]: value for c, value in figures.per_class.items()},
        "untested": [names[c] for c in figures.classes.tolist() if c not in figures.per_class],
        "confusion": figures.confused(names),
        **outcomes(asked, figures.right),
    }
