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
    measured_on: tuple[Manifest, Manifest],
    digest: str | None = None,
    **changes: Any,
) -> Result:
    """A result.

    Args:
        request: what is measured.
        protocol: by its name.
        preset: as it was measured.
        metrics: named figures.
        details: what the report shows beside them.
        began: the monotonic clock's time at the beginning.
        measured_on: the queries or test videos, and the videos that were ranked or trained on.
        digest: of the data; by default the whole data's.
        **changes: fields of the result that differ from the first model's, for instance ``view``.
    """
    model = request.model
    queries, gallery = measured_on
    fields: dict[str, Any] = {"encoder": model.name, "view": model.view, "gallery": len(gallery)}
    against = chosen_gallery(request.manifest, request.gallery)
    if request.left_out:
        details = {**details, "silent": dict(request.left_out)}
    return Result(
        protocol=protocol,
        preset=preset,
        metrics=dict(metrics),
        data=request.data,
        digest=digest or request.manifest.digest,
        queries=len(queries),
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details={**details, "against": against} if against else details,
        **{**fields, **changes},
    )


def outcomes(queries: Manifest, *right: NDArray[np.bool_]) -> dict[str, Any]:
    """What two encoders are compared by, query by query.

    Args:
        queries: the queries or test videos.
        right: bool [Q] each, in the order of ``queries``: whether the answer was right; several where labels were drawn
            several times.

    Returns:
        'asked', a digest of the queries, and 'right': for each of ``right`` a text of ones and zeros, the queries in
        the order of their paths.
    """
    order = sorted(range(len(queries)), key=lambda row: queries.videos[row].path)
    return {"asked": queries.digest[:16], "right": ["".join("01"[int(each[row])] for row in order) for each in right]}


def accuracy_details(figures: AccuracyFigures, names: Sequence[str], queries: Manifest) -> dict[str, Any]:
    """What stands beside an accuracy's metrics, classes by name."""
    return {
        "interval": list(figures.interval),
        "chance": figures.chance,
        "majority": figures.majority,
        "omitted": list(figures.omitted),
        "per_class": {names[c]: value for c, value in figures.per_class.items()},
        "untested": [names[c] for c in figures.classes.tolist() if c not in figures.per_class],
        "confusion": figures.confused(names),
        **outcomes(queries, figures.right),
    }
