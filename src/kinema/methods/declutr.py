"""DeCLUTR: spans of one document are positives of one another; a masked language model learns beside them.

Giorgi, Nitski, Wang, Bader, "DeCLUTR: Deep contrastive learning for unsupervised textual representations", ACL 2021,
arXiv 2006.03659. Of each document A anchor spans are drawn, and of each anchor P spans that overlap it, lie beside it
or within it. The mean of the P embeddings is the anchor's positive; everything else of the batch, the other anchors of
the same document included, is a negative.

Legend, in the paper's symbols: N documents of a batch, A anchors, P positives, M = N A, d dimensions; e_i the embedding
of anchor i (the mean of its tokens' states, no head), e_{i+AN} the mean of its positives'; L = L_contrastive + L_MLM.

As in the authors' code the anchors that the encoder sees are the masked ones: one pass serves both losses.

Departures from the authors' code:
- Documents shorter than 2 A ℓ_max tokens have shorter spans, in proportion (``kinema.data.documents.spans``); theirs
  raises an error. Their number is reported.
- The mean of NT-Xent is over this rank's anchors and positives with candidates gathered from all ranks, so gradients
  are those of one process with the whole batch: their ``scale_fix``, which the published models were trained without.
- A batch is topped up from the epoch's beginning, not dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import dropout_from
from kinema.core.spans import SpanBatch, SpanNeeds, Tokens
from kinema.networks.text import TextConfig, TextTower, build_text_tower
from kinema.objectives import masked_lm, nt_xent


@dataclass(frozen=True)
class DeCLUTRConfig:
    """DeCLUTR's settings.

    Args:
        objective: 'both' losses; or one of them alone, 'contrast' or the 'masked-lm'.
        anchors: A, anchors of a document.
        positives: P, positives of an anchor.
        min_length: ℓ_min, the shortest span, tokens without special ones.
        max_length: ℓ_max, the longest; with the special tokens it must fit the network's positions.
        sampling: where positives lie: 'any' (the paper's), 'subsuming' or 'adjacent'.
        masked: share of the anchors' tokens that the masked language model predicts.
        temperature: τ of NT-Xent.
    """

    objective: Literal["both", "contrast", "masked-lm"] = "both"
    anchors: int = 2
    positives: int = 2
    min_length: int = 32
    max_length: int = 510
    sampling: Literal["any", "subsuming", "adjacent"] = "any"
    masked: float = 0.15
    temperature: float = 0.05

    view: ClassVar[str] = "text"
    trains: ClassVar[tuple[str, ...]] = ("text",)

    def __post_init__(self) -> None:
        if self.objective not in ("both", "contrast", "masked-lm"):
            raise ConfigError(f"method.objective is '{self.objective}'.", "Choose 'both', 'contrast' or 'masked-lm'.")
        if self.temperature <= 0 or self.positives < 1:
            raise ConfigError(
                f"method.temperature={self.temperature}, positives={self.positives}: above 0 and at least 1 are needed."
            )
        if self.learns_language and self.masked <= 0:
            raise ConfigError(
                f"method.masked is {self.masked}; a masked language model must be asked about some tokens.",
                "Set method.masked above 0, or method.objective to contrast.",
            )
        assert self.needs is not None, "needs check what they are made of"

    @property
    def contrasts(self) -> bool:
        """Whether spans are contrasted."""
        return self.objective != "masked-lm"

    @property
    def learns_language(self) -> bool:
        """Whether a masked language model is learnt."""
        return self.objective != "contrast"

    @property
    def needs(self) -> SpanNeeds:
        """Anchors of each document, positives where they are contrasted, masks where they are predicted."""
        return SpanNeeds(
            self.anchors,
            self.positives if self.contrasts else 0,
            "spans",
            self.min_length,
            self.max_length,
            self.sampling,
            self.masked if self.learns_language else 0.0,
        )

    def build(self, encoder: TextConfig, context: TrainingContext) -> DeCLUTR:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return DeCLUTR(self, encoder)


class DeCLUTR(Method[SpanBatch]):
    """One tower: an encoder with masked mean pooling, and the head of its masked language model."""

    config: DeCLUTRConfig

    def __init__(self, config: DeCLUTRConfig, encoder: TextConfig) -> None:
        super().__init__(config)
        self.tower = build_text_tower(encoder, language=config.learns_language)

    def towers(self) -> Mapping[str, TextTower]:
        """The one tower, as 'text'."""
        return {"text": self.tower}

    def loss(self, batch: SpanBatch, generator: torch.Generator) -> Losses:
        """L_contrastive (eq. 2) over the 2M embeddings of the batch, and L_MLM on the anchors, of equal weight."""
        terms = {}
        masked = batch.masked_anchors() if self.config.learns_language else None
        with dropout_from(generator):
            anchors = batch.anchors if masked is None else masked.tokens
            states = self.tower.encoder.hidden(anchors)
            e = self.tower.encoder.pool(states, anchors)
            if self.config.contrasts:
                p = self.tower.encoder(batch.positives_beside()).view(len(e), -1, e.shape[1]).mean(dim=1)
                terms["nt_xent"] = nt_xent(normalize(e, dim=1), normalize(p, dim=1), self.config.temperature)
            if masked is not None:
                terms["masked_lm"] = masked_lm(self.tower.masked_logits(states, masked.targets), masked.targets)
        total = torch.stack(list(terms.values())).sum()
        logged = {name: value.detach() for name, value in terms.items()}
        return Losses(total, terms=logged, embeddings=normalize(e, dim=1).detach())

    def embed(self, x: Tokens) -> Tensor:  # type: ignore[override]
        """Embeddings of sequences, float [N, dim]: the mean of their tokens' states, not normalised."""
        return self.tower.embed(x)
