"""SimCLR on clips: two augmented variants of each clip find one another among all others of the batch.

Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual representations", ICML 2020,
arXiv 2002.05709. Augmentations are drawn once a clip and shared by its frames; the two variants may be two windows of
one video (the temporal form).

Legend: B clips, d dimensions of the projection.

Departures from the authors' code:
- The loss is the mean over the 2B views; theirs adds two means and reports twice this.
- The variants go through the network one after the other, each with a BatchNorm of its own; theirs go as one batch of
  2B, which ``one_batch`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import world_size
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import check_among, nt_xent, own_negatives, weighed_among


@dataclass(frozen=True)
class SimCLRConfig:
    """SimCLR's settings.

    Args:
        view: the view that is learnt from.
        temperature: τ of the loss (the paper: .1 on ImageNet, .5 on CIFAR).
        head: the projection head; the paper's has BatchNorm.
        own_among: how many other negatives a clip's own is to weigh among, where a disturbance makes one; 0: as it is.
        one_batch: whether both variants go through the network as one batch of 2B, so that BatchNorm sees them together
            (the authors' code).
    """

    view: str = "rgb"
    temperature: float = 0.1
    head: HeadConfig = field(default_factory=lambda: HeadConfig(layers=2, norm=True))
    own_among: int = 0
    one_batch: bool = False

    def __post_init__(self) -> None:
        check_among(self.own_among)
        if self.temperature <= 0:
            raise ConfigError(f"method.temperature is {self.temperature}; it must be above 0.")

    @property
    def needs(self) -> ClipNeeds:
        """Two variants of each clip, in one view."""
        return ClipNeeds((self.view,), negatives=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> SimCLR:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return SimCLR(self, encoder)


class SimCLR(Method[ClipBatch]):
    """Two variants in, NT-Xent over the batch out; it keeps no state beside its tower."""

    config: SimCLRConfig

    def __init__(self, config: SimCLRConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.tower = Tower(config.view, encoder, config.head)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - the contract
        """NT-Xent (eq. 1) over the 2B projections of the batch, gathered over ranks.

        Negatives of a clip's own, where the batch has them, are contrasted with both of its variants.
        """
        cfg = self.config
        x1, x2 = (batch.view(variant, self.view) for variant in (0, 1))
        z1, z2 = self.tower(torch.cat([x1, x2])).chunk(2) if cfg.one_batch else (self.tower(x1), self.tower(x2))
        n = [self.tower(x) for x in batch.negatives.view(self.view)]
        own = torch.cat([own_negatives(z, n, batch.negatives.valid) for z in (z1, z2)])
        others = torch.full(own.shape[:1], 2 * len(z1) * world_size() - 2, device=own.device)
        own = weighed_among(own, others, cfg.own_among, cfg.temperature)
        total = nt_xent(z1, z2, cfg.temperature, own)
        return Losses(total, terms={"nt_xent": total.detach()}, embeddings=z1.detach())
