"""Retrieval across views: does a video in one view find itself in another?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kinema.core.errors import UsageError
from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result

if TYPE_CHECKING:
    from kinema.data import Manifest
    from kinema.protocols.request import Request


def measure(request: Request) -> list[Result]:
    """Two results for each selection of videos, one each way; the view of a result says which way. Needs no labels.

    Raises:
        UsageError: a gallery was selected; what asks is ranked too.
        ShapeError: the two views do not lie in one space.
    """
    if request.gallery is not None:
        raise UsageError(
            "cross-modal ranks the videos that ask, in the other view; it takes no gallery.", "Select with --query."
        )
    from kinema.protocols.parts import split_parts

    parts, _ = split_parts(request.manifest, request.query, None)
    return [result for name, part in parts.items() for result in _measure(request, name, part)]


CROSS_MODAL: Protocol[Request] = Protocol(
    name="cross-modal",
    title="Retrieval across views",
    question="does a video in one view find itself in another?",
    explains="Every video asks in one view and is sought among all videos in the other. R@k is the share that is "
    "among the first k.",
    presets={"projected": "by the heads' projections, cosine, both ways"},
    metrics={"r@": Metric("R@"), "median_rank": Metric("Median rank", share=False)},
    main="r@1",
    measure=measure,
    finding="finds a clip in the other view first for {} of the queries",
    takes=("views",),
    needs=("two views",),
    models="two views",
)


def _measure(request: Request, selection: str, videos: Manifest) -> list[Result]:
    from kinema.evaluation import retrieve_across
    from kinema.protocols.features import WINDOWS
    from kinema.protocols.labels import source_numbers
    from kinema.protocols.record import record

    began = time.monotonic()
    models = list(request.models)
    features = [request.extract(model, videos).projected for model in models]
    both = retrieve_across(*features, sources=source_numbers(videos)[0], seed=request.model.seed)
    results = []
    for model, other, figures in zip(models, models[::-1], both, strict=True):
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
        results.append(
            record(
                request,
                CROSS_MODAL.name,
                request.preset,
                figures.metrics,
                details,
                began=began,
                measured_on=(videos, videos),
                encoder=model.name,
                view=f"{model.view} to {other.view}",
            )
        )
    return results
