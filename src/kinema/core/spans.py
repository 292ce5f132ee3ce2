"""The records of text: token ids with their mask, the spans of a batch of documents, and what a method needs of them.

Axes: B documents of a batch, A anchors of a document, P positives of an anchor, L tokens of the longest sequence.
Sequences are ordered by document, then by anchor, then by positive: row (b A + a) P + p is positive p of anchor a of
document b.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError

IGNORED = -100
"""The target of a token that the masked language model does not predict."""

Cut = Literal["spans", "sentences"]
Sampling = Literal["any", "subsuming", "adjacent"]


@dataclass(frozen=True)
class Tokens:
    """Sequences of tokens, padded on the right.

    Args:
        ids: int64 [N, L].
        mask: bool [N, L], True where there is a token and not padding.
    """

    ids: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.ids.dim() != 2 or self.ids.dtype != torch.int64:
            raise ShapeError(f"Tokens.ids is {self.ids.dtype} {tuple(self.ids.shape)}; expected int64 [N, L].")
        if self.mask.shape != self.ids.shape or self.mask.dtype != torch.bool:
            raise ShapeError(
                f"Tokens.mask is {self.mask.dtype} {tuple(self.mask.shape)}; expected bool {tuple(self.ids.shape)}."
            )

    def __len__(self) -> int:
        return self.ids.shape[0]

    def to(self, device: torch.device | str) -> Tokens:
        """The same sequences on another device."""
        return Tokens(self.ids.to(device, non_blocking=True), self.mask.to(device, non_blocking=True))

    def pin_memory(self) -> Tokens:
        """The same sequences in page-locked memory."""
        return Tokens(self.ids.pin_memory(), self.mask.pin_memory())


@dataclass(frozen=True)
class MaskedTokens:
    """Sequences of which some tokens are to be predicted (masked language modelling, Devlin et al. 2019).

    Args:
        tokens: the sequences as the network sees them: 80 % of the target tokens masked, 10 % replaced, 10 % unchanged.
        targets: int64 [N, L], the true id of each target token, :data:`IGNORED` elsewhere.
    """

    tokens: Tokens
    targets: Tensor

    def __post_init__(self) -> None:
        if self.targets.shape != self.tokens.ids.shape or self.targets.dtype != torch.int64:
            raise ShapeError(
                f"MaskedTokens.targets is {self.targets.dtype} {tuple(self.targets.shape)}; expected int64 "
                f"{tuple(self.tokens.ids.shape)}."
            )


@dataclass(frozen=True)
class SpanNeeds:
    """What a method needs of each document.

    Args:
        anchors: A, anchors of a document.
        positives: P, positives of an anchor; 0 for none.
        cut: 'spans' of Beta-distributed length (DeCLUTR), or whole 'sentences', of which each anchor is one.
        min_length: shortest span, in tokens of the tokenizer without special ones.
        max_length: longest span or sentence; what is longer is cut.
        sampling: where positives lie: 'any' overlapping, adjacent or within; 'subsuming' within the anchor only;
            'adjacent' beside it only.
        masked: share of the anchors' tokens that a masked language model predicts; 0 for none.
        labels: whether the batch must hold labels.
    """

    anchors: int = 1
    positives: int = 0
    cut: Cut = "spans"
    min_length: int = 32
    max_length: int = 512
    sampling: Sampling = "any"
    masked: float = 0.0
    labels: bool = False

    def __post_init__(self) -> None:
        if self.anchors < 1 or self.positives < 0:
            raise ConfigError(f"anchors is {self.anchors} and positives {self.positives}; at least 1 and 0 are needed.")
        for name, known in (("cut", get_args(Cut)), ("sampling", get_args(Sampling))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is '{getattr(self, name)}'.", f"Choose one of: {', '.join(known)}.")
        if not 1 <= self.min_length <= self.max_length:
            raise ConfigError(
                f"min_length is {self.min_length} and max_length {self.max_length}.",
                "Spans need 1 <= min_length <= max_length.",
            )
        if not 0 <= self.masked < 1:
            raise ConfigError(f"masked is {self.masked}; it is a share of the tokens, at least 0 and below 1.")

    def also(self, disturbances: Iterable[object]) -> SpanNeeds:
        """The same: nothing is done to spans beside what the needs say.

        Raises:
            ConfigError: something is to be done.
        """
        if any(True for _ in disturbances):
            raise ConfigError("Disturbances are of clips, and the data are documents.", "Leave them out.")
        return self


@dataclass(frozen=True)
class RawSpans:
    """Spans of a batch of documents as a loader yields them, before anything is masked.

    Args:
        anchors: B A sequences with their special tokens.
        positives: B A P sequences, or None where the needs name none.
        special: bool [B A, L], where an anchor's token is special and must not be masked.
        index: int64 [B], rows of the table.
        source: int64 [B], equal numbers are siblings.
        label: int64 [B], the class, or -1 where it is not known.
    """

    anchors: Tokens
    positives: Tokens | None
    special: Tensor
    index: Tensor
    source: Tensor
    label: Tensor

    def __post_init__(self) -> None:
        if not len(self.index) or len(self.anchors) % len(self.index):
            raise ShapeError(f"RawSpans holds {len(self.anchors)} anchors of {len(self.index)} documents.")
        if self.positives is not None and len(self.positives) % len(self.anchors):
            raise ShapeError(f"RawSpans holds {len(self.positives)} positives of {len(self.anchors)} anchors.")
        if self.special.shape != self.anchors.ids.shape:
            raise ShapeError(f"RawSpans.special is {tuple(self.special.shape)}; expected that of the anchors.")

    def __len__(self) -> int:
        return self.index.shape[0]

    def first(self, number: int) -> RawSpans:
        """The spans of the first documents."""
        return self.part(slice(0, number))

    def part(self, rows: slice) -> RawSpans:
        """The spans of the documents from ``rows.start`` up to ``rows.stop``, padded as they are."""

        def cut(x: Tensor) -> Tensor:
            each = len(x) // len(self)
            return x[rows.start * each : rows.stop * each]

        anchors = Tokens(cut(self.anchors.ids), cut(self.anchors.mask))
        positives = None if self.positives is None else Tokens(cut(self.positives.ids), cut(self.positives.mask))
        own = {name: getattr(self, name)[rows] for name in ("index", "source", "label")}
        return replace(self, anchors=anchors, positives=positives, special=cut(self.special), **own)

    def to(self, device: torch.device | str) -> RawSpans:
        """The same spans on another device."""
        positives = None if self.positives is None else self.positives.to(device)
        moved = {name: getattr(self, name).to(device) for name in ("special", "index", "source", "label")}
        return replace(self, anchors=self.anchors.to(device), positives=positives, **moved)

    def pin_memory(self) -> RawSpans:
        """The same spans in page-locked memory, for faster copies to a GPU."""
        positives = None if self.positives is None else self.positives.pin_memory()
        moved = {name: getattr(self, name).pin_memory() for name in ("special", "index", "source", "label")}
        return replace(self, anchors=self.anchors.pin_memory(), positives=positives, **moved)


@dataclass(frozen=True)
class SpanBatch:
    """What a method of text sees.

    Args:
        anchors: B A sequences.
        positives: B A P sequences, or None.
        masked: the anchors with tokens to be predicted, or None.
        index: int64 [B], rows of the table.
        source: int64 [B], equal numbers are siblings.
        label: int64 [B], only where the method needs labels.
    """

    anchors: Tokens
    positives: Tokens | None
    masked: MaskedTokens | None
    index: Tensor
    source: Tensor
    label: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.index) or len(self.anchors) % len(self.index):
            raise ShapeError(f"SpanBatch holds {len(self.anchors)} anchors of {len(self.index)} documents.")
        if self.positives is not None and len(self.positives) % len(self.anchors):
            raise ShapeError(f"SpanBatch holds {len(self.positives)} positives of {len(self.anchors)} anchors.")
        if self.masked is not None and self.masked.targets.shape != self.anchors.ids.shape:
            raise ShapeError(
                f"SpanBatch.masked is {tuple(self.masked.targets.shape)}; expected that of the anchors, "
                f"{tuple(self.anchors.ids.shape)}."
            )

    def __len__(self) -> int:
        return self.index.shape[0]

    def positives_beside(self) -> Tokens:
        """The positives, B A P sequences.

        Raises:
            ShapeError: the batch holds none.
        """
        if self.positives is None:
            raise ShapeError(
                "The method asks for 'positives' beside each anchor, and the batch holds none.",
                "Build the batch with as many as the method's needs.positives says.",
            )
        return self.positives

    def masked_anchors(self) -> MaskedTokens:
        """The anchors with tokens to be predicted.

        Raises:
            ShapeError: the batch holds none.
        """
        if self.masked is None:
            raise ShapeError(
                "The method asks for 'masked' anchors, and the batch holds none.",
                "Build the batch with the share of masked tokens that the method's needs.masked says.",
            )
        return self.masked


def joined(batches: Iterable[Tokens], padding: int = 0) -> Tokens:
    """Several groups of sequences under one another, padded to the longest."""
    groups = list(batches)
    longest = max(group.ids.shape[1] for group in groups)
    ids = [torch.nn.functional.pad(g.ids, (0, longest - g.ids.shape[1]), value=padding) for g in groups]
    masks = [torch.nn.functional.pad(g.mask, (0, longest - g.mask.shape[1])) for g in groups]
    return Tokens(torch.cat(ids), torch.cat(masks))
