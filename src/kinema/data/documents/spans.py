"""The spans of a document: anchors and the positives around them (DeCLUTR, Giorgi, Nitski, Wang and Bader, ACL 2021).

Lengths are in tokens. Of a document of N tokens, with A anchors of at most l_max tokens, N at least 2 A l_max:

- An anchor's length is int(Beta(4, 2) (l_max - l_min) + l_min), so rather long. It lies in one of the slots of l_max
  tokens {0, l_max, 2 l_max, ...}, anywhere in it; a slot that was drawn is taken out with its two neighbours among
  those that are left. Where few are left (their number over that of the anchors to come, rounded down, is below the
  latter) only the first or the last is drawn, so that no anchor goes without.
- A positive's length is int(Beta(2, 4) (l_max - l_min) + l_min), so rather short. It begins anywhere from its length
  before the anchor to the anchor's end, so that it overlaps the anchor, touches it or lies within it.

Departures from the authors' code: a document with less room is not refused, both lengths are scaled to its own, in
proportion, and the caller is told; an 'adjacent' positive may begin with the document; where the longer of the two
sides of an anchor is shorter than l_min, an 'adjacent' positive fills it. In a document of fewer than 2 A tokens,
anchors may share a slot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinema.core.spans import SpanNeeds

Span = tuple[int, int]
"""First token, and the one behind the last."""


@dataclass(frozen=True)
class DocumentSpans:
    """Where the spans of one document lie.

    Args:
        anchors: A spans.
        positives: A P spans; positive p of anchor a is number a P + p.
    """

    anchors: tuple[Span, ...]
    positives: tuple[Span, ...]


def span_lengths(tokens: int, needs: SpanNeeds) -> tuple[int, int]:
    """The shortest and the longest span of a document; smaller than the needs' where it is too short for those.

    Args:
        tokens: N, of the document; at least 1.
        needs: A and the lengths.
    """
    room = tokens // (2 * needs.anchors)
    if room >= needs.max_length:
        return needs.min_length, needs.max_length
    longest = max(1, room)
    return max(1, needs.min_length * longest // needs.max_length), longest


def is_scaled(tokens: int, needs: SpanNeeds) -> bool:
    """Whether a document is too short for spans as long as the needs say."""
    return tokens < 2 * needs.anchors * needs.max_length


def draw_spans(tokens: int, needs: SpanNeeds, generator: np.random.Generator) -> DocumentSpans:
    """Anchors and positives of one document.

    Args:
        tokens: N, of the document; at least 1.
        needs: how many, how long, and where positives lie.
        generator: draws; equal states give equal spans.
    """
    shortest, longest = span_lengths(tokens, needs)
    slots = list(range(0, tokens - longest + 1, longest))
    anchors, positives = [], []
    for to_come in range(needs.anchors, 0, -1):
        slots = slots or list(range(0, tokens - longest + 1, longest))
        anchor = _draw_anchor(slots, to_come, shortest, longest, generator)
        anchors.append(anchor)
        positives += [
            _draw_positive(anchor, tokens, shortest, longest, needs.sampling, generator) for _ in range(needs.positives)
        ]
    return DocumentSpans(tuple(anchors), tuple(positives))


def draw_sentences(lengths: NDArray[np.integer], needs: SpanNeeds, generator: np.random.Generator) -> tuple[int, ...]:
    """Which sentences of a document are its anchors.

    They are different ones as long as there are enough, and none is shorter than the needs' shortest span as long as
    one is not; where all are, any will do.

    Args:
        lengths: int [S], tokens of each sentence; at least one sentence.
        needs: A and the shortest length.
        generator: draws; equal states give equal sentences.
    """
    long_enough = np.flatnonzero(lengths >= needs.min_length)
    choice = long_enough if len(long_enough) else np.arange(len(lengths))
    drawn = generator.permutation(choice)
    return tuple(int(drawn[number % len(drawn)]) for number in range(needs.anchors))


def _draw_anchor(slots: list[int], to_come: int, shortest: int, longest: int, generator: np.random.Generator) -> Span:
    """One anchor; its slot and the neighbours of that are taken out of ``slots``."""
    length = _draw_length(4, 2, shortest, longest, generator)
    if len(slots) // to_come < to_come:
        place = (0, len(slots) - 1)[generator.integers(2)]
    else:
        place = int(generator.integers(len(slots)))
    begin = int(generator.integers(slots[place], slots[place] + longest - length, endpoint=True))
    del slots[max(0, place - 1) : place + 2]
    return begin, begin + length


def _draw_positive(
    anchor: Span, tokens: int, shortest: int, longest: int, sampling: str, generator: np.random.Generator
) -> Span:
    first, end = anchor
    if sampling == "subsuming":
        length = _draw_length(2, 4, shortest, end - first, generator)
        begin = int(generator.integers(first, end - length, endpoint=True))
    elif sampling == "adjacent":
        side = min(longest, max(first, tokens - end))
        if not side:
            return anchor  # of one token, and there is no other
        length = _draw_length(2, 4, min(shortest, side), side, generator)
        begins = [start for start in (first - length, end) if start >= 0 and start + length <= tokens]
        begin = begins[generator.integers(len(begins))]
    else:
        length = _draw_length(2, 4, shortest, longest, generator)
        begin = int(generator.integers(max(0, first - length), min(end, tokens - length), endpoint=True))
    return begin, begin + length


def _draw_length(a: float, b: float, shortest: int, longest: int, generator: np.random.Generator) -> int:
    return int(generator.beta(a, b) * (longest - shortest) + shortest)
