"""The protocols by name, as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from kinema.core.errors import UsageError
from kinema.core.results import Result
from kinema.protocols.cross_modal import measure_cross_modal
from kinema.protocols.diagnostics import measure_diagnostics
from kinema.protocols.few_label import measure_few_label
from kinema.protocols.finetune import measure_end_to_end, measure_finetune
from kinema.protocols.knn import measure_knn
from kinema.protocols.linear import measure_linear
from kinema.protocols.mining import measure_mining
from kinema.protocols.request import Request
from kinema.protocols.retrieval import measure_retrieval


def _linear(request: Request) -> list[Result]:
    if request.preset == "end-to-end":
        return measure_end_to_end(request)
    if request.fit is not None or request.shares:
        raise UsageError(
            "linear with the preset 'features' takes neither shares nor settings of a training on clips.",
            "Take few-label for shares of the labels, or the preset 'end-to-end' for a training on clips.",
        )
    return measure_linear(request)


MEASURES: Mapping[str, Callable[[Request], list[Result]]] = MappingProxyType(
    {
        "retrieval": measure_retrieval,
        "knn": measure_knn,
        "linear": _linear,
        "finetune": measure_finetune,
        "few-label": measure_few_label,
        "mining": measure_mining,
        "diagnostics": measure_diagnostics,
        "cross-modal": measure_cross_modal,
    }
)
"""What runs each of :data:`kinema.protocols.table.PROTOCOLS`."""
