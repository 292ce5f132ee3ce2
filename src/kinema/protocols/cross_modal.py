"""Retrieval across two views of a run's videos."""

from __future__ import annotations

import time

from kinema.core.errors import UsageError
from kinema.core.results import Result
from kinema.data import Manifest
from kinema.evaluation import retrieve_across
from kinema.protocols.features import WINDOWS
from kinema.protocols.labels import source_numbers
from kinema.protocols.parts import split_parts
from kinema.protocols.record import record
from kinema.protocols.request import Request


def measure_cross_modal(request: Request) -> list[Result]:
    """Two results for each selection of videos, one each way; the view of a result says which way. Needs no labels.

    Raises:
        UsageError: a gallery was selected; what asks is ranked too.
        ShapeError: the two views do not lie in one space.
    """
    if request.gallery is not None:
        raise UsageError(
            "cross-modal ranks the videos that ask, in the other view; it takes no gallery.", "Select with --query."
        )
    parts, _ = split_parts(request.manifest, request.query, None)
    return [result for name, part in parts.items() for result in _measure(request, name, part)]


def _measure(request: Request, selection: str, videos: Manifest) -> list[Result]:
    began = time.monotonic()
    asks = list(request.models)
    features = [request.extract(model, videos).projected for model in asks]
    both = retrieve_across(*features, sources=source_numbers(videos)[0], seed=request.model.seed)
    results = []
    for model, other, figures in zip(asks, asks[::-1], both, strict=True):
        details = {
            "selection": selection,
            "windows": WINDOWS["coclr"],
            "features": "the heads' projections, mean over windows",
            "asks": model.view,
            "ranked": other.view,
            "interval": list(figures.interval),
            "chance": figures.chance,
            "omitted": [f"r@{k}" for k in figures.omitted],
        }
        told = {"encoder": model.name, "view": f"{model.view} to {other.view}"}
        both_sides = (videos, videos)
        results.append(
            record(
                request,
                "cross-modal",
                request.preset,
                figures.metrics,
                details,
                began=began,
                asked=both_sides,
                **told,
            )
        )
    return results
