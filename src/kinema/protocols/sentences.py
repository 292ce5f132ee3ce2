"""What the protocols of sentences share: the function that embeds sentences, and what a measurement is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ShapeError
from kinema.core.results import Result
from kinema.core.version import source_version
from kinema.protocols.request import Request

Encode = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
"""Sentences to float [N, d], a vector a sentence, in their order."""


class Measured(NamedTuple):
    """Figures, and what stands beside them.

    Attributes:
        metrics: named figures, the main one first.
        details: what the page shows beside them.
        queries: how many pairs or sentences were tested.
    """

    metrics: Mapping[str, float]
    details: Mapping[str, Any]
    queries: int


def encode_sentences(encode: Encode, sentences: Sequence[str]) -> NDArray[np.floating[Any]]:
    """The vector of each sentence, float [N, d]; every different sentence is encoded once.

    Raises:
        ShapeError: ``encode`` did not give one finite vector a sentence.
    """
    rows = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
    vectors = np.asarray(encode([*rows]))
    if vectors.ndim != 2 or len(vectors) != len(rows) or vectors.shape[1] == 0:
        raise ShapeError(f"{len(rows)} sentences were encoded as {vectors.shape}; expected [{len(rows)}, d].")
    bad = int((~np.isfinite(vectors)).any(1).sum())
    if bad:
        raise ShapeError(f"The vectors of {bad} of {len(rows)} sentences are not finite.")
    return vectors[[rows[sentence] for sentence in sentences]]


class Sentences(Protocol):
    """Sentences that were read: pairs, or tasks."""

    @property
    def digest(self) -> str:
        """Sha256 of all that a figure depends on."""
        ...


def encoder_of(request: Request) -> Encode:
    """The function that embeds sentences by the request's model."""
    return lambda sentences: request.model.encode(sentences, device=request.device, progress=request.console)


def record_sentences(request: Request, protocol: str, measure: Callable[[], Measured], sentences: Sentences) -> Result:
    """A result, with all that it was measured on.

    Args:
        request: what is measured.
        protocol: its name.
        measure: gives the figures.
        sentences: what they are measured on; a name of theirs is the result's selection.
    """
    began, model = time.monotonic(), request.model
    metrics, details, queries = measure()
    return Result(
        protocol=protocol,
        preset=request.preset,
        metrics=dict(metrics),
        encoder=model.name,
        view=model.view,
        data=request.data,
        digest=sentences.digest,
        queries=queries,
        gallery=0,
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details={"selection": getattr(sentences, "name", ""), **details},
    )
