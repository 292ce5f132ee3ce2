"""SimCSE without labels: a sentence is its own positive, seen twice under two masks of dropout.

Gao, Yao, Chen, "SimCSE: Simple contrastive learning of sentence embeddings", EMNLP 2021, arXiv 2104.08821. Nothing is
augmented: the network's own dropout makes the two views, and the other sentences of the batch are the negatives.

Legend: N sentences, h_i and h'_i their projections under two masks, τ the temperature.

Departures from the authors' code: the embedding is the mean of the tokens' states, as DeCLUTR's, and not that of [CLS],
which the authors use. So the two methods differ in what they learn and not in how they pool. The head is dropped after
training, as the paper does for the form without labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import dropout_from
from kinema.core.spans import SpanBatch, SpanNeeds, Tokens
from kinema.networks.text import TextConfig, TextTower, build_text_tower
from kinema.objectives import in_batch_nce


@dataclass(frozen=True)
class SimCSEConfig:
    """SimCSE's settings.

    Args:
        sentences: how many of each document a batch holds.
        min_length: shorter sentences are drawn only where a document has no longer one, tokens without special ones.
        max_length: what is longer is cut (the paper: 32 with the special tokens).
        temperature: τ, the temperature of the loss: scores are divided by it.
    """

    sentences: int = 1
    min_length: int = 4
    max_length: int = 30
    temperature: float = 0.05

    view: ClassVar[str] = "text"
    trains: ClassVar[tuple[str, ...]] = ("text",)

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"method.temperature is {self.temperature}; it must be above 0.")
        assert self.needs is not None, "needs check what they are made of"

    @property
    def needs(self) -> SpanNeeds:
        """Whole sentences of each document."""
        return SpanNeeds(self.sentences, 0, "sentences", self.min_length, self.max_length)

    def build(self, encoder: TextConfig, context: TrainingContext) -> SimCSE:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return SimCSE(self, encoder)


class SimCSE(Method[SpanBatch]):
    """One tower: an encoder with masked mean pooling, and a head that only training has."""

    config: SimCSEConfig

    def __init__(self, config: SimCSEConfig, encoder: TextConfig) -> None:
        super().__init__(config)
        self.tower = build_text_tower(encoder, "tanh", language=False)

    def towers(self) -> Mapping[str, TextTower]:
        """The one tower, as 'text'."""
        return {"text": self.tower}

    def loss(self, batch: SpanBatch, generator: torch.Generator) -> Losses:
        """-log( e^(h_i·h'_i/τ) / Σ_j e^(h_i·h'_j/τ) ) (eq. 1), the mean over the batch."""
        with dropout_from(generator):
            h, again = self.tower(batch.anchors), self.tower(batch.anchors)
        total = in_batch_nce(h, again, self.config.temperature)
        return Losses(total, terms={"info_nce": total.detach()}, embeddings=h.detach())

    def embed(self, x: Tokens) -> Tensor:  # type: ignore[override]
        """Embeddings of sequences, float [N, dim]: the mean of their tokens' states, not normalised."""
        return self.tower.embed(x)
