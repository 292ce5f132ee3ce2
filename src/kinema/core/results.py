"""The record of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Result:
    """The outcome of one protocol: figures never travel without what they were measured on.

    Args:
        protocol: 'retrieval', 'knn', 'linear', 'few-label', 'mining', 'cross-modal'.
        preset: the named settings of the protocol, for instance 'coclr', 'k20-t0.07' or '10%'.
        metrics: named figures, fractions of 1, but for ranks ('median_rank').
        encoder: what was measured: 'random', 'infonce', 'coclr', 'cpr', or a method's name.
        view: the view that the encoder sees; of two that are compared, 'rgb to motion' where the first is the query.
        data: the data set as the user named it, with the selection of queries and gallery.
        digest: the manifest's digest.
        queries: how many queries there were.
        gallery: how many items they were ranked against, or trained on.
        seed: the run's seed.
        commit: the version of kinema's source, or its release where there is no repository.
        seconds: how long it took.
        details: what the page shows beside the figures (per-class figures, neighbours, settings).
    """

    protocol: str
    preset: str
    metrics: Mapping[str, float]
    encoder: str
    view: str
    data: str
    digest: str
    queries: int
    gallery: int
    seed: int
    commit: str
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
