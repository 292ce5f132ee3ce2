"""Supervised learning: cross entropy on the labels.

Not a method to be compared but the reference: how much of a data set's classes the same encoder learns at the same
budget with labels.

Legend: B clips, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError, DataError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.networks import EncoderConfig, HeadConfig, Tower


@dataclass(frozen=True)
class SupervisedConfig:
    """Settings of the supervised reference.

    Args:
        view: the view that is learnt from.
        dropout: share of the features dropped before the classifier.
        smoothing: label smoothing.
        frozen: only the classifier is learnt, on features of the encoder as it was started (a linear probe).
        head: there so that a later phase can start from the tower; no gradient reaches it.
    """

    view: str = "rgb"
    dropout: float = 0.0
    smoothing: float = 0.0
    frozen: bool = False
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        for name in ("dropout", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"method.{name} is {getattr(self, name)}; it must lie in [0, 1).")

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip, and its label."""
        return ClipNeeds((self.view,), variants=1, labels=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> Supervised:
        """The method, freshly initialised.

        Raises:
            DataError: the data has no labels, or one class only.
        """
        if context.classes < 2:
            raise DataError(
                f"Supervised learning needs labels of at least 2 classes; this data has {context.classes}.",
                "Put the videos into one folder a class or write a labels.csv; simclr, moco and cpr need no labels.",
            )
        return Supervised(self, encoder, context.classes)


class Supervised(Method[ClipBatch]):
    """One variant in, cross entropy over the classes out."""

    config: SupervisedConfig

    def __init__(self, config: SupervisedConfig, encoder: EncoderConfig, classes: int) -> None:
        super().__init__(config)
        self.tower = Tower(config.view, encoder, config.head)
        self.tower.head.requires_grad_(False)
        self.tower.encoder.requires_grad_(not config.frozen)
        self.classifier = nn.Linear(int(self.tower.encoder.dim), classes)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def train(self, mode: bool = True) -> Supervised:
        """Training mode; an encoder that is frozen keeps the statistics of its norms too."""
        super().train(mode)
        if self.config.frozen:
            self.tower.eval()
        return self

    def logits(self, x: Tensor) -> Tensor:
        """What the classifier says, float [B, C, T, H, W] to [B, classes]."""
        scores: Tensor = self.classifier(self.tower.encoder(x))
        return scores

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """Cross entropy over the labelled clips of the batch."""
        assert batch.label is not None, "a method that reads labels is given them"
        x = self.tower.encoder(batch.view(0, self.view))
        if self.config.dropout:
            keep = torch.rand(x.shape, generator=generator).to(x.device) >= self.config.dropout
            x = x * keep / (1 - self.config.dropout)
        logits = self.classifier(x)
        known = batch.label >= 0
        total = cross_entropy(
            logits, batch.label, ignore_index=-1, reduction="sum", label_smoothing=self.config.smoothing
        )
        total = total / known.sum().clamp_min(1)
        accuracy = ((logits.argmax(dim=1) == batch.label) & known).sum() / known.sum().clamp_min(1)
        return Losses(total, terms={"accuracy": accuracy.float()}, embeddings=x.detach())
