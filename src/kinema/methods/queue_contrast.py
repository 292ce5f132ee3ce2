"""Every clip against all others, by a queue and a momentum network: what MoCo, BE and DSM have in common.

He, Fan, Wu, Xie, Girshick, "Momentum contrast for unsupervised visual representation learning", CVPR 2020,
arXiv 1911.05722. The methods differ in what becomes of a clip before it comes here: their ``disturbances``.

Legend: B clips, K entries of the queue, d dimensions; q query, k key, n a clip's own negatives, f_q and f_k the network
and its moving average.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch

from kinema.core.clips import ClipBatch
from kinema.core.method import Losses, Method
from kinema.core.ops import all_gather_rows, update_ema
from kinema.mining import FeatureQueue
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import instance_masks, multi_positive_nce, own_negatives
from kinema.objectives.instance import NegativesFrom, Siblings


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


class QueueContrast(Method[ClipBatch]):
    """InfoNCE with a queue; two variants in, one tower out."""

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
            n = [self.f_k(x) for x in batch.negatives_in(self.view)]
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
        own = own_negatives(q, n, batch.negatives_valid)
        logits, own_logits = (s / self.config.temperature for s in (q @ keys.T, own))
        total = multi_positive_nce(logits, positives, candidates, own_logits)
        return Losses(total, terms={"info_nce": total.detach()}, pending=pending, embeddings=q.detach())

    def commit(self, losses: Losses) -> None:
        """Moves f_k towards f_q and pushes the keys."""
        if losses.ready:
            update_ema(self.f_k, self.f_q, self.config.momentum)
        pending = losses.pending
        self.queue.push({self.view: pending["k"]}, pending["source"], pending["index"])
