"""Nearest-neighbour retrieval: is the nearest video of the same class?"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from kinema.data import Manifest
    from kinema.data.clips.reader import Model
    from kinema.protocols.request import Request

log = logging.getLogger(__name__)

NEIGHBOUR_QUERIES = 12
"""Queries whose nearest videos are kept for the report."""


def measure(request: Request) -> list[Result]:
    """One result for each encoder and selection of queries; a query never finds its own recording.

    Raises:
        DataError: a label is missing.
    """
    from kinema.protocols.labels import check_labels, with_classes
    from kinema.protocols.parts import split_parts

    parts, gallery = split_parts(with_classes(request.manifest), request.query, request.gallery)
    check_labels([*(("query", part) for part in parts.values()), ("gallery", gallery)], RETRIEVAL.name)
    began, models = time.monotonic(), _models(request)
    for part in (*parts.values(), gallery):
        request.extract(models[-1], part)  # side by side, so that each video is decoded once for all of them
    return [_measure(request, model, name, part, gallery, began) for model in models for name, part in parts.items()]


RETRIEVAL: Protocol[Request] = Protocol(
    name="retrieval",
    title="Retrieval",
    question="is the nearest video of the same class?",
    explains="Every query is a video. The encoder ranks the gallery’s videos by how similar it finds them to the "
    "query. R@k is the share of queries with at least one of the same class among the k nearest. "
    "The bar shows R@1, the whisker its 95 % interval (bootstrap over the queries), the dotted line chance.",
    presets={
        "coclr": "windows all along the video, each split's mean subtracted (Han et al. 2020)",
        "vcop": "ten clips of a video, cosine (Xu et al. 2019)",
    },
    metrics={"r@": Metric("R@")},
    main="r@1",
    measure=measure,
    judged=True,
    headline=True,
    heading="Does it find the same class?",
    finding="finds a clip of the same class first for {} of the queries",
    needs=("labels",),
    models="one and two streams",
    joins=True,
)


def _models(request: Request) -> tuple[Model, ...]:
    """The encoders to measure: those side by side only where every video has motion vectors."""
    from kinema.data.clips.config import has_motion

    models: tuple[Model, ...] = request.models
    if len(models) > 1 and not has_motion(request.manifest.usable()):
        log.warning(
            "Not measured: %s. Some of the videos have no motion vectors, for their codecs have none; `kinema scan` "
            "names the codecs.",
            models[1].view,
        )
        return models[:1]
    return models


def _measure(
    request: Request, model: Model, selection: str, query: Manifest, gallery: Manifest, began: float
) -> Result:
    from kinema.evaluation import retrieve
    from kinema.protocols.features import WINDOWS
    from kinema.protocols.labels import class_names, label_numbers, source_numbers
    from kinema.protocols.record import outcomes, record

    names = class_names(query, gallery)
    labels = [label_numbers(part, names) for part in (query, gallery)]
    sources = source_numbers(query, gallery)
    features = [request.extract(model, part).encoded for part in (query, gallery)]
    figures = retrieve(
        *features,
        *labels,
        preset=request.preset,
        query_sources=sources[0],
        gallery_sources=sources[1],
        parts=model.parts,
        seed=model.seed,
    )
    details = {
        "selection": selection,
        "interval": list(figures.interval),
        "chance": figures.chance,
        "windows": WINDOWS[request.preset],
        "omitted": [f"r@{k}" for k in figures.omitted],
        "per_class": {names[c]: value for c, value in figures.per_class.items()},
        "neighbours": _neighbours(query, gallery, features, model.parts, figures.neighbours),
        "layout": _layout(query, features[0], model.parts),
        **outcomes(query, figures.first == 1),
    }
    measured_on = (query, gallery)
    return record(
        request,
        RETRIEVAL.name,
        request.preset,
        figures.metrics,
        details,
        began=began,
        measured_on=measured_on,
        encoder=model.name,
        view=model.view,
    )


def _layout(query: Manifest, features: Tensor, parts: tuple[int, ...]) -> dict[str, Any]:
    """The queries in the plane, for the report to show."""
    from kinema.evaluation.features import directions
    from kinema.evaluation.projection import METHOD, chosen_rows, lay_out

    if len(parts) > 1:
        features = directions(features.double(), centred=True, parts=parts)
    rows = chosen_rows(len(query))
    videos = [query.videos[row] for row in rows]
    return {
        "method": METHOD,
        "places": lay_out(features[rows]).round(4).tolist(),
        "paths": [video.path for video in videos],
        "labels": [video.label for video in videos],
    }


def _neighbours(
    query: Manifest,
    gallery: Manifest,
    features: list[Tensor],
    parts: tuple[int, ...],
    nearest: NDArray[np.int64],
) -> list[dict[str, Any]]:
    """The nearest videos of some queries, evenly spaced over the list and so over the classes."""
    import numpy as np

    from kinema.core.ops import unit_parts

    q, g = (unit_parts(x - x.mean(dim=0), parts) for x in features)
    chosen = np.unique(np.linspace(0, len(query) - 1, NEIGHBOUR_QUERIES).round().astype(int))
    rows = []
    for i in chosen.tolist():
        video = query.videos[i]
        hits = [
            {
                "path": gallery.videos[j].path,
                "label": gallery.videos[j].label,
                "score": float(q[i] @ g[j]),
                "same": gallery.videos[j].label == video.label,
            }
            for j in nearest[i].tolist()
            if j >= 0
        ]
        rows.append({"query": video.path, "label": video.label, "hits": hits})
    return rows
