"""SimCLR on clips: two augmented variants of each clip find one another among all others of the batch.

Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual representations", ICML 2020,
arXiv 2002.05709. Augmentations are drawn once a clip and shared by its frames; the two variants may be two windows of
one video (the temporal form).

Legend: B clips, d dimensions of the projection.

Departure from the authors' code: the loss is the mean over the 2B views; theirs adds two means and reports twice this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import nt_xent, own_negatives


@dataclass(frozen=True)
class SimCLRConfig:
    """SimCLR's settings.

    Args:
        view: the view that is learnt from.
        temperature: τ of the loss (the paper: .1 on ImageNet, .5 on CIFAR).
        head: the projection head; the paper's has BatchNorm.
    """

    view: str = "rgb"
    temperature: float = 0.1
    head: HeadConfig = field(default_factory=lambda: HeadConfig(layers=2, norm=True))

    def __post_init__(self) -> None:
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
        z1, z2 = (self.tower(batch.view(variant, self.view)) for variant in (0, 1))
        n = [self.tower(x) for x in batch.negatives.view(self.view)]
        own = torch.cat([own_negatives(z, n, batch.negatives.valid) for z in (z1, z2)])
        total = nt_xent(z1, z2, self.config.temperature, own)
        return Losses(total, terms={"nt_xent": total.detach()}, embeddings=z1.detach())
