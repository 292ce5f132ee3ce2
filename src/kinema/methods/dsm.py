"""DSM, decoupling the scene and the motion: a positive with another scene, a negative with another motion.

Wang, Gao, Li, Hu, Jiang, Guo, Ji, Sun, "Enhancing unsupervised video representation learning by decoupling the scene
and the motion", AAAI 2021, arXiv 2009.05757. The key is the clip under one smooth local warp, the same in all frames:
its scene is bent and its motion is kept. The negative is the clip with its motion broken and its scene kept. Whoever
tells them apart has looked at the motion.

Legend: B clips, K entries of the queue, d dimensions; q the clip's projection, k the warped variant's, n that of the
clip whose motion is broken; f_q and f_k the network and its moving average.

Two forms. ``form='contrast'``: InfoNCE with K + 2 logits, [q·k, q·queue, q·n] (:class:`DSM`). ``form='triplets'``:
nearer to k than to one's own n, and than to another clip's, by a margin each (:class:`DSMTriplets`). To have the
transforms alone on top of another method: ``--transforms dsm``.

Departures from the authors' code:
- n is a reconstruction (``broken_motion``): the release never calls its own temporal disturbance and
  takes another window of the same video, which is BE's negative: ``negative='elsewhere'``.
- The key is warped, as in the paper's figure; in the release it is the query. One warp a clip, not one a batch.
- n is made by the key network, without gradient, as k is; in the release it goes through the query's, with gradient.
- The broken n is made of the key's variant and shares its crop, colours and warp, so that the motion alone tells it
  from k; in the release every clip has an augmentation of its own.
- A clip that stands still has no n: there would be nothing to tell it from.
- The other clip of the second triplet is the next one of the batch, in the release the one at its mirrored place; a
  clip of the same recording is left out.
- Nothing is learnt before a queue that gives negatives is full; siblings and the batch's keys are as in ``moco``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from kinema.core.clips import ClipBatch, ClipNeeds, Disturbance
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.data.clips.transforms import BrokenMotion, Elsewhere, LocalWarp
from kinema.methods.moco import MoCo
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import check_among, check_contrast, check_margin, intra_and_inter
from kinema.objectives.instance import NegativesFrom, Siblings

Negative = Literal["broken", "elsewhere"]


@dataclass(frozen=True)
class DSMConfig:
    """Settings of DSM.

    Args:
        view: the view that is learnt from.
        form: 'contrast' with a queue, or 'triplets'.
        warp: what bends the scene of the key.
        broken: what breaks the motion of the negative; without motion vectors leave 'warp' out of its kinds.
        margin: of the triplets.
        queue: K of 'contrast', a multiple of the batch over all ranks.
        temperature: τ of 'contrast'.
        momentum: m of 'contrast', how slowly the key network follows.
        siblings: of 'contrast'; as :class:`kinema.methods.MoCoConfig` has it.
        negatives_from: of 'contrast': the 'queue' (the paper), the other keys of the 'batch', or 'both'.
        head: the projection head.
        negative: what n is: the clip with its motion 'broken' (the paper's idea, a reconstruction), or a window
            'elsewhere' in its video (the authors' released code).
        apart: of the negative 'elsewhere': video frames from the clip's start to its own.
        own_among: of 'contrast': how many other negatives a clip's own is to weigh among; 0: as it is.
    """

    view: str = "rgb"
    form: Literal["contrast", "triplets"] = "contrast"
    warp: LocalWarp = field(default_factory=LocalWarp)
    broken: BrokenMotion = field(default_factory=BrokenMotion)
    margin: float = 0.5
    queue: int = 1024
    temperature: float = 0.07
    momentum: float = 0.99
    siblings: Siblings = "ignored"
    negatives_from: NegativesFrom = "both"
    head: HeadConfig = field(default_factory=HeadConfig)
    negative: Negative = "broken"
    apart: int = 0
    own_among: int = 0

    def __post_init__(self) -> None:
        check_contrast(self.queue, self.temperature, self.momentum)
        check_margin(self.margin)
        check_among(self.own_among)
        Elsewhere(self.apart)
        if self.negative not in get_args(Negative):
            raise ConfigError(f"method.negative is '{self.negative}'.", "Choose 'broken' or 'elsewhere'.")

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """The bent scene, and the negative."""
        return (self.warp, self.broken if self.negative == "broken" else Elsewhere(self.apart))

    @property
    def needs(self) -> ClipNeeds:
        """Two variants of each clip, and the negative that a disturbance makes."""
        return ClipNeeds((self.view,), negatives=True, disturbances=self.disturbances)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    @property
    def warm_up_clips(self) -> int:
        """How many clips must have passed before a step can learn: the queue's, if it gives negatives."""
        return self.queue if self.form == "contrast" and self.negatives_from != "batch" else 0

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> Method[ClipBatch]:  # noqa: ARG002 - the contract
        """The method in its form, freshly initialised."""
        return DSM(self, encoder) if self.form == "contrast" else DSMTriplets(self, encoder)


class DSM(MoCo):
    """InfoNCE of the clip against its bent variant, the others' keys, and itself with its motion broken."""


class DSMTriplets(Method[ClipBatch]):
    """The clip nearer to its bent variant than to broken motion, its own and another's; one network, no memory."""

    config: DSMConfig

    def __init__(self, config: DSMConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.tower = Tower(config.view, encoder, config.head)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - the contract
        """The sum of two triplets, each a mean over the clips that have a negative."""
        q, k = (self.tower(batch.view(variant, self.view)) for variant in (0, 1))
        n = [self.tower(x) for x in batch.negatives.view(self.view)]
        intra, inter = intra_and_inter(q, k, n, batch.source, self.config.margin, batch.negatives.valid)
        terms = {"intra": intra.detach(), "inter": inter.detach()}
        return Losses(intra + inter, terms=terms, embeddings=q.detach())
