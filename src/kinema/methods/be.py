"""BE, background erasing: a clip with one of its own frames added to all of them is still the same motion.

Wang, Gao, Li, Lin, Ma, Cheng, Peng, Huang, Ji, Sun, "Removing the background by adding the background: towards
background robust self-supervised video representation learning", CVPR 2021, arXiv 2009.05769. Two variants of a clip
are most easily recognised by their background. The query is therefore a distracting clip, x̃_t = (1 − λ) x_t + λ x_s:
its background is wrong, its motion is not. One more negative is another window of the same video: right background,
wrong motion.

Legend: B clips, K entries of the queue, d dimensions; q the distracting clip's projection, k its key's, n that of the
window elsewhere; f_q and f_k the network and its moving average; F an encoder, before its head.

Three forms. ``form='contrast'``: InfoNCE over [q·k, q·queue, q·n] (:class:`BE`). ``form='triplets'``: nearer to k than
to one's own n, and than to another clip's, by a margin each (:class:`BETriplet`); ``form='triplet'`` is the first of
the two alone. And a regulariser for any other method, |F(x̃) − F(x)|² (:class:`BERegulariser`),
which alone would be content with a constant; ``kinema.methods.joined`` puts it beside one. To have the transform
alone on top of another method: ``--transforms be``.

Departures from the authors' code:
- λ is drawn for every clip, not once a batch.
- n is made by the key network, without gradient, as k is; in the release it goes through the query's, with gradient.
- Where the video has no room for a window elsewhere, there is no n; in the release one that is near is moved a little.
- A window elsewhere begins a third of the clip's span away (``apart``); in the release four frames.
- The other clip of the second triplet is the next one of the batch, in the release the one at its mirrored place; a
  clip of the same recording is left out.
- Nothing is learnt before a queue that gives negatives is full; siblings and the batch's keys are as in ``moco``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch.nn.functional import mse_loss

from kinema.core.clips import ClipBatch, ClipNeeds, Disturbance
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.data.clips.transforms import Elsewhere, StaticFrame, mixed
from kinema.data.clips.transforms.static_frame import Source
from kinema.methods.moco import MoCo
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import check_among, check_contrast, check_margin, intra_and_inter, own_triplets
from kinema.objectives.instance import NegativesFrom, Siblings


@dataclass(frozen=True)
class BEConfig:
    """Settings of BE.

    Args:
        view: the view that is learnt from; the motion of a clip does not change with a still frame, so not 'motion'.
        form: 'contrast' with a queue, 'triplets' (both of the authors' code), or 'triplet', the first of them alone.
        strength: the largest λ.
        margin: of the triplets.
        queue: K of 'contrast', a multiple of the batch over all ranks.
        temperature: τ of 'contrast'.
        momentum: m of 'contrast', how slowly the key network follows.
        siblings: of 'contrast'; as :class:`kinema.methods.MoCoConfig` has it.
        negatives_from: of 'contrast': the 'queue' (the paper), the other keys of the 'batch', or 'both'.
        head: the projection head.
        still_from: whose frame is added: the 'clip' its own, or the next one of the 'batch'.
        apart: video frames from the clip's start to that of the window elsewhere, at least (the authors' code: 4); 0,
            and more than a third of the clip's span, for that third. The more, the more clips have no such window.
        own_among: of 'contrast': how many other negatives a clip's own is to weigh among (the paper's queue: 3569).
    """

    view: str = "rgb"
    form: Literal["contrast", "triplets", "triplet"] = "contrast"
    strength: float = 0.3
    margin: float = 0.5
    queue: int = 1024
    temperature: float = 0.07
    momentum: float = 0.99
    siblings: Siblings = "ignored"
    negatives_from: NegativesFrom = "both"
    head: HeadConfig = field(default_factory=HeadConfig)
    still_from: Source = "clip"
    apart: int = 0
    own_among: int = 0

    def __post_init__(self) -> None:
        check_contrast(self.queue, self.temperature, self.momentum)
        check_margin(self.margin)
        check_among(self.own_among)
        Elsewhere(self.apart)
        _check_still(self.view, self.strength)
        if self.still_from not in get_args(Source):
            raise ConfigError(f"method.still_from is '{self.still_from}'.", "Choose 'clip' or 'batch'.")

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """The still frame in the query, and the window elsewhere as a negative."""
        return (StaticFrame(self.strength, source=self.still_from), Elsewhere(self.apart))

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
        return BE(self, encoder) if self.form == "contrast" else BETriplet(self, encoder)


class BE(MoCo):
    """InfoNCE of the distracting clip against its undisturbed key, the others' keys, and its video elsewhere."""


class BETriplet(Method[ClipBatch]):
    """The distracting clip nearer to its undisturbed variant than to its video elsewhere, and than to another's.

    One network, no memory.
    """

    config: BEConfig

    def __init__(self, config: BEConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.tower = Tower(config.view, encoder, config.head)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - the contract
        """max(0, |q − k| − |q − n| + margin), the mean over the clips that have an n; for their own n, then the next's.

        With the form 'triplet' it is their own alone.
        """
        q, k = (self.tower(batch.view(variant, self.view)) for variant in (0, 1))
        n = [self.tower(x) for x in batch.negatives.view(self.view)]
        margin, valid = self.config.margin, batch.negatives.valid
        if self.config.form == "triplet":
            total = own_triplets(q, k, n, margin, valid)
            return Losses(total, terms={"triplet": total.detach()}, embeddings=q.detach())
        intra, inter = intra_and_inter(q, k, n, batch.source, margin, valid)
        terms = {"intra": intra.detach(), "inter": inter.detach()}
        return Losses(intra + inter, terms=terms, embeddings=q.detach())


@dataclass(frozen=True)
class BERegulariserConfig:
    """Settings of BE beside another method.

    Args:
        view: the view whose tower is regularised; not 'motion'.
        strength: the largest λ.
        head: that of the method it stands beside; no gradient of this loss reaches it.
    """

    view: str = "rgb"
    strength: float = 0.3
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        _check_still(self.view, self.strength)

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip."""
        return ClipNeeds((self.view,), variants=1)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> BERegulariser:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return BERegulariser(self, encoder)


class BERegulariser(Method[ClipBatch]):
    """F(x̃) = F(x): the features of a clip do not change when one of its frames is added to all."""

    config: BERegulariserConfig

    def __init__(self, config: BERegulariserConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.tower = Tower(config.view, encoder, config.head)
        self.tower.head.requires_grad_(False)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """The mean of (F(x̃) − F(x))² over clips and dimensions, with gradient on both sides.

        x̃ is made here, of the variant as it is; each clip's draw is the one it has among the clips of all ranks.
        """
        x = batch.view(0, self.view)
        share, place = StaticFrame(self.config.strength).draw(len(x), generator)
        distracting = mixed({self.view: x}, share, place)[self.view]
        features = self.tower.encoder(x)
        total = mse_loss(self.tower.encoder(distracting), features)
        return Losses(total, terms={"mse": total.detach()}, embeddings=features.detach())


def _check_still(view: str, strength: float) -> None:
    if view == "motion":
        raise ConfigError(
            "method.view is 'motion', which a still frame does not change: there would be nothing to learn.",
            "Choose the view 'rgb' or 'residual'.",
        )
    if not 0 < strength < 1:
        raise ConfigError(f"method.strength is {strength}; it must lie between 0 and 1.")
