"""Nearest-neighbour retrieval of whole videos of a data set."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.results import Result
from kinema.data import Manifest
from kinema.evaluation import retrieve
from kinema.evaluation.projection import METHOD as LAYOUT
from kinema.evaluation.projection import chosen_rows, lay_out
from kinema.protocols.features import WINDOWS
from kinema.protocols.labels import check_labels, class_names, label_numbers, source_numbers
from kinema.protocols.parts import split_parts
from kinema.protocols.record import outcomes, record
from kinema.protocols.request import Request

NEIGHBOUR_QUERIES = 12


def measure_retrieval(request: Request) -> list[Result]:
    """One result for each selection of queries; a query never finds its own recording.

    Raises:
        DataError: a label is missing.
    """
    parts, gallery = split_parts(request.manifest, request.query, request.gallery)
    check_labels([*(("query", part) for part in parts.values()), ("gallery", gallery)], "retrieval")
    return [_measure(request, name, part, gallery) for name, part in parts.items()]


def _measure(request: Request, selection: str, query: Manifest, gallery: Manifest) -> Result:
    began = time.monotonic()
    names = class_names(query, gallery)
    labels = [label_numbers(part, names) for part in (query, gallery)]
    sources = source_numbers(query, gallery)
    features = [request.extract(request.model, part).encoded for part in (query, gallery)]
    figures = retrieve(
        *features,
        *labels,
        preset=request.preset,
        query_sources=sources[0],
        gallery_sources=sources[1],
        seed=request.model.seed,
    )
    details = {
        "selection": selection,
        "interval": list(figures.interval),
        "chance": figures.chance,
        "windows": WINDOWS[request.preset],
        "omitted": [f"r@{k}" for k in figures.omitted],
        "per_class": {names[c]: value for c, value in figures.per_class.items()},
        "neighbours": _neighbours(query, gallery, features, figures.neighbours),
        "layout": _layout(query, features[0]),
        **outcomes(query, figures.first == 1),
    }
    return record(request, "retrieval", request.preset, figures.metrics, details, began=began, asked=(query, gallery))


def _layout(query: Manifest, features: Tensor) -> dict[str, Any]:
    """The queries in the plane, for a page to show."""
    rows = chosen_rows(len(query))
    videos = [query.videos[row] for row in rows]
    return {
        "method": LAYOUT,
        "places": lay_out(features[rows]).round(4).tolist(),
        "paths": [video.path for video in videos],
        "labels": [video.label for video in videos],
    }


def _neighbours(
    query: Manifest, gallery: Manifest, features: list[Tensor], nearest: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """The nearest videos of some queries, evenly spaced over the list and so over the classes."""
    q, g = (torch.nn.functional.normalize(x - x.mean(dim=0), dim=1) for x in features)
    chosen = np.unique(np.linspace(0, len(query) - 1, NEIGHBOUR_QUERIES).round().astype(int))
    rows = []
    for i in chosen.tolist():
        asked = query.videos[i]
        hits = [
            {
                "path": gallery.videos[j].path,
                "label": gallery.videos[j].label,
                "score": float(q[i] @ g[j]),
                "same": gallery.videos[j].label == asked.label,
            }
            for j in nearest[i].tolist()
            if j >= 0
        ]
        rows.append({"query": asked.path, "label": asked.label, "hits": hits})
    return rows
