"""The protocols by name, as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from kinema.core.records import Result
from kinema.measure.cross_modal import measure_cross_modal
from kinema.measure.few_label import measure_few_label
from kinema.measure.knn import measure_knn
from kinema.measure.linear import measure_linear
from kinema.measure.mining import measure_mining
from kinema.measure.request import Request
from kinema.measure.retrieval import measure_retrieval

MEASURES: Mapping[str, Callable[[Request], list[Result]]] = MappingProxyType(
    {
        "retrieval": measure_retrieval,
        "knn": measure_knn,
        "linear": measure_linear,
        "few-label": measure_few_label,
        "mining": measure_mining,
        "cross-modal": measure_cross_modal,
    }
)
"""What runs each of :data:`kinema.measure.protocols.PROTOCOLS`."""
