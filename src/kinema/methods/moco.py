"""MoCo on clips: InfoNCE against a queue of earlier keys from a slowly moving copy of the network.

He, Fan, Wu, Xie, Girshick, "Momentum contrast for unsupervised visual representation learning", CVPR 2020,
arXiv 1911.05722. This is the InfoNCE baseline that CoCLR and CPR start from: one view, one positive.

Legend: B clips, K entries of the queue, d dimensions; q query, k key, n a clip's own negatives, f_q and f_k the network
and its moving average.

Departures:
- Nothing is learnt before the queue that gives the negatives is full (the authors start from random unit vectors).
- Keys of the same recording in the queue are left out of the negatives (``siblings='ignored'``): in a data set not
  much larger than the queue they are most often the clip itself, one epoch ago. ``siblings='negatives'`` is the paper.
- The authors shuffle clips between GPUs so that BatchNorm cannot tell a query's own key by the batch it was computed
  in, nor by how recently. Here the other keys of the batch are negatives beside the queue: against them neither helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import all_gather_rows, update_ema
from kinema.mining import FeatureQueue
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import (
    check_among,
    check_contrast,
    instance_masks,
    multi_positive_nce,
    own_negatives,
    weighed_among,
)
from kinema.objectives.instance import NegativesFrom, Siblings


@dataclass(frozen=True)
class MoCoConfig:
    """MoCo's settings.

    Args:
        view: the view that is learnt from.
        queue: K, keys that are remembered; a multiple of the batch over all ranks.
        temperature: τ, the temperature of the loss: scores are divided by it.
        momentum: m, how slowly the key network follows.
        siblings: whether earlier keys of the same recording count as negatives (the paper) or are left out.
        negatives_from: the 'queue' (the paper), the other keys of the 'batch' (MoCo v3), or 'both'. A run of few steps
            needs 'batch': its network moves so fast that a key of the queue is told by its age.
        head: the projection head.
        own_among: how many other negatives a clip's own negative is to weigh among, where a disturbance makes one (BE's
            queue: 3569): its logit is lowered by log(own_among / those that there are). 0 leaves it as it is.
    """

    view: str = "rgb"
    queue: int = 1024
    temperature: float = 0.07
    momentum: float = 0.99
    siblings: Siblings = "ignored"
    negatives_from: NegativesFrom = "both"
    head: HeadConfig = field(default_factory=HeadConfig)
    own_among: int = 0

    def __post_init__(self) -> None:
        check_contrast(self.queue, self.temperature, self.momentum)
        check_among(self.own_among)

    @property
    def needs(self) -> ClipNeeds:
        """Two variants of each clip, in one view."""
        return ClipNeeds((self.view,), negatives=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    @property
    def warm_up_clips(self) -> int:
        """How many clips must have passed before a step can learn: the queue's, if it gives negatives."""
        return 0 if self.negatives_from == "batch" else self.queue

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> MoCo:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return MoCo(self, encoder)


class QueueSettings(Protocol):
    """The settings that the comparison needs; :class:`kinema.methods.MoCoConfig` says what they mean."""

    @property
    def view(self) -> str: ...  # noqa: D102 - see the class

    @property
    def queue(self) -> int: ...  # noqa: D102

    @property
    def temperature(self) -> float: ...  # noqa: D102

    @property
    def momentum(self) -> float: ...  # noqa: D102

    @property
    def siblings(self) -> Siblings: ...  # noqa: D102

    @property
    def negatives_from(self) -> NegativesFrom: ...  # noqa: D102

    @property
    def head(self) -> HeadConfig: ...  # noqa: D102

    @property
    def own_among(self) -> int: ...  # noqa: D102


class MoCo(Method[ClipBatch]):
    """InfoNCE with a queue; two variants in, one tower out.

    BE and DSM are this with other disturbances: what becomes of a clip before it comes here.
    """

    config: QueueSettings

    def __init__(self, config: QueueSettings, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.f_q = Tower(config.view, encoder, config.head)
        self.f_k = self.f_q.frozen_copy()
        self.queue = FeatureQueue(config.queue, config.head.out, (config.view,))

    def towers(self) -> Mapping[str, Tower]:
        """The query tower, under its view."""
        return {self.view: self.f_q}

    def started(self) -> None:
        """The momentum tower starts where the query tower does."""
        self.f_k.load_state_dict(self.f_q.state_dict())

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - the contract
        """InfoNCE (eq. 1) of q against its own key and the others; not ready until the queue is full.

        What the batch holds of negatives of each clip's own are further keys, in that clip's row alone.
        With the negatives from the batch alone there is nothing to wait for.
        """
        with torch.no_grad():
            k = self.f_k(batch.view(1, self.view))
            n = [self.f_k(x) for x in batch.negatives.view(self.view)]
        pending = {"k": all_gather_rows(k), "source": all_gather_rows(batch.source)}
        pending["index"] = all_gather_rows(batch.index)
        if not self.queue.full and self.config.negatives_from != "batch":
            return Losses(k.new_zeros(()), pending=pending, embeddings=k, ready=False)

        q = self.f_q(batch.view(0, self.view))
        keys = torch.cat([pending["k"], self.queue.features(self.view)])
        positives, candidates = instance_masks(
            batch.source,
            pending["source"],
            self.queue.source,
            siblings=self.config.siblings,
            negatives_from=self.config.negatives_from,
        )
        own = own_negatives(q, n, batch.negatives.valid)
        logits, own_logits = (s / self.config.temperature for s in (q @ keys.T, own))
        own_logits = weighed_among(own_logits, (candidates & ~positives).sum(dim=1), self.config.own_among)
        total = multi_positive_nce(logits, positives, candidates, own_logits)
        return Losses(total, terms={"info_nce": total.detach()}, pending=pending, embeddings=q.detach())

    def commit(self, losses: Losses) -> None:
        """Moves f_k towards f_q and pushes the keys."""
        if losses.ready:
            update_ema(self.f_k, self.f_q, self.config.momentum)
        pending = losses.pending
        self.queue.push({self.view: pending["k"]}, pending["source"], pending["index"])
